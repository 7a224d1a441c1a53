"""The exchange of a run: one floor, its markets walking at random, its members; the only thing that outlives a restart of the house.

Each market has a chance of its own, so what one user's faults do moves no price of another's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

from haechi.core import layout as at
from haechi.core.instrument import Instrument
from haechi.venue.exchange import TickBar, Venue
from haechi.venue.floor import Floor
from haechi.venue.member import Member
from haechi.venue.moments import Close, Move, Open
from haechi.venue.records import PublicTrade

from .history import History
from .truth import Truth
from .virtual_loop import VirtualClock

if TYPE_CHECKING:
    from .faulty_exchange import FaultyExchange

BAR_MS, POINTS = 60_000, 4
FUNDING_RATE = 10_000
WARM_BARS = 60
STARTS = (("BTCUSDT", "0.1", "0.001", 60_000), ("ETHUSDT", "0.01", "0.01", 3_000))


class World:
    """`now` in ms of the wall. `rules` are the instruments as they are listed now."""

    def __init__(self, seed: str, clock: VirtualClock, history: History) -> None:
        self.clock, self.history = clock, history
        self.instruments = [Instrument(name, tick=Decimal(tick), lot=Decimal(lot)) for name, tick, lot, _ in STARTS]
        self.rules = {one.symbol: one for one in self.instruments}
        self.venue = Venue(self.instruments, timeframe_ms=BAR_MS)
        self.floor = Floor(self.venue, clock=clock.now_ms)
        self.chances = [Random(f"{seed}/market/{m}") for m in range(len(self.instruments))]
        self.points = [int(Decimal(price) / Decimal(tick)) for _, tick, _, price in STARTS]
        self.trend = [0.0] * len(self.points)
        self.truths: dict[str, Truth] = {}
        self.ports: dict[str, FaultyExchange] = {}
        self.after_move: list[Callable[[int], None]] = []
        self.floor.listen(self)

    @property
    def now(self) -> int:
        return self.clock.now_ms()

    def touch(self) -> None:
        """What happens now happens at this moment, not at the last price."""
        self.floor.now_ms = max(self.floor.now_ms, self.now)
        for account in self.venue.accounts.values():
            account.now_ms = self.floor.now_ms

    def join(self, name: str, deposit: Decimal) -> Member:
        self.touch()
        member = self.floor.open_member(name, deposit=deposit)
        truth = self.truths[name] = Truth(member, lambda: self.now)
        truth.tell = lambda event: self._told(name, event)
        return member

    def _told(self, name: str, event: object) -> None:
        port = self.ports.get(name)
        if port is not None:
            port.happened(event)  # type: ignore[arg-type]

    # ---- Sink (venue/floor.py)

    def member(self, member: Member, what: str, record: object) -> None:
        self.history.venue(self.now, member, what, record)
        truth = self.truths.get(member.name)
        if truth is not None:
            truth.heard(what, record)

    def market(self, m: int) -> None:
        one = self.instruments[m]
        for port in list(self.ports.values()):
            port.priced(one.symbol, one.price(self.floor.markets[m].point), self.now)

    def traded(self, trade: PublicTrade) -> None:
        """Nobody reads the tape here."""

    def barred(self, m: int, bar: TickBar) -> None:
        for port in list(self.ports.values()):
            port.barred(self.venue.told(self.instruments[m].symbol, bar))

    # ---- the walk

    def _bar(self, m: int, ts: int) -> TickBar:
        """From where the market stands; now and then a jump between two bars."""
        rng, start = self.chances[m], self.points[m]
        self.trend[m] = 0.9 * self.trend[m] + rng.gauss(0, 0.0004)
        first = start if rng.random() > 0.02 else self._step(start, rng.gauss(0, 0.004))
        steps = [first]
        for _ in range(POINTS - 1):
            steps.append(self._step(steps[-1], self.trend[m] / POINTS + rng.gauss(0, 0.0012)))
        rates = (FUNDING_RATE,) if ts % (20 * BAR_MS) == 0 else ()  # every 20 minutes, so that an hour has some
        return TickBar(ts, first, max(steps), min(steps), steps[-1], round(rng.uniform(1, 50), 3), rates)

    @staticmethod
    def _step(point: int, change: float) -> int:
        return max(100, round(point * (1 + max(min(change, 0.05), -0.05))))

    async def warm(self) -> None:
        """Bars from before the run, so that indicators have a past. Takes no time."""
        start = self.now - WARM_BARS * BAR_MS
        for k in range(WARM_BARS):
            bars = {one.symbol: self._bar(m, start + k * BAR_MS) for m, one in enumerate(self.instruments)}
            for m, one in enumerate(self.instruments):
                self.points[m] = bars[one.symbol].close
            await self.venue.closes(bars)
        self.floor.catch_up()
        for m, point in enumerate(self.points):
            await self.floor.play(Open(m, self.now, point))

    async def play(self, bars: int) -> None:
        """Bar after bar in virtual time: open, three more prices, close."""
        for _ in range(bars):
            ts = self.now // BAR_MS * BAR_MS
            made = {one.symbol: self._bar(m, ts) for m, one in enumerate(self.instruments)}
            for m, one in enumerate(self.instruments):
                await self._play(Open(m, self.now, self._here(m, made[one.symbol].open), made[one.symbol].rates))
            seen = {m: [self.points[m]] for m in range(len(self.points))}
            for part in range(1, POINTS):
                await asyncio.sleep((ts + part * BAR_MS // POINTS - self.now) / 1000)
                for m, one in enumerate(self.instruments):
                    await self._play(Move(m, self.now, self._way(m, made[one.symbol], part)))
                    seen[m].append(self.points[m])
            await asyncio.sleep((ts + BAR_MS - self.now) / 1000)
            self.touch()
            await self.floor.play(Close(ts + BAR_MS - 1, {one.symbol: self._closed(m, made[one.symbol], seen[m])
                                                         for m, one in enumerate(self.instruments)}))
            for account in self.venue.accounts.values():  # the next bar opens in this moment; after the last one it stands where it was
                account.point[:] = self.points

    def _here(self, m: int, wished: int) -> int:
        """A gap of a fault moved the market meanwhile: the bar goes on from there."""
        return wished if abs(wished - self.points[m]) < self.points[m] // 20 else self.points[m]

    def _way(self, m: int, bar: TickBar, part: int) -> int:
        rising = bar.close >= bar.open
        path = (bar.open, bar.low if rising else bar.high, bar.high if rising else bar.low, bar.close)
        return self._here(m, path[part])

    @staticmethod
    def _closed(m: int, bar: TickBar, seen: list[int]) -> TickBar:
        return TickBar(bar.ts, seen[0], max(seen), min(seen), seen[-1], bar.volume)

    async def _play(self, moment: Open | Move) -> None:
        self.touch()
        self.points[moment.m] = moment.price
        await self.floor.play(moment)
        for one in self.after_move:
            one(moment.m)

    async def jump(self, m: int, share: float) -> None:
        """The market stands elsewhere at once."""
        self.touch()
        self.points[m] = max(100, round(self.points[m] * (1 + share)))
        await self.floor.jump(m, self.points[m])

    # ---- rules

    def change_rules(self, m: int, lots: int) -> None:
        """The smallest step and the smallest value grow; 1: as they were."""
        one = self.instruments[m]
        self.rules[one.symbol] = Instrument(one.symbol, tick=one.tick, lot=one.lot * lots, min_value=one.min_value * lots)
        for account in self.venue.accounts.values():
            account.plans[m, at.MIN_NOTIONAL] = self.rules[one.symbol].min_notional
