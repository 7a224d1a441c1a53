"""Records in Bitget's words: the field names and texts of its REST v2 lists. Pure; the WebSocket face builds on them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from haechi.core.instrument import Instrument
from haechi.core.units import unscaled
from haechi.venue.exchange import TickBar
from haechi.venue.floor import Floor
from haechi.venue.market import Contract, Quote
from haechi.venue.records import Bill, ClosedPosition, FillRecord, OrderRecord, PlanRecord, PublicTrade
from haechi.venue.requests import BalanceView, PositionView

COIN = "USDT"
AVERAGE_PLACES = Decimal("1e-12")


def num(value: Decimal) -> str:
    """Plain digits without trailing zeros."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def money(amount: int) -> str:
    return num(unscaled(int(amount)))


def average(one: Instrument, quote: int, lots: int) -> str:
    """Mean price of lots that cost `quote` ticks × lots; '' without any."""
    return num((one.tick * quote / lots).quantize(AVERAGE_PLACES)) if lots else ""


def side_word(side: int) -> str:
    return "buy" if side > 0 else "sell"


def named_side(record: OrderRecord | PlanRecord | FillRecord) -> str:
    """In hedge mode an order's side names the position it belongs to."""
    return ("buy" if record.leg == 0 else "sell") if record.hedge else side_word(record.side)


def trade_side(record: OrderRecord | PlanRecord | FillRecord) -> str:
    if not isinstance(record, PlanRecord) and record.trade_side:
        return record.trade_side
    if record.hedge:
        return "close" if record.closes else "open"
    return f"{side_word(record.side)}_single"


def leg_word(leg: int, *, hedge: bool) -> str:
    return ("long", "short")[leg] if hedge else "net"


def mode(*, hedge: bool) -> str:
    return "hedge_mode" if hedge else "one_way_mode"


def margin_mode(*, cross: bool) -> str:
    return "crossed" if cross else "isolated"


def price_or_none(one: Instrument, ticks: int) -> str:
    return num(one.price(ticks)) if ticks else ""


# ---- orders

def order(record: OrderRecord, one: Instrument) -> dict[str, Any]:
    """An item of orders-pending and orders-history; `detail` has `state` beside."""
    preset = record.preset
    return {
        "symbol": one.symbol, "size": num(one.quantity(record.lots)), "orderId": record.order_id, "clientOid": record.client_oid,
        "baseVolume": num(one.quantity(record.filled)), "fee": money(-record.fee), "price": num(one.price(record.price)),
        "priceAvg": average(one, record.quote, record.filled), "status": record.status, "state": record.status,
        "side": named_side(record), "force": record.force, "totalProfits": money(record.profit),
        "posSide": leg_word(record.leg, hedge=record.hedge), "marginCoin": COIN, "quoteVolume": money(record.quote * one.unit),
        "leverage": str(record.leverage), "marginMode": margin_mode(cross=record.cross), "enterPointSource": record.entered,
        "tradeSide": trade_side(record), "posMode": mode(hedge=record.hedge), "orderType": record.kind, "orderSource": record.source,
        "reduceOnly": "YES" if record.closes and not record.hedge else "NO", "cancelReason": record.reason, "posAvg": "", "liqPrice": "",
        "stpMode": record.stp,
        "presetStopSurplusPrice": price_or_none(one, preset.profit), "presetStopSurplusType": "fill_price" if preset.profit else "",
        "presetStopSurplusExecutePrice": price_or_none(one, preset.profit_execute),
        "presetStopLossPrice": price_or_none(one, preset.loss), "presetStopLossType": "fill_price" if preset.loss else "",
        "presetStopLossExecutePrice": price_or_none(one, preset.loss_execute),
        "cTime": str(record.created_ms), "uTime": str(record.updated_ms)}


def plan(record: PlanRecord, one: Instrument, made: OrderRecord | None) -> dict[str, Any]:
    """An item of orders-plan-pending and orders-plan-history. made: the order it became."""
    profit = record.plan_type in ("profit_plan", "pos_profit")
    loss = record.plan_type in ("loss_plan", "pos_loss")
    trigger, execute = num(one.price(record.trigger)), num(one.price(record.execute))
    preset = record.preset
    return {
        "planType": record.plan_type, "symbol": one.symbol, "size": num(one.quantity(record.lots)), "orderId": record.order_id,
        "executeOrderId": record.executed_order_id, "clientOid": record.client_oid, "planStatus": record.status, "price": execute,
        "executePrice": execute, "priceAvg": average(one, made.quote, made.filled) if made else "",
        "baseVolume": num(one.quantity(made.filled)) if made else "0",
        "callbackRatio": num(unscaled(record.callback) * 100) if record.callback else "", "triggerPrice": trigger,
        "triggerType": record.trigger_type, "side": named_side(record), "posSide": leg_word(record.leg, hedge=record.hedge),
        "marginCoin": COIN, "marginMode": margin_mode(cross=record.cross), "enterPointSource": record.entered,
        "tradeSide": trade_side(record), "posMode": mode(hedge=record.hedge), "orderType": "limit" if record.execute else "market",
        "orderSource": "normal", "cTime": str(record.created_ms), "uTime": str(record.updated_ms),
        "stopSurplusTriggerPrice": trigger if profit else price_or_none(one, preset.profit),
        "stopSurplusExecutePrice": execute if profit else price_or_none(one, preset.profit_execute),
        "stopSurplusTriggerType": record.trigger_type if profit or preset.profit else "",
        "stopLossTriggerPrice": trigger if loss else price_or_none(one, preset.loss),
        "stopLossExecutePrice": execute if loss else price_or_none(one, preset.loss_execute),
        "stopLossTriggerType": record.trigger_type if loss or preset.loss else ""}


def fee_detail(fee: int) -> list[dict[str, str]]:
    return [{"deduction": "no", "feeCoin": COIN, "totalDeductionFee": "0", "totalFee": money(-fee)}]


def fill(record: FillRecord, one: Instrument) -> dict[str, Any]:
    """An item of fills and fill-history. The order's client id is not told: who wants it asks for the order."""
    return {
        "tradeId": record.trade_id, "symbol": one.symbol, "marginCoin": COIN, "orderId": record.order_id,
        "price": num(one.price(record.price)), "baseVolume": num(one.quantity(record.lots)), "feeDetail": fee_detail(record.fee),
        "side": named_side(record), "quoteVolume": money(record.lots * record.price * one.unit), "profit": money(record.profit),
        "enterPointSource": "API", "tradeSide": trade_side(record), "posMode": mode(hedge=record.hedge),
        "tradeScope": "maker" if record.maker else "taker", "cTime": str(record.time_ms)}


# ---- account

def bill(record: Bill, symbol: str) -> dict[str, Any]:
    """`amount` without the fee; `balance` after both."""
    return {"billId": record.bill_id, "symbol": symbol, "amount": money(record.amount), "fee": money(-record.fee), "feeByCoupon": "",
            "businessType": record.business, "coin": COIN, "balance": money(record.balance), "cTime": str(record.time_ms)}


def account(view: BalanceView) -> dict[str, Any]:
    equity = num(view.equity)
    return {
        "marginCoin": COIN, "locked": num(view.locked), "available": num(view.available), "crossedMaxAvailable": num(view.cross_available),
        "isolatedMaxAvailable": num(view.isolated_available), "maxTransferOut": num(view.max_transfer), "accountEquity": equity,
        "usdtEquity": equity, "btcEquity": "0", "crossedRiskRate": num(view.risk_rate.quantize(AVERAGE_PLACES)),
        "unrealizedPL": num(view.unrealised), "coupon": "0", "unionTotalMagin": "0", "unionTotalMargin": "0", "unionAvailable": "0",
        "unionMm": "0", "assetList": [], "isolatedMargin": num(view.isolated_margin), "crossedMargin": num(view.cross_margin),
        "crossedUnrealizedPL": num(view.cross_unrealised), "isolatedUnrealizedPL": num(view.isolated_unrealised), "assetMode": "single"}


def position(view: PositionView, one: Instrument) -> dict[str, Any]:
    return {
        "marginCoin": COIN, "symbol": one.symbol, "holdSide": "long" if view.side > 0 else "short",
        "openDelegateSize": num(one.quantity(view.resting)), "marginSize": num(view.margin),
        "available": num(one.quantity(view.lots - view.frozen)), "locked": num(one.quantity(view.frozen)),
        "total": num(one.quantity(view.lots)), "leverage": str(view.leverage), "achievedProfits": num(view.realised),
        "openPriceAvg": num(view.entry.quantize(AVERAGE_PLACES)), "marginMode": margin_mode(cross=view.cross),
        "posMode": mode(hedge=view.hedge), "unrealizedPL": num(view.unrealised),
        "liquidationPrice": num(view.liquidation) if view.liquidation is not None else "0",
        "keepMarginRate": num(view.maintenance_rate), "markPrice": num(view.mark),
        "marginRatio": num(view.margin_ratio.quantize(AVERAGE_PLACES)), "breakEvenPrice": num(view.break_even.quantize(AVERAGE_PLACES)),
        "totalFee": num(view.fees), "deductedFee": num(view.fees), "assetMode": "single", "autoMargin": "on" if view.auto_margin else "off",
        "takeProfit": num(view.take_profit) if view.take_profit is not None else "",
        "stopLoss": num(view.stop_loss) if view.stop_loss is not None else "", "takeProfitId": view.profit_id, "stopLossId": view.loss_id,
        "cTime": str(view.opened_ms), "uTime": str(view.updated_ms)}


def closed(record: ClosedPosition, one: Instrument) -> dict[str, Any]:
    """netProfit = pnl + fees + funding, each with its sign."""
    net = record.profit - record.open_fee - record.close_fee - record.funding
    return {
        "positionId": record.position_id, "marginCoin": COIN, "symbol": one.symbol, "holdSide": "long" if record.side > 0 else "short",
        "openAvgPrice": average(one, record.open_quote, record.opened), "closeAvgPrice": average(one, record.close_quote, record.closed),
        "marginMode": margin_mode(cross=record.cross), "openTotalPos": num(one.quantity(record.opened)),
        "closeTotalPos": num(one.quantity(record.closed)), "pnl": money(record.profit), "netProfit": money(net),
        "totalFunding": money(-record.funding), "openFee": money(-record.open_fee), "closeFee": money(-record.close_fee),
        "posMode": mode(hedge=record.hedge), "ctime": str(record.opened_ms), "utime": str(record.updated_ms),
        "cTime": str(record.opened_ms), "uTime": str(record.updated_ms)}


# ---- market

def contract(one: Instrument, listed: Contract) -> dict[str, Any]:
    base = one.symbol.removesuffix(COIN)
    smallest = num(one.quantity(one.min_lots))
    step = one.tick.scaleb(listed.price_places)
    return {
        "symbol": one.symbol, "baseCoin": base, "quoteCoin": COIN, "buyLimitPriceRatio": num(listed.buy_limit_ratio),
        "sellLimitPriceRatio": num(listed.sell_limit_ratio), "feeRateUpRatio": "0.005", "makerFeeRate": num(one.maker),
        "takerFeeRate": num(one.taker), "openCostUpRatio": "0.01", "supportMarginCoins": [COIN], "minTradeNum": smallest,
        "priceEndStep": num(step), "volumePlace": str(listed.volume_places), "pricePlace": str(listed.price_places),
        "sizeMultiplier": num(one.lot), "symbolType": "perpetual", "minTradeUSDT": num(one.min_value), "maxSymbolOrderNum": "200",
        "maxProductOrderNum": "1000", "maxPositionNum": "150", "symbolStatus": listed.status, "offTime": "-1", "limitOpenTime": "-1",
        "deliveryTime": "", "deliveryStartTime": "", "deliveryPeriod": "", "launchTime": "", "openTime": "", "fundInterval": "8",
        "minLever": "1", "maxLever": str(listed.leverage_max), "posLimit": "0.05", "maintainTime": "",
        "maxMarketOrderQty": num(one.quantity(listed.max_market_lots)), "maxOrderQty": num(one.quantity(listed.max_lots)), "isRwa": "NO"}


def ticker(quote: Quote, symbol: str) -> dict[str, Any]:
    volume = num(quote.quote_volume)
    return {
        "symbol": symbol, "lastPr": num(quote.last), "askPr": num(quote.ask), "bidPr": num(quote.bid), "bidSz": num(quote.bid_size),
        "askSz": num(quote.ask_size), "high24h": num(quote.high24h), "low24h": num(quote.low24h), "ts": str(quote.time_ms),
        "change24h": num(quote.change24h), "baseVolume": num(quote.base_volume), "quoteVolume": volume, "usdtVolume": volume,
        "openUtc": num(quote.open_utc), "changeUtc24h": num(quote.change_utc), "indexPrice": num(quote.index),
        "fundingRate": num(quote.funding_rate), "holdingAmount": num(quote.open_interest), "deliveryStartTime": None, "deliveryTime": None,
        "deliveryStatus": "", "open24h": num(quote.open24h), "markPrice": num(quote.mark)}


def candle(bar: TickBar, one: Instrument) -> list[str]:
    """[open time, open, high, low, close, base volume, quote volume]; the quote volume is taken at the close."""
    volume = Decimal(repr(bar.volume)).quantize(one.lot)
    close = one.price(bar.close)
    return [str(bar.ts), num(one.price(bar.open)), num(one.price(bar.high)), num(one.price(bar.low)), num(close), num(volume),
            num(volume * close)]


def public_trade(trade: PublicTrade, one: Instrument) -> dict[str, Any]:
    return {"tradeId": trade.trade_id, "price": num(one.price(trade.price)), "size": num(one.quantity(trade.lots)),
            "side": side_word(trade.side), "ts": str(trade.time_ms), "symbol": one.symbol}


def symbol_of(floor: Floor, m: int) -> str:
    return floor.instruments[m].symbol if m >= 0 else ""
