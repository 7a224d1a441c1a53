"""Finished bars from the exchanges ccxt knows. ccxt is an extra and slow to import, so it is loaded when it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

from haechi.errors import BadInput

from .patience import Busy, Patience
from .timeframes import NAMES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .download import Row

ANSWER_BARS = 500  # the exchanges give 500 to 1,500 at most; an answer with fewer is asked for the rest
REQUESTS_PER_SECOND = 5


class Ccxt:
    """A `Source` of `download`. Make one with `ccxt_exchange`."""

    def __init__(self, name: str, exchange: Any, errors: Any, patience: Patience) -> None:
        self.name, self._exchange, self._errors, self._patience = name, exchange, errors, patience
        self._markets: Any = None

    def bars_max(self, length_ms: int) -> int:
        return ANSWER_BARS

    async def candles(self, symbol: str, length_ms: int, start: int, end: int) -> Sequence[Row]:
        timeframe = NAMES[length_ms]
        if timeframe not in (self._exchange.timeframes or {}):
            raise BadInput(f"{self.name} has no {timeframe} bars; it has {', '.join(self._exchange.timeframes or {})}")
        market = await self._market(symbol)
        count = min(ANSWER_BARS, -(-(end - start) // length_ms))
        rows = await self._ask(lambda: self._exchange.fetch_ohlcv(market, timeframe, since=start, limit=count))
        return [self._row(row) for row in rows]

    async def _market(self, symbol: str) -> str:
        """BTCUSDT -> BTC/USDT:USDT, the linear perpetual of that name."""
        if self._markets is None:
            self._markets = await self._ask(self._exchange.load_markets)
        perpetuals = {market["id"].replace("-", "").replace("_", "").upper().removesuffix("SWAP"): name
                      for name, market in self._markets.items() if market.get("swap") and market.get("linear")}
        if symbol not in perpetuals:
            near = get_close_matches(symbol, perpetuals, n=1)
            raise BadInput(f"{self.name} has no linear perpetual {symbol}" + (f"; did you mean {near[0]}?" if near else ""))
        return str(perpetuals[symbol])

    async def _ask(self, request: Callable[[], Awaitable[Any]]) -> Any:
        async def once() -> Any:
            try:
                return await request()
            except self._errors.NetworkError as error:
                raise Busy(f"{type(error).__name__} {error}") from None
            except self._errors.BaseError as error:
                raise BadInput(f"{self.name} refuses: {error}") from None
        return await self._patience.ask(self.name, once)

    def _row(self, row: Any) -> Row:
        try:
            return (int(row[0]), float(row[1]), float(row[2]), float(row[3]), float(row[4]), float(row[5]))
        except (TypeError, ValueError, IndexError):
            raise BadInput(f"{self.name} gives a bar that is none: {row!r}") from None


def loaded(load: Callable[[str], Any]) -> Any:
    try:
        return load("ccxt.async_support")
    except ImportError:
        raise BadInput("exchanges other than bitget are reached through ccxt, which is not installed; install it with: "
                       "pip install 'haechi[ccxt]'") from None


@asynccontextmanager
async def ccxt_exchange(name: str, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
                        load: Callable[[str], Any] = import_module) -> AsyncIterator[Ccxt]:
    """load: how a module is imported. Raises BadInput when ccxt is missing or does not know the exchange."""
    ccxt = loaded(load)
    if name not in ccxt.exchanges:
        near = get_close_matches(name, ccxt.exchanges, n=1)
        raise BadInput(f"{name!r} is not an exchange ccxt knows" + (f"; did you mean {near[0]}?" if near else ""))
    exchange = getattr(ccxt, name)({"enableRateLimit": True, "options": {"defaultType": "swap"}})
    try:
        yield Ccxt(name, exchange, ccxt, Patience(REQUESTS_PER_SECOND, sleep=sleep, now=asyncio.get_running_loop().time))
    finally:
        await exchange.close()
