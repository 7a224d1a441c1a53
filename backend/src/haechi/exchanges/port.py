"""What an exchange can do for an account, in the house's values. The engine cannot tell a real one from a simulated one.

Outcomes are values, not exceptions: an order was accepted, rejected with evidence, or nobody knows. Silence is never evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

import msgspec

from haechi.core.instrument import Instrument


class NewOrder(msgspec.Struct, frozen=True):
    """side: buy | sell; kind: market | limit | post_only | stop | stop_limit. client_id is ours and unique for ever."""

    client_id: str
    symbol: str
    side: str
    quantity: Decimal
    kind: str
    price: Decimal | None = None
    trigger: Decimal | None = None
    reduce_only: bool = False


class Accepted(msgspec.Struct, frozen=True, tag=True):
    exchange_id: str


class Rejected(msgspec.Struct, frozen=True, tag=True):
    """The exchange said no: its code, and our word for it (margin, leverage, below_minimum, post_only, no_position, symbol …)."""

    reason: str
    code: str = ""


class Unknown(msgspec.Struct, frozen=True, tag=True):
    """No answer that proves anything."""

    why: str


Outcome = Accepted | Rejected | Unknown


class Fill(msgspec.Struct, frozen=True, tag=True):
    """trade_id is the exchange's and unique for the account. realized: profit before fees of what was closed. market: where it stood."""

    trade_id: str
    client_id: str
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    realized: Decimal
    maker: bool
    market: Decimal
    time_ms: int


class Gone(msgspec.Struct, frozen=True, tag=True):
    """An order ended without (further) fill. reason as in Rejected, or `canceled`."""

    client_id: str
    symbol: str
    reason: str
    time_ms: int


class Paid(msgspec.Struct, frozen=True, tag=True):
    """Funding taken (+) or given (−)."""

    payment_id: str
    symbol: str
    amount: Decimal
    time_ms: int


class Liquidated(msgspec.Struct, frozen=True, tag=True):
    """The exchange closed the position; `loss` is what the wallet lost."""

    trade_id: str
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    loss: Decimal
    time_ms: int


class Price(msgspec.Struct, frozen=True, tag=True):
    """Where the market of a symbol stands."""

    symbol: str
    price: Decimal
    time_ms: int


class Bar(msgspec.Struct, frozen=True, tag=True):
    """A bar that closed; ts is its open time."""

    symbol: str
    timeframe_ms: int
    ts: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: float


class Moved(msgspec.Struct, frozen=True, tag=True):
    """Money that came (+) or went (−) without a trade: transfers, rebates, bonuses, corrections. kind: the exchange's word."""

    movement_id: str
    kind: str
    amount: Decimal
    time_ms: int


Event = Fill | Gone | Paid | Liquidated | Price | Bar


class Seen(msgspec.Struct, frozen=True, tag=True):
    """The exchange knows this order. status: open | filled | canceled | rejected; filled: as far; reason: of its end, as in Gone."""

    exchange_id: str
    status: str
    filled: Decimal
    reason: str = ""


class OpenOrder(msgspec.Struct, frozen=True):
    order: NewOrder
    exchange_id: str
    filled: Decimal


class Position(msgspec.Struct, frozen=True):
    """quantity is signed; entry is the average."""

    symbol: str
    quantity: Decimal
    entry: Decimal
    liquidation: Decimal | None


class Balance(msgspec.Struct, frozen=True):
    wallet: Decimal
    equity: Decimal
    available: Decimal


Known = Callable[[str], bool]
Still = Callable[[], bool]


class Listener(Protocol):
    """Hears the events of one account, in order; returns when it has acted on them. What the account did may be told while it still acts
    on what came before; it is taken in in the order of the calls."""

    async def hear(self, event: Event) -> None: ...


class Exchange(Protocol):
    """One account at an exchange."""

    async def place(self, order: NewOrder, *, still: Still | None = None) -> Outcome:
        """still: asked again right before it leaves, where leaving takes time; False: it does not, Rejected("not_sent")."""
        ...

    async def cancel(self, client_id: str) -> Outcome: ...

    async def set_leverage(self, symbol: str, leverage: int, *, cross: bool) -> Outcome: ...

    async def bars(self, symbol: str, most: int, timeframe_ms: int | None = None) -> list[Bar]:
        """The last closed bars, oldest first, of the market's own length. timeframe_ms: what makes so many bars of that length (where they
        begin: core/timeframe.py) and the one under way: longer bars as far back as they are kept, then shorter ones up to now, without a
        hole, and none of them in two bars of that length. Raises Unreachable or Refused."""
        ...

    async def open_orders(self) -> list[OpenOrder]: ...

    async def positions(self) -> list[Position]: ...

    async def balance(self) -> Balance: ...

    def listen(self, listener: Listener, *, symbol: str, prices: bool) -> None:
        """Send the account's events of this symbol and its bars to the listener; with `prices` also where the market stands. Called again
        it changes that, and nothing is missed or told twice."""
        ...

    def unlisten(self, listener: Listener) -> None: ...


class Traceable(Exchange, Protocol):
    """An exchange behind a wire, where answers can be lost: what became of things can be asked for."""

    async def modify(self, client_id: str, *, new_client_id: str, quantity: Decimal | None = None, price: Decimal | None = None,
                     trigger: Decimal | None = None) -> Outcome:
        """Another size, price or trigger; a resting order goes on under new_client_id, a stop keeps its own."""
        ...

    async def resolve(self, client_id: str, *, order: NewOrder | None = None, sent_ms: int | None = None) -> Outcome:
        """What became of an order whose outcome was Unknown, by evidence. order, sent_ms: after a restart, from the saved order."""
        ...

    async def look(self, order: NewOrder, sent_ms: int) -> Seen | Rejected | Unknown:
        """What the exchange knows of one of our orders, sought everywhere (open, history, plans, fills). Rejected("never_arrived") only
        when it is nowhere and can no longer arrive; Unknown in every case of doubt. sent_ms: our clock."""
        ...

    async def fills_since(self, time_ms: int, *, known: Known | None = None) -> list[Fill | Liquidated]:
        """Oldest first, made by hand or by others included (client_id is then theirs, or ''). known: says of a trade id that its fill
        may be left out; an exchange that must be asked whose each order was, is then not asked. Raises Unreachable or Refused."""
        ...

    async def payments_since(self, time_ms: int) -> list[Paid]:
        """Oldest first."""
        ...

    async def movements_since(self, time_ms: int) -> list[Moved]:
        """Oldest first: every change of the wallet that is neither a fill, nor funding, nor a liquidation."""
        ...

    async def instrument(self, symbol: str) -> Instrument | None:
        """None: there is no such market."""
        ...

    def blind(self) -> str:
        """Why what the exchange tells cannot be relied on now (stream down, not reconciled, clock, key …), '' when it can."""
        ...
