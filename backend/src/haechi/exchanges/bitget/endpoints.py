"""The requests this adapter makes, with Bitget's limits: calls per second, per key where the request is signed, else per address."""

from __future__ import annotations

import msgspec


class Endpoint(msgspec.Struct, frozen=True):
    """writes: it changes something, so an answer that is lost leaves open whether it happened."""

    method: str
    path: str
    per_second: int
    signed: bool = True
    writes: bool = False


def _public(path: str, per_second: int = 20) -> Endpoint:
    return Endpoint("GET", path, per_second, signed=False)


def _read(path: str, per_second: int = 10) -> Endpoint:
    return Endpoint("GET", path, per_second)


def _write(path: str, per_second: int = 10) -> Endpoint:
    return Endpoint("POST", path, per_second, writes=True)


TIME = _public("/api/v2/public/time")
CONTRACTS = _public("/api/v2/mix/market/contracts")
TIERS = _public("/api/v2/mix/market/query-position-lever", 10)
CANDLES = _public("/api/v2/mix/market/candles")
HISTORY_CANDLES = _public("/api/v2/mix/market/history-candles")
SYMBOL_PRICE = _public("/api/v2/mix/market/symbol-price")

UNIFIED_SETTINGS = _read("/api/v3/account/settings")
KEY_INFO = _read("/api/v2/spot/account/info", 1)
ACCOUNT = _read("/api/v2/mix/account/account")
ACCOUNTS = _read("/api/v2/mix/account/accounts")
BILLS = _read("/api/v2/mix/account/bill")
POSITIONS = _read("/api/v2/mix/position/all-position", 5)
ORDER = _read("/api/v2/mix/order/detail")
OPEN_ORDERS = _read("/api/v2/mix/order/orders-pending")
ORDER_HISTORY = _read("/api/v2/mix/order/orders-history")
FILLS = _read("/api/v2/mix/order/fills")
OPEN_PLANS = _read("/api/v2/mix/order/orders-plan-pending")
PLAN_HISTORY = _read("/api/v2/mix/order/orders-plan-history")

SET_LEVERAGE = _write("/api/v2/mix/account/set-leverage", 5)
SET_MARGIN_MODE = _write("/api/v2/mix/account/set-margin-mode", 5)
SET_POSITION_MODE = _write("/api/v2/mix/account/set-position-mode", 5)
PLACE_ORDER = _write("/api/v2/mix/order/place-order")
MODIFY_ORDER = _write("/api/v2/mix/order/modify-order")
CANCEL_ORDER = _write("/api/v2/mix/order/cancel-order")
PLACE_PLAN = _write("/api/v2/mix/order/place-plan-order")
PLACE_TPSL = _write("/api/v2/mix/order/place-tpsl-order")
MODIFY_PLAN = _write("/api/v2/mix/order/modify-plan-order")
MODIFY_TPSL = _write("/api/v2/mix/order/modify-tpsl-order")
CANCEL_PLAN = _write("/api/v2/mix/order/cancel-plan-order")
