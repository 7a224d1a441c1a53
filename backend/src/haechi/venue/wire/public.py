"""Public market endpoints, and what clients ask of the spot and margin faces when they start."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from haechi.core.units import unscaled
from haechi.venue.refusal import Refusal
from haechi.venue.wire import formats
from haechi.venue.wire.formats import num
from haechi.venue.wire.inputs import Call
from haechi.venue.wire.paging import check_span, page
from haechi.venue.wire.routing import public

MARKET = "/api/v2/mix/market/"
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
CHINA = -8 * HOUR  # long bars without `utc` begin at midnight UTC+8
MONDAY = 4 * DAY  # 1970-01-05
GRANULARITIES: dict[str, tuple[int, int]] = {
    **{f"{n}m": (n * MINUTE, 0) for n in (1, 3, 5, 15, 30)}, **{f"{n}h": (n * HOUR, 0) for n in (1, 2, 4)},
    **{f"{n}h": (n * HOUR, CHINA) for n in (6, 12)}, "1d": (DAY, CHINA), "3d": (3 * DAY, CHINA), "1w": (7 * DAY, MONDAY + CHINA),
    "6hutc": (6 * HOUR, 0), "12hutc": (12 * HOUR, 0), "1dutc": (DAY, 0), "3dutc": (3 * DAY, 0), "1wutc": (7 * DAY, MONDAY)}
MONTHS = ("1M", "1Mutc")
CANDLES_MAX, HISTORY_MAX = 1000, 200
FUNDING_LIMIT = "0.003"


@public("/api/v2/public/time")
def server_time(call: Call) -> Any:
    return {"serverTime": str(call.now_ms)}


@public(MARKET + "contracts")
def contracts(call: Call) -> Any:
    if call.product() != "USDT-FUTURES":
        return []
    m = call.symbol(needed=False)
    return [formats.contract(one, call.floor.contracts[k]) for k, one in enumerate(call.floor.instruments) if m in (None, k)]


@public(MARKET + "ticker")
def ticker(call: Call) -> Any:
    call.product()
    m = call.market()
    return [formats.ticker(call.floor.quote(m), formats.symbol_of(call.floor, m))]


@public(MARKET + "tickers")
def tickers(call: Call) -> Any:
    if not call.ours():
        return []
    return [formats.ticker(call.floor.quote(m), one.symbol) for m, one in enumerate(call.floor.instruments) if call.floor.markets[m].point]


@public(MARKET + "merge-depth")
def merge_depth(call: Call) -> Any:
    """Levels of one tick (scale0); coarser scales put ten, a hundred, a thousand ticks together."""
    call.product()
    m = call.market()
    limit = call.text("limit", "100").lower()
    levels = 500 if limit == "max" else call.whole("limit", 100, least=1, most=1000)
    scale = int(call.word("precision", ("scale0", "scale1", "scale2", "scale3"), "scale0")[-1])
    depth, one = call.floor.depth(m, levels * 10**scale if scale else levels), call.instrument
    step = 10**scale

    def rows(side: list[tuple[int, int]], *, up: bool) -> list[list[float]]:
        merged: dict[int, int] = {}
        for price, lots in side:
            at = -(-price // step) * step if up else price // step * step
            merged[at] = merged.get(at, 0) + lots
        return [[float(one.price(price)), float(one.quantity(lots))] for price, lots in list(merged.items())[:levels]]

    return {"asks": rows(depth.asks, up=True), "bids": rows(depth.bids, up=False), "ts": str(depth.time_ms),
            "scale": num(one.tick * step), "precision": f"scale{scale}", "isMaxPrecision": "YES" if scale == 0 else "NO"}


def span_of(call: Call) -> tuple[int, int]:
    """Length and shift of the asked bars."""
    text = call.text("granularity")
    if text in MONTHS:
        raise Refusal("40020", "granularity")  # a month has no fixed length; the venue's history is shorter than two
    if text.lower() not in GRANULARITIES or text.endswith("M"):
        raise Refusal("40020", "granularity")
    return GRANULARITIES[text.lower()]


def bars_of(call: Call, most: int, *, finished: bool) -> Any:
    call.product()
    m = call.market()
    length, shift = span_of(call)
    start, end = check_span(call)
    limit = min(call.whole("limit", 100, most=10_000) or 100, most)
    bars = call.floor.candles(m, length, offset_ms=shift % length, start=start, end=end, most=limit, finished=finished)
    return [formats.candle(bar, call.floor.instruments[m]) for bar in bars]


@public(MARKET + "candles")
def candles(call: Call) -> Any:
    call.word("kLineType", ("market", "mark", "index"), "market")
    return bars_of(call, CANDLES_MAX, finished=False)


@public(MARKET + "history-candles")
def history_candles(call: Call) -> Any:
    return bars_of(call, HISTORY_MAX, finished=True)


@public(MARKET + "history-mark-candles")
def mark_candles(call: Call) -> Any:
    """The mark price is the last price here."""
    return bars_of(call, HISTORY_MAX, finished=True)


@public(MARKET + "history-index-candles")
def index_candles(call: Call) -> Any:
    return bars_of(call, HISTORY_MAX, finished=True)


@public(MARKET + "fills")
def fills(call: Call) -> Any:
    call.product()
    m = call.market()
    limit = min(call.whole("limit", 100, least=1, most=10_000), 100)
    return [formats.public_trade(trade, call.instrument) for trade in list(call.floor.trades(m))[:-limit - 1:-1]]


@public(MARKET + "fills-history", limit=10)
def fills_history(call: Call) -> Any:
    call.product()
    m = call.market()
    found, _ = page(call, call.floor.trades(m), identity=lambda one: one.trade_id, time=lambda one: one.time_ms, most=1000, default=500,
                    days=7)
    return [formats.public_trade(trade, call.instrument) for trade in found]


@public(MARKET + "symbol-price")
def symbol_price(call: Call) -> Any:
    call.product()
    m = call.market()
    quote = call.floor.quote(m)
    return [{"symbol": formats.symbol_of(call.floor, m), "price": num(quote.last), "indexPrice": num(quote.index),
             "markPrice": num(quote.mark), "ts": str(quote.time_ms)}]


@public(MARKET + "current-fund-rate")
def current_fund_rate(call: Call) -> Any:
    if not call.ours():
        return []
    asked = call.symbol(needed=False)
    return [{"symbol": one.symbol, "fundingRate": num(call.floor.quote(m).funding_rate),
             "fundingRateInterval": str(call.floor.funding_interval_ms // HOUR), "nextUpdate": str(call.floor.next_funding_ms()),
             "minFundingRate": "-" + FUNDING_LIMIT, "maxFundingRate": FUNDING_LIMIT}
            for m, one in enumerate(call.floor.instruments) if asked in (None, m) and call.floor.markets[m].point]


@public(MARKET + "history-fund-rate")
def history_fund_rate(call: Call) -> Any:
    call.product()
    m = call.market()
    size, number = min(call.whole("pageSize", 20, least=1, most=10_000), 100), call.whole("pageNo", 1, least=1, most=10**6)
    found = call.floor.fundings(m)[(number - 1) * size:number * size]
    return [{"symbol": formats.symbol_of(call.floor, m), "fundingRate": num(unscaled(rate)), "fundingTime": str(ts)} for ts, rate in found]


@public(MARKET + "funding-time")
def funding_time(call: Call) -> Any:
    call.product()
    return [{"symbol": call.instrument.symbol, "nextFundingTime": str(call.floor.next_funding_ms()),
             "ratePeriod": str(call.floor.funding_interval_ms // HOUR)}]


@public(MARKET + "open-interest")
def open_interest(call: Call) -> Any:
    call.product()
    quote = call.floor.quote(call.market())
    return {"openInterestList": [{"symbol": call.instrument.symbol, "size": num(quote.open_interest)}], "ts": str(quote.time_ms)}


@public(MARKET + "query-position-lever", limit=10)
def tiers(call: Call) -> Any:
    call.product()
    rows, start = [], Decimal(0)
    for level, tier in enumerate(call.instrument.tiers, start=1):
        rows.append({"symbol": call.instrument.symbol, "level": str(level), "startUnit": num(start), "endUnit": num(tier.notional_max),
                     "leverage": str(tier.leverage_max), "keepMarginRate": num(tier.maintenance)})
        start = tier.notional_max
    return rows


@public(MARKET + "oi-limit", limit=10)
def oi_limit(call: Call) -> Any:
    call.product()
    return [{"symbol": one.symbol, "notionalValue": num(one.tiers[-1].notional_max), "totalNotionalValue": num(one.tiers[-1].notional_max)}
            for m, one in enumerate(call.floor.instruments) if call.symbol(needed=False) in (None, m)]


@public(MARKET + "vip-fee-rate")
def vip_fee_rate(call: Call) -> Any:
    one = call.floor.instruments[0]
    return [{"level": "1", "dealAmount": "0", "assetAmount": "0", "takerFeeRate": num(one.taker), "makerFeeRate": num(one.maker),
             "btcWithdrawAmount": "0", "usdtWithdrawAmount": "0"}]


# ---- spot and margin: what clients read while they load; nothing is traded there

@public("/api/v2/spot/public/symbols")
def spot_symbols(call: Call) -> Any:
    asked = call.text("symbol", "").upper()
    return [{"symbol": one.symbol, "baseCoin": one.symbol.removesuffix("USDT"), "quoteCoin": "USDT", "minTradeAmount": "0",
             "maxTradeAmount": "900000000000000000000", "takerFeeRate": "0.001", "makerFeeRate": "0.001", "pricePrecision": "2",
             "quantityPrecision": "6", "quotePrecision": "8", "status": "offline", "minTradeUSDT": "1", "buyLimitPriceRatio": "0.05",
             "sellLimitPriceRatio": "0.05", "areaSymbol": "no", "orderQuantity": "200", "openTime": "", "offTime": ""}
            for one in call.floor.instruments if asked in ("", one.symbol)]


@public("/api/v2/spot/public/coins", limit=3)
def spot_coins(call: Call) -> Any:
    coins = ["USDT", *(one.symbol.removesuffix("USDT") for one in call.floor.instruments)]
    asked = call.text("coin", "").upper()
    return [{"coinId": str(number), "coin": coin, "transfer": "true", "areaCoin": "no", "chains": []}
            for number, coin in enumerate(coins, start=1) if asked in ("", coin)]


@public("/api/v2/margin/currencies")
def margin_currencies(call: Call) -> Any:
    return []
