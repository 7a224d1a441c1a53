"""One account at an exchange, whichever it is: the port, what it told, and a hand that moves the market."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from bitget_bench import Bench, HandTime, Heard, bench
from trading_floor import Played, trading

from haechi.exchanges.port import Accepted, Exchange, Fill, NewOrder, Outcome, Position
from haechi.venue.paper import Paper

PATIENCE_S = 3
FLOW_MS = 5
QUICK_MS = 250  # what only a timer brings


class Exchanged:
    """`port` is what is tried. `told` waits until what the exchange did has arrived."""

    def __init__(self, port: Exchange, played: Played, *, wire: Bench | None = None) -> None:
        self.port, self.played, self.wire = port, played, wire
        self.heard = Heard()
        self.flow_ms = FLOW_MS
        self._number = 0

    async def order(self, side: str = "buy", quantity: str = "0.01", kind: str = "market", *, price: str | None = None,
                    trigger: str | None = None, reduce_only: bool = False, symbol: str = "BTCUSDT", client_id: str = "") -> tuple[str, Outcome]:
        self._number += 1
        name = client_id or f"c-{self._number}"
        made = NewOrder(name, symbol, side, Decimal(quantity), kind, Decimal(price) if price else None, Decimal(trigger) if trigger else None,
                        reduce_only)
        return name, await self.port.place(made)

    async def done(self, *given: Any, **named: Any) -> str:
        """An order that must be accepted; its client id."""
        name, outcome = await self.order(*given, **named)
        assert isinstance(outcome, Accepted), outcome
        return name

    async def move(self, *prices: str, symbol: int = 0) -> None:
        tick = self.played.floor.instruments[symbol].tick
        for price in prices:
            await self.played.move(int(Decimal(price) / tick), m=symbol)

    async def gap(self, price: str) -> None:
        await self.played.floor.jump(0, int(Decimal(price) / self.played.floor.instruments[0].tick))

    async def until(self, holds: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
        """Let messages travel until it holds; they are on this machine, no time is waited for."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await self.pump()
                found = holds()
                if await found if asyncio.iscoroutine(found) else found:
                    return
                await asyncio.sleep(0)

    async def pump(self) -> None:
        """In this process the venue tells with the next price; here it is asked to tell now."""
        if isinstance(self.port, Paper):
            await self.played.floor.venue.tell(self.port.account)

    async def fills(self, count: int, client_id: str = "") -> list[Fill]:
        def there() -> list[Fill]:
            return [one for one in self.heard.of(Fill) if client_id in ("", one.client_id)]

        await self.until(lambda: len(there()) >= count)
        return there()

    async def event(self, kind: type) -> Any:
        await self.in_time(lambda: bool(self.heard.of(kind)))
        return self.heard.of(kind)[-1]

    async def in_time(self, holds: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
        """As `until`, while minutes go by."""
        self.flow_ms = QUICK_MS
        try:
            await self.until(holds)
        finally:
            self.flow_ms = FLOW_MS

    async def quiet(self) -> None:
        """Everything that is on its way has arrived: a round trip later than all of it."""
        await self.port.positions()
        await self.pump()
        for _ in range(200):
            await asyncio.sleep(0)

    async def position(self, symbol: str = "BTCUSDT") -> Position | None:
        return next((one for one in await self.port.positions() if one.symbol == symbol), None)

    async def quantity(self) -> Decimal:
        held = await self.position()
        return held.quantity if held else Decimal(0)

    async def open_ids(self) -> list[str]:
        return sorted(one.order.client_id for one in await self.port.open_orders())


@asynccontextmanager
async def on_paper() -> AsyncIterator[Exchanged]:
    played = await trading()
    member = played.floor.open_member("m")
    at = Exchanged(Paper(member), played)
    at.port.listen(at.heard, symbol="BTCUSDT", prices=False)
    yield at


@asynccontextmanager
async def over_the_wire(**given: Any) -> AsyncIterator[Exchanged]:
    async with bench(by_hand=True, **given) as there:
        await there.bitget.start()
        at = Exchanged(there.bitget, there.played, wire=there)
        at.port.listen(at.heard, symbol="BTCUSDT", prices=False)
        assert there.time is not None
        flow = asyncio.create_task(flowing(at, there.time))
        try:
            await at.until(lambda: there.bitget.private.ready and there.bitget.public.ready)
            yield at
        finally:
            flow.cancel()
            await asyncio.gather(flow, return_exceptions=True)


async def flowing(at: Exchanged, time: HandTime) -> None:
    """Both clocks go on while messages travel: who waits for his turn gets it."""
    while True:
        await time.go(at.flow_ms)
