"""What may be traded on an account: the server's own market for paper, the exchange's word (tick, lot, fees) for demo and live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from haechi.core.instrument import Instrument
from haechi.errors import BadInput, NotFound
from haechi.exchanges.port import Traceable
from haechi.markets.feed import Listing, Market
from haechi.platform.house import House
from haechi.trading import accounts
from haechi.trading.connections import TIMEFRAME_MS, Connections
from haechi.trading.models import PAPER, Account

if TYPE_CHECKING:
    from haechi.venue.past import TickBar


@dataclass(frozen=True)
class Listed:
    """One market of an exchange. label: what to call it on a page."""

    instruments: tuple[Instrument, ...]
    timeframe_ms: int
    label: str


async def listing_of(house: House, user_id: str, account_id: str | None, symbol: str | None) -> Listing:
    """account_id: None is the paper account. Raises NotFound for an account that is not theirs, BadInput for a market that is not there,
    and what the exchange raises when it cannot be asked."""
    found = await _account(house, user_id, account_id)
    if found is None:
        return house.part(Market).tape
    if symbol is None:
        raise BadInput("Name the symbol: an exchange has many markets.")
    exchange = cast(Traceable, await house.part(Connections).look_at(found))
    one = await exchange.instrument(symbol.upper())
    if one is None:
        raise BadInput(f"The exchange has no market {symbol.upper()}.")
    return Listed((one,), TIMEFRAME_MS, found.mode)


async def recent(house: House, user_id: str, account_id: str | None, one: Instrument, most: int) -> list[TickBar]:
    """The last bars of the market that this account trades on, oldest first: never another market's. Raises as `listing_of`, and Conflict
    no_price where none is known."""
    from haechi.bots.grid_market import last_bars, no_price  # with the engine's arrays: not before they are needed
    from haechi.venue.past import TickBar

    found = await _account(house, user_id, account_id)
    if found is None:
        return last_bars(house.part(Market), one, most)
    bars = (await (await house.part(Connections).look_at(found)).bars(one.symbol, most))[-most:]
    if not bars:
        raise no_price(one.symbol)
    near = one.ticks_nearest
    return [TickBar(bar.ts, near(bar.open), near(bar.high), near(bar.low), near(bar.close), bar.volume) for bar in bars]


async def _account(house: House, user_id: str, account_id: str | None) -> Account | None:
    """None: it trades on paper, on this server's own market. Raises NotFound."""
    if account_id is None:
        return None
    async with house.database.reading() as session:
        found = next((one for one in await accounts.accounts_of(session, user_id) if one.id == account_id), None)
    if found is None:
        raise NotFound("There is no such account.")
    return None if found.mode == PAPER else found
