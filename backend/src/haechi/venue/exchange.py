"""The simulated exchange: markets play their bars, accounts meet the prices, listeners hear what happened and may act at once.

A bar is walked open → low → high → close when it rises, open → high → low → close when it falls. After everything that happens
the account's listeners are told, and act, before the price moves on: as if the wire took no time. Orders that come between
two bars meet the next price, the open of the next bar. Bars are told to all accounts at the same time, so that what their listeners
write down can be written together; a listener that fails is logged and stops nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import structlog

from haechi.core.engine import begin_bar
from haechi.core.instrument import Instrument
from haechi.core.matching import path
from haechi.core.plan import Costs
from haechi.core.walk import refresh_cross
from haechi.errors import NotFound
from haechi.exchanges.port import Bar, Event, Listener, Price
from haechi.venue.account import Account
from haechi.venue.past import Past, TickBar

if TYPE_CHECKING:
    from haechi.venue.paper import Paper

__all__ = ["Ear", "Host", "TickBar", "Venue"]

log = structlog.get_logger(__name__)
Before = Callable[[str, int, int, int], Awaitable[list[Bar]]]  # symbol, how many bars of which length, before which time


@dataclass(frozen=True)
class Ear:
    """A listener of one symbol; prices: it wants to hear these too."""

    listener: Listener
    prices: bool


class Host(Protocol):
    """What makes members of accounts (floor.py)."""

    def open_paper(self, name: str, costs: Costs) -> Paper: ...

    def close_member(self, name: str) -> None: ...


class Venue:
    """All markets and accounts of one simulated exchange."""

    def __init__(self, instruments: Sequence[Instrument], *, timeframe_ms: int) -> None:
        self.instruments = list(instruments)
        self.market = {one.symbol: m for m, one in enumerate(instruments)}
        self.timeframe_ms = timeframe_ms
        self.accounts: dict[str, Account] = {}
        self.ears: dict[str, dict[str, list[Ear]]] = {}  # of each account, by symbol
        self.last: dict[str, TickBar] = {}
        self.past = {one.symbol: Past(timeframe_ms) for one in instruments}
        self.candles = {symbol: past.bars for symbol, past in self.past.items()}
        self.before: Before | None = None  # where there is more of the past: the market that is carried here
        self.bars_played = 0
        self.halted = False  # nobody knows where the markets stand: no order is taken
        self.settle: Callable[[], None] = lambda: None  # writes down what has happened; called before it is told
        self.host: Host | None = None  # the floor, which makes members of accounts

    def open_account(self, name: str, costs: Costs) -> Paper:
        """The port of the member of this name, made if there is none. Needs a floor."""
        if self.host is None:
            raise RuntimeError("this venue has no floor: accounts can be admitted, but have no port")
        return self.host.open_paper(name, costs)

    def admit(self, name: str, costs: Costs) -> Account:
        """The account of this name, made if there is none."""
        if name not in self.accounts:
            account = Account(name, self.instruments, costs)
            for symbol, bar in self.last.items():
                account.closes(self.market[symbol], bar.close)
            self.accounts[name], self.ears[name] = account, {}
        return self.accounts[name]

    def close_account(self, name: str) -> None:
        if self.host is not None:
            self.host.close_member(name)
        else:
            self.dismiss(name)

    def dismiss(self, name: str) -> None:
        self.accounts.pop(name, None)
        self.ears.pop(name, None)

    def index(self, symbol: str) -> int:
        if symbol not in self.market:
            raise NotFound(f"the venue has no market {symbol!r}; it has {', '.join(self.market)}")
        return self.market[symbol]

    async def instant(self, bars: Mapping[str, TickBar]) -> None:
        """All bars of one instant at once: every account walks its markets, then all closes are marked and told."""
        await self.walks(bars)
        await self.closes(bars)

    async def walks(self, bars: Mapping[str, TickBar]) -> None:
        """Accounts do not meet each other: they walk at the same time, so that what their listeners write is written together."""
        names = [name for name, account in self.accounts.items()
                 if not account.idle or any(self._watched(name, symbol) for symbol in self.ears[name])]
        await asyncio.gather(*(self._walk_account(name, bars) for name in names))

    async def _walk_account(self, name: str, bars: Mapping[str, TickBar]) -> None:
        """One market after the other. Asked again at each: what happened at one may concern the next, or have closed the account."""
        for symbol, bar in bars.items():
            if name in self.accounts and self._concerned(name, symbol):
                await self._walk(self.accounts[name], self.market[symbol], bar)

    def _concerned(self, name: str, symbol: str) -> bool:
        """Whether this bar can do anything to the account, or somebody watches the price on it."""
        return self.accounts[name].involved(self.market[symbol]) or self._watched(name, symbol)

    def _watched(self, name: str, symbol: str) -> bool:
        return any(ear.prices for ear in self._listening(name, symbol))

    def _listening(self, name: str, symbol: str) -> list[Ear]:
        """Nobody: it may have been closed meanwhile by what it was told."""
        return self.ears.get(name, {}).get(symbol, [])

    async def _walk(self, account: Account, m: int, bar: TickBar) -> None:
        await self._open(account, m, bar.ts, bar.open, bar.rates)
        points = path(bar.open, bar.high, bar.low, bar.close)
        for part, point in enumerate(points[1:], start=1):
            account.now_ms = bar.ts + part * (self.timeframe_ms - 1) // 4
            await self._go(account, m, point)
        account.point[m] = 0

    # ---- a bar in steps, for all accounts together

    async def opens(self, m: int, ts: int, price: int, rates: Sequence[int] = ()) -> None:
        """A bar opens: funding, then a gap to its first price."""
        for account in list(self.accounts.values()):
            await self._open(account, m, ts, price, rates)

    async def moves(self, m: int, ts: int, price: int) -> None:
        """The price goes on a straight line to `price`."""
        symbol = self.instruments[m].symbol
        for name, account in list(self.accounts.items()):
            account.now_ms = ts
            if self._concerned(name, symbol):
                await self._go(account, m, price)
            else:
                account.point[m] = price
                await self.tell(account)

    async def closes(self, bars: Mapping[str, TickBar]) -> None:
        """The bars of this instant are over: marked, kept and told."""
        for symbol, bar in bars.items():
            self.last[symbol] = bar
            self.past[symbol].add(bar)
        places = [self.market[symbol] for symbol in bars]
        prices = [bar.close for bar in bars.values()]
        for account in self.accounts.values():
            account.close_all(places, prices)
        self.bars_played += 1
        await self._tell_bars([self.told(symbol, bar) for symbol, bar in bars.items()])

    async def _open(self, account: Account, m: int, ts: int, price: int, rates: Sequence[int]) -> None:
        begin_bar(account.machine.state, m, self.bars_played)
        account.now_ms = ts
        for rate in rates:
            account.fund(m, price, rate)
        refresh_cross(account.machine.state, account.plans, m)
        account.opens(m, price)
        await self.tell(account)
        while account.meet_at_open(m):
            await self.tell(account)
        await self._price(account, m)

    async def _go(self, account: Account, m: int, price: int) -> None:
        while account.meet_on_way(m, price):
            await self.tell(account)
            await self._price(account, m)
        await self._price(account, m)

    async def _price(self, account: Account, m: int) -> None:
        one = self.instruments[m]
        if self._watched(account.name, one.symbol):
            account.events.append(Price(one.symbol, one.price(account.point[m]), account.now_ms))
        await self.tell(account)

    async def tell(self, account: Account) -> None:
        """Until nothing is left to be told: what listeners do may make new events."""
        while account.events:
            self.settle()
            await self._hear(account.name, account.events.popleft())

    async def _hear(self, name: str, event: Event) -> None:
        account = self.accounts.get(name)
        for ear in list(self._listening(name, event.symbol)):
            if ear.prices or not isinstance(event, Price):
                before = account is not None and account.told
                if account is not None:
                    account.told = True
                try:
                    await ear.listener.hear(event)
                except Exception:
                    log.exception("listener_failed", account=name, symbol=event.symbol)
                finally:
                    if account is not None:
                        account.told = before

    async def looked_back(self, symbol: str, most: int, length_ms: int) -> list[Bar]:
        """As the port's `bars`."""
        past = self.past[symbol]
        if self.before is not None and most > 1 and past.bars and past.reach(length_ms) < most:
            return await self.before(symbol, most, length_ms, past.bars[-1].ts + self.timeframe_ms)
        return [self.told(symbol, bar, length) for length, bar in past.joined(length_ms, most)]

    def told(self, symbol: str, bar: TickBar, length_ms: int = 0) -> Bar:
        """A bar in prices. length_ms: another than the market's."""
        one = self.instruments[self.market[symbol]]
        return Bar(symbol, length_ms or self.timeframe_ms, bar.ts, one.price(bar.open), one.price(bar.high), one.price(bar.low),
                   one.price(bar.close), bar.volume)

    async def _tell_bars(self, bars: Sequence[Bar]) -> None:
        """Every account at the same time; one account's listeners in order."""
        names = [name for name, ears in self.ears.items() if any(ears.values())]
        if not names:
            return
        self.settle()
        await asyncio.gather(*(self._tell_account(name, bars) for name in names))

    async def _tell_account(self, name: str, bars: Sequence[Bar]) -> None:
        for bar in [bar for bar in bars if self._listening(name, bar.symbol)]:
            await self._hear(name, bar)
            if name in self.accounts:
                await self.tell(self.accounts[name])
