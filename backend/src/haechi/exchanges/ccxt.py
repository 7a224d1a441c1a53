"""Other exchanges through ccxt, as far as it can be done without our own evidence: public data, balance, positions, and the order request
that would be sent, to look at. Orders are not sent: ccxt raises where an outcome is needed. ccxt is an extra and slow to import, so it is
loaded when it is asked for.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import msgspec

from haechi.core.instrument import Instrument
from haechi.core.units import UnitError
from haechi.errors import BadInput
from haechi.exchanges.errors import Refused, Unreachable
from haechi.exchanges.port import Balance, Bar, NewOrder, Position

ANSWER_SECONDS_MAX = 20
TIMEFRAMES = {60_000: "1m", 300_000: "5m", 900_000: "15m", 3_600_000: "1h", 14_400_000: "4h", 86_400_000: "1d"}
KINDS = {"market": "market", "limit": "limit", "post_only": "limit", "stop": "market", "stop_limit": "limit"}


class OrderShape(msgspec.Struct, frozen=True):
    """The request that an order would be: never sent from here. body: as ccxt signs it."""

    method: str
    url: str
    body: str


class CcxtExchange:
    """One exchange of ccxt, linear perpetuals only. Reads raise Unreachable or Refused."""

    def __init__(self, name: str, client: Any, errors: Any, *, timeframe_ms: int) -> None:
        if timeframe_ms not in TIMEFRAMES:
            raise BadInput(f"bars of {timeframe_ms} ms are not read through ccxt; use one of {', '.join(TIMEFRAMES.values())}")
        self.name, self.client, self.errors, self.timeframe_ms = name, client, errors, timeframe_ms
        self.names: dict[str, str] = {}  # BTCUSDT -> BTC/USDT:USDT

    async def markets(self) -> list[Instrument]:
        """The linear USDT perpetuals whose steps fit the house's arithmetic."""
        listed = await self._ask(self.client.load_markets)
        self.names = {symbol_of(one): str(name) for name, one in listed.items() if is_ours(one)}
        found = [instrument(symbol, listed[name]) for symbol, name in self.names.items()]
        return [one for one in found if one is not None]

    async def bars(self, symbol: str, most: int) -> list[Bar]:
        """The last closed bars, oldest first. The newest row is left out: it is not closed yet."""
        name = await self._name(symbol)
        rows = await self._ask(lambda: self.client.fetch_ohlcv(name, TIMEFRAMES[self.timeframe_ms], limit=most + 1))
        return [bar(row, symbol, self.timeframe_ms) for row in rows][:-1][-most:] if most > 0 else []

    async def balance(self) -> Balance:
        """USDT of the futures wallet. ccxt tells equity and free money; without positions they make the wallet too."""
        told = await self._ask(lambda: self.client.fetch_balance({"type": "swap"}))
        total, free = money(told, "total"), money(told, "free")
        profits = [one.get("unrealizedPnl") for one in await self._ask(self.client.fetch_positions)]
        open_profit = sum((exact(one) for one in profits if one is not None), Decimal(0))
        return Balance(total - open_profit, total, free)

    async def positions(self) -> list[Position]:
        await self._name("")
        listed = {name: symbol for symbol, name in self.names.items()}
        found = []
        for one in await self._ask(self.client.fetch_positions):
            quantity = exact(one.get("contracts") or 0) * exact(one.get("contractSize") or 1)
            if quantity and one.get("symbol") in listed:
                stop = one.get("liquidationPrice")
                found.append(Position(listed[one["symbol"]], quantity if one.get("side") == "long" else -quantity,
                                      exact(one["entryPrice"]), exact(stop) if stop else None))
        return found

    async def shape(self, order: NewOrder) -> OrderShape:
        """The request ccxt would send for this order, stopped before it leaves. What it reads first is read."""
        name = await self._name(order.symbol)
        params: dict[str, Any] = {"clientOrderId": order.client_id, "reduceOnly": order.reduce_only}
        if order.kind == "post_only":
            params["postOnly"] = True
        if order.trigger is not None:
            params["stopLossPrice" if order.reduce_only else "triggerPrice"] = str(order.trigger)
        caught: list[OrderShape] = []

        async def stopped(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
            if method == "GET":
                return await kept(url, method, headers, body)
            caught.append(OrderShape(method, url, body if isinstance(body, str) else json.dumps(body, default=str)))
            raise Caught

        kept, self.client.fetch = self.client.fetch, stopped
        try:
            await self.client.create_order(name, KINDS[order.kind], order.side, str(order.quantity),
                                           str(order.price) if order.price is not None else None, params)
        except Caught:
            return caught[-1]
        except self.errors.BaseError as error:
            raise Refused(f"{self.name} has no request for {order.kind}: {error}") from None
        finally:
            self.client.fetch = kept
        raise Refused(f"{self.name} made no request for {order.kind}")

    async def _name(self, symbol: str) -> str:
        if not self.names:
            await self.markets()
        if symbol and symbol not in self.names:
            near = get_close_matches(symbol, self.names, n=1)
            raise BadInput(f"{self.name} has no linear perpetual {symbol}" + (f"; did you mean {near[0]}?" if near else ""))
        return self.names.get(symbol, "")

    async def _ask(self, request: Callable[[], Awaitable[Any]]) -> Any:
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                return await request()
        except (self.errors.NetworkError, TimeoutError) as error:
            raise Unreachable(f"{self.name} does not answer: {type(error).__name__} {error}"[:300]) from None
        except self.errors.BaseError as error:
            raise Refused(f"{self.name} refuses: {type(error).__name__} {error}"[:300]) from None


class Caught(Exception):
    """The request was made and is not sent."""


def is_ours(one: Mapping[str, Any]) -> bool:
    return bool(one.get("swap") and one.get("linear") and one.get("settle") == "USDT" and one.get("active") is not False)


def symbol_of(one: Mapping[str, Any]) -> str:
    return f"{one['base']}{one['quote']}"


def exact(given: Any) -> Decimal:
    """ccxt gives floats where it can; their shortest text is the number the exchange wrote."""
    try:
        value = Decimal(str(given))
    except InvalidOperation:
        raise Unreachable(f"a number was expected, found {given!r:.40}") from None
    if not value.is_finite():
        raise Unreachable(f"a number was expected, found {given!r:.40}")
    return value


def money(told: Mapping[str, Any], part: str) -> Decimal:
    """A balance that is not told is absent, not zero."""
    found = told.get(part)
    given = found.get("USDT") if isinstance(found, dict) else None
    if given is None:
        raise Unreachable(f"the answer has no {part} USDT")
    return exact(given)


def bar(row: Any, symbol: str, timeframe_ms: int) -> Bar:
    ts, opened, high, low, closed, volume = row[:6]
    return Bar(symbol, timeframe_ms, int(ts), exact(opened), exact(high), exact(low), exact(closed),
               msgspec.convert(exact(volume), float, strict=False))


def instrument(symbol: str, one: Mapping[str, Any]) -> Instrument | None:
    """None where the exchange's steps cannot be kept exactly. Sizes in base coin: contracts times their size."""
    size = exact(one.get("contractSize") or 1)
    steps = one.get("precision") or {}
    smallest = ((one.get("limits") or {}).get("amount") or {}).get("min")
    cost = ((one.get("limits") or {}).get("cost") or {}).get("min")
    try:
        return Instrument(symbol, tick=exact(steps["price"]).normalize(), lot=(exact(steps["amount"]) * size).normalize(),
                          min_quantity=exact(smallest or 0) * size, min_value=exact(cost or 0), maker=exact(one["maker"]),
                          taker=exact(one["taker"]))
    except (UnitError, KeyError, Unreachable):
        return None


def loaded(load: Callable[[str], Any]) -> Any:
    try:
        return load("ccxt.async_support")
    except ImportError:
        raise BadInput("exchanges other than bitget are reached through ccxt, which is not installed; install it with: "
                       "pip install 'haechi[ccxt]'") from None


@asynccontextmanager
async def ccxt_exchange(name: str, *, timeframe_ms: int, key: str = "", secret: str = "", passphrase: str = "",
                        load: Callable[[str], Any] = import_module) -> AsyncIterator[CcxtExchange]:
    """name: binance, bybit, okx, … as ccxt spells it. load: how a module is imported. Raises BadInput when ccxt is missing or does not
    know the exchange."""
    ccxt = loaded(load)
    if name not in ccxt.exchanges:
        near = get_close_matches(name, ccxt.exchanges, n=1)
        raise BadInput(f"{name!r} is not an exchange ccxt knows" + (f"; did you mean {near[0]}?" if near else ""))
    client = getattr(ccxt, name)({"apiKey": key, "secret": secret, "password": passphrase, "enableRateLimit": True,
                                  "options": {"defaultType": "swap"}})
    try:
        yield CcxtExchange(name, client, ccxt, timeframe_ms=timeframe_ms)
    finally:
        await client.close()
