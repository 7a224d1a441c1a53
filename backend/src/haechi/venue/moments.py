"""What a market does, one thing at a time: sources make moments, the floor plays them.

Prices in ticks, lots whole, times in ms of the market's clock.
"""

from __future__ import annotations

import msgspec

from haechi.venue.exchange import TickBar


class Open(msgspec.Struct, frozen=True):
    """A bar opens: funding `rates` (1e-8) are settled, then a gap to `price` is filled at `price`."""

    m: int
    ts: int
    price: int
    rates: tuple[int, ...] = ()


class Move(msgspec.Struct, frozen=True):
    """The price goes on a straight line to `price`. volume: base units, shown as a public trade when > 0. side: of the taker."""

    m: int
    ts: int
    price: int
    volume: float = 0.0
    side: int = 0


class Book(msgspec.Struct, frozen=True):
    """Real depth, (ticks, lots) with 0 lots for a level that is gone: from now on this market's liquidity is limited to it."""

    m: int
    ts: int
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]
    snapshot: bool = False


class Close(msgspec.Struct, frozen=True):
    """The bars of this instant close, of all symbols at once; then the markets stand between two bars until they open."""

    ts: int
    bars: dict[str, TickBar]


Moment = Open | Move | Book | Close
