"""Finished bars from Bitget's public REST API (v2, USDT-M futures). No key is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp

from haechi.errors import BadInput

from .patience import Busy, Patience
from .timeframes import DAY, HOUR, NAMES, TIMEFRAMES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .download import Row

ADDRESS = "https://api.bitget.com"
PATH = "/api/v2/mix/market/history-candles"
PRODUCT = "USDT-FUTURES"
ANSWER_BARS = 199  # the limit is 200; whether endTime is included is not written anywhere, so there is room for one more
SPAN_MAX = 90 * DAY
REQUESTS_PER_SECOND = 10  # half of what one address may send
ANSWER_SECONDS_MAX = 30
# Without "utc" the bars from 6h on are counted from midnight in UTC+8.
GRANULARITIES = {name: name if length < HOUR else name.upper() if length < 6 * HOUR else f"{name.upper()}utc"
                 for name, length in TIMEFRAMES.items()}
UNAVAILABLE = {"429": "too many requests", "40015": "system abnormal", "40200": "server upgrade", "40725": "service error",
               "40908": "concurrent operation", "40910": "timed out", "45001": "unknown error", "70228": "too frequent"}


class Bitget:
    """A `Source` of `download`. Make one with `bitget`."""

    name = "bitget"

    def __init__(self, session: aiohttp.ClientSession, patience: Patience, address: str) -> None:
        self._session, self._patience, self._address = session, patience, address.rstrip("/")

    def bars_max(self, length_ms: int) -> int:
        return min(ANSWER_BARS, SPAN_MAX // length_ms)

    async def candles(self, symbol: str, length_ms: int, start: int, end: int) -> Sequence[Row]:
        query = {"symbol": symbol, "productType": PRODUCT, "granularity": GRANULARITIES[NAMES[length_ms]], "startTime": str(start),
                 "endTime": str(end), "limit": str(ANSWER_BARS + 1)}
        return await self._patience.ask(f"{self.name} ({self._address})", lambda: self._get(query))

    async def _get(self, query: dict[str, str]) -> list[Row]:
        try:
            async with self._session.get(self._address + PATH, params=query) as answer:
                if answer.status == 429 or answer.status >= 500:
                    raise Busy(f"HTTP {answer.status}", wait=seconds(answer.headers.get("Retry-After")))
                return rows_of(await answer.json(content_type=None))
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise Busy(f"{type(error).__name__} {error}".strip()) from None
        except ValueError:
            raise Busy("the answer is not JSON") from None


def seconds(text: str | None) -> float:
    """Of a Retry-After header; a date or nothing counts as 0, the back-off then decides alone."""
    return float(text) if text is not None and text.isdigit() else 0.0


def rows_of(content: Any) -> list[Row]:
    """Raises BadInput with Bitget's own words, Busy for what may pass or is broken."""
    if not isinstance(content, dict) or "code" not in content:
        raise Busy("the answer is not one of Bitget's")
    code = str(content["code"])
    if code in UNAVAILABLE:
        raise Busy(f"code {code}, {content.get('msg') or UNAVAILABLE[code]}")
    if code != "00000":
        raise BadInput(f"bitget refuses: {content.get('msg')} (code {code})")
    if not isinstance(content.get("data"), list):
        raise Busy("the answer has no list of bars")
    return [row_of(row) for row in content["data"]]


def row_of(row: Any) -> Row:
    """["1695835800000", "26210.5", …, base volume, quote volume] -> numbers. Text that is no number makes the whole answer a broken one."""
    if not isinstance(row, list) or len(row) < 6:
        raise Busy(f"a bar is {row!r}")
    try:
        return (int(row[0]), float(row[1]), float(row[2]), float(row[3]), float(row[4]), float(row[5]))
    except (ValueError, TypeError):
        raise Busy(f"a bar is {row!r}") from None


@asynccontextmanager
async def bitget(address: str | None = None, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
                 now: Callable[[], float] | None = None) -> AsyncIterator[Bitget]:
    """now: seconds that never jump back, by default those of the event loop."""
    patience = Patience(REQUESTS_PER_SECOND, sleep=sleep, now=now or asyncio.get_running_loop().time)
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:
        yield Bitget(session, patience, address or ADDRESS)
