"""The trading floor: the markets, the members and what everybody may see; the one place the wire faces talk to.

Sources give moments; `play` carries them to every account, as the back-test's engine would meet them.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from haechi.core import layout as at
from haechi.core.engine import mark_bar
from haechi.core.plan import Costs
from haechi.venue import terms
from haechi.venue.clearing import Clearing
from haechi.venue.exchange import TickBar, Venue
from haechi.venue.market import Contract, Depth, Market, Quote, contract_of
from haechi.venue.member import Member
from haechi.venue.moments import Book, Close, Moment, Move, Open
from haechi.venue.plans import follow
from haechi.venue.records import ApiKey, PublicTrade
from haechi.venue.refusal import Refusal

if TYPE_CHECKING:
    from haechi.venue.paper import Paper
    from haechi.venue.store import Place, Store

FUNDING_INTERVAL_MS = 8 * 3_600_000
FIRST_ID = 10**18  # numeric, as on the real exchange, and within int64
HISTORY_KEPT = 5000
LEVERAGE_FIRST = 10
SLIPPAGE = Decimal("0.0001")


class Sink(Protocol):
    """Hears what happens on the floor; quick, and never raises."""

    def market(self, m: int) -> None: ...

    def traded(self, trade: PublicTrade) -> None: ...

    def barred(self, m: int, bar: TickBar) -> None: ...

    def member(self, member: Member, what: str, record: object) -> None: ...


class Floor:
    """`now_ms` is the market's time. duplicate_policy: what a known client id does: reject | new | same."""

    def __init__(self, venue: Venue, *, clock: Callable[[], int], seed: int = 0, store: Store | None = None,
                 slippage: Decimal = SLIPPAGE) -> None:
        self.venue, self.clock, self.seed, self.store, self.slippage = venue, clock, seed, store, slippage
        self.instruments, self.market = venue.instruments, venue.market
        self.markets = [Market(m, one, venue.past[one.symbol], venue.timeframe_ms) for m, one in enumerate(self.instruments)]
        self.contracts: list[Contract] = [contract_of(one) for one in self.instruments]
        self.members: dict[str, Member] = {}
        self.keys: dict[str, ApiKey] = {}
        self.clearing = Clearing([0] * len(self.instruments), [0] * len(self.instruments))
        self.funding_interval_ms = FUNDING_INTERVAL_MS
        self.duplicate_policy = "reject"
        self.history_kept = HISTORY_KEPT  # records of one kind a member keeps in memory
        self.now_ms = 0
        self.playing = 0  # the market whose price is under way
        self.changed: set[str] = set()
        self.place: Place | None = None  # how far what is played has been played; its player's
        self.epoch = 0  # the newest id of before the market was exchanged for another one
        self._settling: asyncio.Future[None] | None = None
        self._sinks: list[Sink] = []
        self._next_id = FIRST_ID
        if store is not None:
            store.restore(self)
        venue.host, venue.settle = self, self.commit

    # ---- members

    def open_member(self, name: str, *, deposit: Decimal = Decimal(10_000), key: ApiKey | None = None) -> Member:
        """The member of this name, made with this deposit if there is none."""
        if name not in self.members:
            self._admit(name, Costs(slippage=self.slippage, capital=deposit))
        if key is not None:
            self.keys[key.key] = key
            self.changed.add(name)
        self.commit()
        return self.members[name]

    def open_paper(self, name: str, costs: Costs) -> Paper:
        """The port of the member of this name, made with this capital and slippage if there is none."""
        from haechi.venue.paper import Paper

        if name not in self.members:
            self._admit(name, costs)
            self.commit()
        return Paper(self.members[name])

    def close_member(self, name: str) -> None:
        """He takes his money with him; what is open is taken over where the market stands."""
        member = self.members.pop(name, None)
        self.venue.dismiss(name)
        if member is None:
            return
        self.clearing.left(member)
        self.keys = {key: one for key, one in self.keys.items() if one.member != name}
        self.changed.add(name)
        self.commit()

    def _admit(self, name: str, costs: Costs) -> None:
        fresh = name not in self.venue.accounts
        account = self.venue.admit(name, costs)
        account.point = [market.point if market.bar is not None else 0 for market in self.markets]
        account.now_ms = self.now_ms
        for market in self.markets:
            if market.point:
                mark_bar(account.machine.state, market.m, market.point)
        if fresh:
            account.plans[:, at.CROSS], account.plans[:, at.LEVERAGE] = 1, LEVERAGE_FIRST
        member = Member(name, self, account)
        self.members[name] = member
        self._hand_books(member)
        self.clearing.deposits += member.balance_now
        terms.bill(member, -1, member.balance_now, "trans_from_exchange")
        member.opening = member.bills[-1].bill_id

    def _hand_books(self, member: Member) -> None:
        member.account.takes = [market.take if market.limited else None for market in self.markets]

    def next_id(self) -> str:
        self._next_id += 1
        return str(self._next_id)

    @property
    def last_id(self) -> int:
        return self._next_id

    @last_id.setter
    def last_id(self, number: int) -> None:
        self._next_id = number

    def wall_ms(self) -> int:
        return self.clock()

    # ---- what everybody sees

    def point(self, m: int) -> int:
        """Where the market stands, ticks; Refusal before the first price."""
        price = self.markets[m].point
        if not price:
            raise Refusal("40823")
        return price

    def quote(self, m: int) -> Quote:
        self.point(m)
        return self.markets[m].quote(self.now_ms, self.next_funding_ms(), self.contracts[m])

    def next_funding_ms(self) -> int:
        return (self.now_ms // self.funding_interval_ms + 1) * self.funding_interval_ms

    def depth(self, m: int, levels: int) -> Depth:
        self.point(m)
        return self.markets[m].depth(levels, self._resting(m), self.now_ms)

    def _resting(self, m: int) -> Iterator[tuple[int, int, int]]:
        for account in self.venue.accounts.values():
            for order in account.orders[m]:
                if order.kind in ("limit", "post_only"):
                    yield order.side, order.price, order.lots

    def book_lots(self, m: int, side: int, worst: int) -> int:
        return self.markets[m].offered(side, worst)

    def trades(self, m: int) -> Sequence[PublicTrade]:
        return self.markets[m].trades

    def candles(self, m: int, timeframe_ms: int, *, offset_ms: int = 0, start: int | None = None, end: int | None = None,
                most: int = 1000, finished: bool = False) -> list[TickBar]:
        return self.markets[m].candles(timeframe_ms, offset_ms, start, end, most, finished=finished)

    def fundings(self, m: int) -> list[tuple[int, int]]:
        return list(reversed(self.markets[m].fundings))

    # ---- who listens

    def listen(self, sink: Sink) -> None:
        self._sinks.append(sink)

    def unlisten(self, sink: Sink) -> None:
        with contextlib.suppress(ValueError):
            self._sinks.remove(sink)

    def tell(self, member: Member, what: str, record: object) -> None:
        self.changed.add(member.name)
        for sink in self._sinks:
            sink.member(member, what, record)

    def tell_market(self, m: int) -> None:
        for sink in self._sinks:
            sink.market(m)

    # ---- moments

    async def play(self, moment: Moment) -> None:
        self.now_ms = max(self.now_ms, moment.ts)
        match moment:
            case Open():
                await self._open(moment)
            case Move():
                await self._move(moment)
            case Book():
                await self._book(moment)
            case Close():
                await self._close(moment)
        self.commit(place=isinstance(moment, Close))

    async def instant(self, bars: Mapping[str, TickBar]) -> None:
        """All bars of one instant at once, as the venue walks them."""
        ts = next(iter(bars.values())).ts
        self.now_ms = max(self.now_ms, ts)
        await self.venue.walks(bars)
        self.now_ms = max(self.now_ms, ts + self.venue.timeframe_ms - 1)
        for symbol, bar in bars.items():
            market = self.markets[self.market[symbol]]
            market.point = bar.close
            market.fundings.extend((ts, rate) for rate in bar.rates)
        await self._close(Close(ts + self.venue.timeframe_ms - 1, dict(bars)))
        self.commit(place=True)

    def remember(self, past: Sequence[Mapping[str, TickBar]]) -> None:
        """Bars of before: shown and learned from, met by nobody. Accounts are marked at the last of them."""
        for bars in past:
            for symbol, bar in bars.items():
                self.venue.past[symbol].add(bar)
                self.venue.last[symbol] = bar
        for account in self.venue.accounts.values():
            for symbol, bar in self.venue.last.items():
                account.closes(self.market[symbol], bar.close)
        self.catch_up()

    async def _open(self, moment: Open) -> None:
        self.playing = moment.m
        market = self.markets[moment.m]
        market.opens(moment.ts, moment.price)
        market.fundings.extend((moment.ts, rate) for rate in moment.rates)
        await self.venue.opens(moment.m, moment.ts, moment.price, moment.rates)
        self.tell_market(moment.m)

    async def _move(self, moment: Move) -> None:
        m, market = moment.m, self.markets[moment.m]
        self.playing = m
        before = market.point
        market.moves(moment.ts, moment.price, moment.volume)
        await self.venue.moves(m, moment.ts, moment.price)
        for member in self.members.values():
            if member.plan_numbers:
                follow(member, m, moment.price)
        lots = round(moment.volume / float(market.one.lot))
        if lots > 0:
            side = moment.side or (1 if moment.price >= before else -1)
            trade = PublicTrade(self.next_id(), m, moment.price, lots, side, moment.ts)
            market.trades.append(trade)
            for sink in self._sinks:
                sink.traded(trade)
        self.tell_market(m)

    async def _book(self, moment: Book) -> None:
        """Resting orders that the other side now reaches are filled as far as it goes."""
        m, market = moment.m, self.markets[moment.m]
        self.playing = m
        if not market.limited:
            market.limited = True
            for member in self.members.values():
                self._hand_books(member)
        market.book(moment)
        for account in list(self.venue.accounts.values()):
            account.now_ms = moment.ts
            for order in [one for one in account.orders[m] if one.kind in ("limit", "post_only")]:
                for _, lots in market.take(order.side, order.lots, order.price):
                    if order in account.orders[m] and not account.fill_part(m, order, lots):
                        break
            await self.venue.tell(account)
        self.tell_market(m)

    async def _close(self, moment: Close) -> None:
        for symbol in moment.bars:
            self.markets[self.market[symbol]].closes()
        await self.venue.closes(moment.bars)
        for symbol, bar in moment.bars.items():
            for sink in self._sinks:
                sink.barred(self.market[symbol], bar)

    def catch_up(self) -> None:
        """Bars were played before anybody was on the floor: stand where the last of them closed."""
        for symbol, bar in self.venue.last.items():
            self.markets[self.market[symbol]].point = bar.close
            self.now_ms = max(self.now_ms, bar.ts + self.venue.timeframe_ms - 1)

    def halt(self, *, on: bool) -> None:
        """While nobody knows where the real market stands, no order is taken here, as in an exchange's maintenance."""
        self.venue.halted = on
        for m, contract in enumerate(self.contracts):
            if contract.status in ("normal", "maintain"):
                contract.status = "maintain" if on else "normal"
            self.tell_market(m)

    async def jump(self, m: int, price: int) -> None:
        """A gap: the market stands at `price` at once, and what rests between is filled there."""
        self.playing = m
        self.markets[m].moves(self.now_ms, price, 0.0)
        await self.venue.opens(m, self.now_ms, price)
        self.tell_market(m)
        self.commit()

    # ---- memory

    def commit(self, *, place: bool = False) -> None:
        """Write what changed since the last time, in one transaction. place: also when only the market went on."""
        if self.store is not None and (self.changed or place):
            self.store.write(self, self.changed)
        self.changed.clear()

    async def settled(self) -> None:
        """Returns when what has happened is on disk. Who waits at the same time shares one transaction. Raises sqlite3.Error."""
        if self.store is None:
            return
        if self._settling is None:
            loop = asyncio.get_running_loop()
            self._settling = loop.create_future()
            loop.call_soon(self._settle)
        await asyncio.shield(self._settling)

    def _settle(self) -> None:
        waiting, self._settling = self._settling, None
        if waiting is None:
            return
        try:
            self.commit()
        except sqlite3.Error as fault:
            waiting.set_exception(fault)
        else:
            waiting.set_result(None)
