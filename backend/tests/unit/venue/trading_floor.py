"""A floor with two markets whose price the test moves, and a member on it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from haechi.core.instrument import Instrument, Tier
from haechi.venue.exchange import TickBar, Venue
from haechi.venue.floor import Floor
from haechi.venue.moments import Close, Move, Open
from haechi.venue.store import Store

MINUTE = 60_000
TIERS = (Tier(notional_max=Decimal(150_000), maintenance=Decimal("0.004"), leverage_max=125),
         Tier(notional_max=Decimal(900_000), maintenance=Decimal("0.005"), leverage_max=100),
         Tier(notional_max=Decimal(100_000_000), maintenance=Decimal("0.01"), leverage_max=50))
BTC = Instrument("BTCUSDT", tiers=TIERS)  # tick 0.1, lot 0.001
ETH = Instrument("ETHUSDT", tick=Decimal("0.01"), lot=Decimal("0.01"), tiers=TIERS)


class Played:
    """`floor` and the hand that moves its market, one second a move."""

    def __init__(self, state: Path | None = None, slippage: str = "0") -> None:
        self.store = Store(state) if state is not None else None
        self.floor = Floor(Venue([BTC, ETH], timeframe_ms=MINUTE), clock=lambda: 1_700_000_000_000, store=self.store,
                           slippage=Decimal(slippage))
        self.ts = 1_700_000_000_000 // MINUTE * MINUTE

    async def open(self, price: int, m: int = 0, rates: tuple[int, ...] = ()) -> None:
        await self.floor.play(Open(m, self.ts, price, rates))

    async def move(self, *prices: int, m: int = 0, volume: float = 0.0) -> None:
        for price in prices:
            self.ts += 1000
            await self.floor.play(Move(m, self.ts, price, volume))

    async def close(self, m: int = 0) -> None:
        bar = self.floor.markets[m].bar
        assert bar is not None
        self.ts = bar.ts + MINUTE - 1
        await self.floor.play(Close(self.ts, {self.floor.instruments[m].symbol: TickBar(*bar[:6])}))
        self.ts += 1


async def trading(state: Path | None = None, *, price: int = 600_000, slippage: str = "0") -> Played:
    played = Played(state, slippage)
    await played.open(price)
    await played.open(300_000, m=1)
    return played
