"""The simulated exchange: markets play their bars, accounts meet the prices, listeners hear what happened and may act at once.

A bar is walked open → low → high → close when it rises, open → high → low → close when it falls. After everything that happens
the account's listeners are told, and act, before the price moves on: as if the wire took no time. Orders that come between
two bars meet the next price, the open of the next bar.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from haechi.core import layout as at
from haechi.core.engine import begin_bar
from haechi.core.instrument import Instrument
from haechi.core.matching import Order, path
from haechi.core.plan import Costs
from haechi.core.walk import refresh_cross
from haechi.errors import NotFound
from haechi.exchanges.port import (
    Accepted,
    Balance,
    Bar,
    Event,
    Listener,
    NewOrder,
    OpenOrder,
    Outcome,
    Position,
    Price,
    Rejected,
)
from haechi.venue.account import Account

CANDLES_KEPT = 5000
SIDES = {"buy": 1, "sell": -1}
KINDS_LIMITED = ("limit", "post_only", "stop_limit")
KINDS_TRIGGERED = ("stop", "stop_limit")
KINDS = ("market", *KINDS_LIMITED, "stop")


class TickBar(NamedTuple):
    """A bar in ticks; `rates` are the funding rates (1e-8) settled before it."""

    ts: int
    open: int
    high: int
    low: int
    close: int
    volume: float
    rates: tuple[int, ...] = ()


@dataclass(frozen=True)
class Ear:
    """A listener and what it wants to hear."""

    listener: Listener
    symbol: str
    prices: bool


class Venue:
    """All markets and accounts of one simulated exchange."""

    def __init__(self, instruments: Sequence[Instrument], *, timeframe_ms: int) -> None:
        self.instruments = list(instruments)
        self.market = {one.symbol: m for m, one in enumerate(instruments)}
        self.timeframe_ms = timeframe_ms
        self.accounts: dict[str, Account] = {}
        self.ears: dict[str, list[Ear]] = {}
        self.last: dict[str, TickBar] = {}
        self.candles: dict[str, deque[TickBar]] = {one.symbol: deque(maxlen=CANDLES_KEPT) for one in instruments}
        self.bars_played = 0
        self.halted = False  # nobody knows where the markets stand: no order is taken

    def open_account(self, name: str, costs: Costs) -> Paper:
        """The account of this name, made if there is none."""
        if name not in self.accounts:
            account = Account(name, self.instruments, costs)
            for symbol, bar in self.last.items():
                account.closes(self.market[symbol], bar.close)
            self.accounts[name], self.ears[name] = account, []
        return Paper(self, self.accounts[name])

    def close_account(self, name: str) -> None:
        self.accounts.pop(name, None)
        self.ears.pop(name, None)

    def index(self, symbol: str) -> int:
        if symbol not in self.market:
            raise NotFound(f"the venue has no market {symbol!r}; it has {', '.join(self.market)}")
        return self.market[symbol]

    async def instant(self, bars: Mapping[str, TickBar]) -> None:
        """All bars of one instant at once: every account walks its markets, then all closes are marked and told."""
        for name in list(self.accounts):
            for symbol, bar in bars.items():
                if name in self.accounts and self._concerned(name, symbol):
                    await self._walk(self.accounts[name], self.market[symbol], bar)
        await self.closes(bars)

    def _concerned(self, name: str, symbol: str) -> bool:
        """Whether this bar can do anything to the account, or somebody watches the price on it."""
        watched = any(ear.prices and ear.symbol == symbol for ear in self.ears[name])
        return watched or self.accounts[name].involved(self.market[symbol])

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
            self.candles[symbol].append(bar)
            for account in self.accounts.values():
                account.closes(self.market[symbol], bar.close)
        self.bars_played += 1
        for symbol, bar in bars.items():
            await self._tell_bar(symbol, bar)

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
        if not any(ear.prices for ear in self.ears.get(account.name, ())):  # none: closed meanwhile by what it was told
            return
        one = self.instruments[m]
        account.events.append(Price(one.symbol, one.price(account.point[m]), account.now_ms))
        await self.tell(account)

    async def tell(self, account: Account) -> None:
        """Until nothing is left to be told: what listeners do may make new events."""
        while account.events:
            await self._hear(account.name, account.events.popleft())

    async def _hear(self, name: str, event: Event) -> None:
        account = self.accounts.get(name)
        for ear in list(self.ears.get(name, ())):
            if ear.symbol == event.symbol and (ear.prices or not isinstance(event, Price)):
                before = account is not None and account.told
                if account is not None:
                    account.told = True
                try:
                    await ear.listener.hear(event)
                finally:
                    if account is not None:
                        account.told = before

    def told(self, symbol: str, bar: TickBar) -> Bar:
        """A bar in prices."""
        one = self.instruments[self.market[symbol]]
        return Bar(symbol, self.timeframe_ms, bar.ts, one.price(bar.open), one.price(bar.high), one.price(bar.low), one.price(bar.close),
                   bar.volume)

    async def _tell_bar(self, symbol: str, bar: TickBar) -> None:
        if not any(self.ears.values()):
            return
        told = self.told(symbol, bar)
        for name in list(self.ears):
            await self._hear(name, told)
            if name in self.accounts:
                await self.tell(self.accounts[name])


@dataclass(frozen=True)
class Paper:
    """The port (exchanges/port.py) of one account in this process."""

    venue: Venue
    account: Account

    async def place(self, order: NewOrder) -> Outcome:
        m = self.venue.market.get(order.symbol)
        if m is None:
            return Rejected("symbol", order.symbol)
        made, wrong = self._order(m, order)
        reason = wrong or ("maintenance" if self.venue.halted else "") or self.account.place(m, made)
        return Rejected(reason) if reason else Accepted(str(made.number))

    def _order(self, m: int, order: NewOrder) -> tuple[Order, str]:
        """The order in ticks and lots, and what is wrong with it."""
        one = self.venue.instruments[m]
        price, trigger = order.price or Decimal(0), order.trigger or Decimal(0)
        wrong = ""
        if order.kind not in KINDS:
            wrong = "kind"
        elif order.side not in SIDES or any(given % one.tick for given in (price, trigger)) or order.quantity % one.lot:
            wrong = "precision" if order.side in SIDES else "side"
        elif order.quantity <= 0:
            wrong = "below_minimum"
        elif (order.kind in KINDS_LIMITED) != (price > 0) or (order.kind in KINDS_TRIGGERED) != (trigger > 0):
            wrong = "price"
        return Order(self.account.number(), order.client_id, SIDES.get(order.side, 1), one.lots(order.quantity), order.kind,
                     int(price / one.tick), int(trigger / one.tick), order.reduce_only), wrong

    async def cancel(self, client_id: str) -> Outcome:
        for m in range(len(self.venue.instruments)):
            if self.account.cancel(m, client_id):
                return Accepted(client_id)
        return Rejected("no_order")

    async def set_leverage(self, symbol: str, leverage: int, *, cross: bool) -> Outcome:
        reason = self.account.set_leverage(self.venue.index(symbol), leverage, cross=cross)
        return Rejected(reason) if reason else Accepted(symbol)

    async def bars(self, symbol: str, most: int) -> list[Bar]:
        """The last closed bars, oldest first."""
        self.venue.index(symbol)
        return [self.venue.told(symbol, bar) for bar in list(self.venue.candles[symbol])[-most:]]

    async def open_orders(self) -> list[OpenOrder]:
        return [self._shown(m, order) for m in range(len(self.venue.instruments))
                for order in [*self.account.orders[m], *self.account.queued[m]]]

    def _shown(self, m: int, order: Order) -> OpenOrder:
        one = self.venue.instruments[m]
        new = NewOrder(order.client_id, one.symbol, "buy" if order.side > 0 else "sell", one.quantity(order.lots), order.kind,
                       one.price(order.price) if order.price else None, one.price(order.trigger) if order.trigger else None,
                       order.reduce_only)
        return OpenOrder(new, str(order.number), Decimal(0))

    async def positions(self) -> list[Position]:
        found = []
        for m, one in enumerate(self.venue.instruments):
            leg = self.account.machine.state[self.account.row(m)]
            lots, stop = int(leg[at.LOTS]), int(leg[at.LIQUIDATION])
            if lots:
                entry = one.tick * int(leg[at.COST]) / lots
                found.append(Position(one.symbol, one.quantity(lots), entry, one.price(stop) if stop > 0 else None))
        return found

    async def balance(self) -> Balance:
        return Balance(self.account.wallet, self.account.equity, self.account.available)

    def listen(self, listener: Listener, *, symbol: str, prices: bool) -> None:
        self.venue.index(symbol)
        self.venue.ears[self.account.name].append(Ear(listener, symbol, prices))

    def unlisten(self, listener: Listener) -> None:
        ears = self.venue.ears.get(self.account.name, [])
        ears[:] = [ear for ear in ears if ear.listener is not listener]
