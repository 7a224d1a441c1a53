"""WebSocket messages in Bitget's words, and the raw frame they travel in: encoded once for all who listen."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import orjson

from haechi.core.instrument import Instrument
from haechi.venue.market import Contract, Quote
from haechi.venue.records import ClosedPosition, FillRecord, OrderRecord, PlanRecord
from haechi.venue.requests import BalanceView, PositionView
from haechi.venue.wire import formats
from haechi.venue.wire.formats import COIN, average, money, num

INST = "USDT-FUTURES"
ALGO_WORDS = {"normal_plan": "pl", "track_plan": "track", "profit_plan": "tp", "loss_plan": "sl", "pos_profit": "ptp", "pos_loss": "psl",
              "moving_plan": "mtpsl"}
CHECKED = 25  # levels a side that the checksum covers
TEXT = 0x81  # a whole text frame
Level = tuple[str, str]


def framed(payload: bytes) -> bytes:
    """An unmasked text frame (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", TEXT, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", TEXT, 126, size) + payload
    return struct.pack("!BBQ", TEXT, 127, size) + payload


def push(arg: dict[str, str], data: list[Any], ts: int, action: str = "snapshot") -> bytes:
    return orjson.dumps({"action": action, "arg": arg, "data": data, "ts": ts})


def error(code: int, msg: str) -> bytes:
    return orjson.dumps({"event": "error", "code": code, "msg": msg})


def checksum(bids: list[Level], asks: list[Level]) -> int:
    """CRC32, signed, of the best levels `bidprice:bidsize:askprice:asksize:…` as they are written."""
    parts: list[str] = []
    for place in range(CHECKED):
        for side in (bids, asks):
            if place < len(side):
                parts += side[place]
    crc = zlib.crc32(":".join(parts).encode())
    return crc - (1 << 32) if crc >= 1 << 31 else crc


def ticker(quote: Quote, symbol: str) -> dict[str, Any]:
    shown = formats.ticker(quote, symbol)
    names = ("lastPr", "bidPr", "askPr", "bidSz", "askSz", "open24h", "high24h", "low24h", "change24h", "fundingRate", "markPrice",
             "indexPrice", "holdingAmount", "baseVolume", "quoteVolume", "openUtc", "symbol", "ts")
    return {"instId": symbol, **{name: shown[name] for name in names}, "nextFundingTime": str(quote.next_funding_ms), "symbolType": 1,
            "deliveryPrice": "0"}


def written(one: Instrument, listed: Contract, rows: list[tuple[int, int]]) -> list[Level]:
    """Book levels with the decimals of the contract."""
    return [(f"{one.price(price):.{listed.price_places}f}", f"{one.quantity(lots):.{listed.volume_places}f}") for price, lots in rows]


def order(record: OrderRecord, one: Instrument, fill: FillRecord | None) -> dict[str, Any]:
    """An item of `orders`; with the fill that caused it."""
    shown = formats.order(record, one)
    notional = money(record.lots * (record.price or (record.quote // record.filled if record.filled else 0)) * one.unit)
    names = ("leverage", "orderType", "tradeSide", "orderId", "clientOid", "posMode", "marginMode", "posSide", "price", "enterPointSource",
             "cancelReason", "side", "totalProfits", "marginCoin", "size", "force", "status", "cTime", "uTime", "stpMode",
             "presetStopSurplusPrice", "presetStopSurplusType", "presetStopSurplusExecutePrice", "presetStopLossPrice",
             "presetStopLossType", "presetStopLossExecutePrice", "priceAvg")
    said = {"instId": one.symbol, **{name: shown[name] for name in names}, "accBaseVolume": shown["baseVolume"], "notionalUsd": notional,
            "reduceOnly": shown["reduceOnly"].lower(), "feeDetail": [{"feeCoin": COIN, "fee": shown["fee"]}]}
    if fill is None:
        return said
    return {**said, "fillPrice": num(one.price(fill.price)), "tradeId": fill.trade_id, "baseVolume": num(one.quantity(fill.lots)),
            "fillTime": str(fill.time_ms), "fillFee": money(-fill.fee), "fillFeeCoin": COIN, "pnl": money(fill.profit),
            "fillNotionalUsd": money(fill.lots * fill.price * one.unit), "tradeScope": "M" if fill.maker else "T"}


def plan(record: PlanRecord, one: Instrument) -> dict[str, Any]:
    shown = formats.plan(record, one, None)
    names = ("orderId", "clientOid", "triggerPrice", "triggerType", "price", "executePrice", "size", "orderType", "side", "tradeSide",
             "posSide", "marginCoin", "posMode", "enterPointSource", "cTime", "uTime", "stopSurplusTriggerPrice", "stopSurplusTriggerType",
             "stopLossTriggerPrice", "stopLossTriggerType")
    return {"instId": one.symbol, **{name: shown[name] for name in names}, "planType": ALGO_WORDS[record.plan_type],
            "status": record.status, "triggerTime": str(record.triggered_ms) if record.triggered_ms else "",
            "actualSize": shown["size"] if record.status == "executed" else "0", "stpMode": record.stp,
            "stopSurplusPrice": shown["stopSurplusExecutePrice"], "stopLossPrice": shown["stopLossExecutePrice"]}


def fill(record: FillRecord, one: Instrument) -> dict[str, Any]:
    """side is the real direction, in hedge mode too."""
    shown = formats.fill(record, one)
    names = ("orderId", "tradeId", "symbol", "posMode", "price", "baseVolume", "quoteVolume", "profit", "tradeSide",
             "tradeScope", "feeDetail", "cTime")
    return {**{name: shown[name] for name in names}, "clientOid": record.client_oid, "side": formats.side_word(record.side),
            "orderType": record.kind, "uTime": shown["cTime"]}


def position(view: PositionView, one: Instrument) -> dict[str, Any]:
    shown = formats.position(view, one)
    names = ("marginCoin", "marginSize", "marginMode", "holdSide", "posMode", "total", "available", "openPriceAvg", "achievedProfits",
             "unrealizedPL", "liquidationPrice", "keepMarginRate", "cTime", "breakEvenPrice", "totalFee", "deductedFee", "markPrice",
             "uTime", "assetMode", "autoMargin")
    rate = (view.unrealised / view.margin).quantize(formats.AVERAGE_PLACES) if view.margin else view.margin
    return {"posId": view.position_id, "instId": one.symbol, **{name: shown[name] for name in names}, "frozen": shown["locked"],
            "leverage": view.leverage, "unrealizedPLR": num(rate), "marginRate": shown["marginRatio"],
            "isolatedMarginRate": shown["marginRatio"]}


def account(view: BalanceView) -> dict[str, Any]:
    shown = formats.account(view)
    return {"marginCoin": COIN, "frozen": shown["locked"], "available": shown["available"],
            "maxOpenPosAvailable": shown["crossedMaxAvailable"], "maxTransferOut": shown["maxTransferOut"],
            "equity": shown["accountEquity"], "usdtEquity": shown["usdtEquity"], "crossedRiskRate": shown["crossedRiskRate"],
            "unrealizedPL": shown["unrealizedPL"], "unionTotalMargin": "0", "unionAvailable": "0", "unionMm": "0", "assetsMode": "single"}


def equity(view: BalanceView) -> dict[str, Any]:
    return {"btcEquity": "0", "usdtEquity": num(view.equity), "unrealizedPL": num(view.unrealised), "unionTotalMargin": "0",
            "unionAvailable": "0", "unionMm": "0"}


def closed(record: ClosedPosition, one: Instrument) -> dict[str, Any]:
    shown = formats.closed(record, one)
    return {"posId": record.position_id, "instId": one.symbol, "marginCoin": COIN, "marginMode": shown["marginMode"],
            "holdSide": shown["holdSide"], "posMode": shown["posMode"], "openPriceAvg": shown["openAvgPrice"],
            "closePriceAvg": shown["closeAvgPrice"], "openSize": shown["openTotalPos"], "closeSize": shown["closeTotalPos"],
            "achievedProfits": shown["pnl"], "settleFee": shown["totalFunding"], "openFee": shown["openFee"], "closeFee": shown["closeFee"],
            "cTime": shown["cTime"], "uTime": shown["uTime"]}


def adl(record: FillRecord, one: Instrument) -> dict[str, Any]:
    return {"symbol": one.symbol, "side": formats.side_word(record.side), "status": "triggered",
            "price": average(one, record.price * record.lots, record.lots), "amount": num(one.quantity(record.lots)),
            "ts": str(record.time_ms)}
