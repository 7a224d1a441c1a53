"""What exits closed too much: a stop beside an exit that both filled leave their owner on the other side of what it held.

Known from the fill on, and after a restart by the books. It is taken back at the market, but not before the exchange has shown the
position that the books have: for a moment a fill that is only late looks the same. Until then the account takes on no new risk.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import select

from haechi.exchanges.port import Fill
from haechi.platform.db import Session
from haechi.trading.models import Booking, Order
from haechi.trading.owner import EXTERNAL_OWNER
from haechi.trading.working import Ticket, Working

if TYPE_CHECKING:
    from haechi.trading.desk import Desk

REPAIR = "repair"
ZERO = Decimal(0)


class Over:
    """Of one desk. `found`: (owner, symbol) -> signed quantity that no plan wants."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.found: dict[tuple[str, str], Decimal] = {}

    def heard(self, owner: str, fill: Fill, one: Working | None) -> None:
        """After the fill is in the holdings."""
        symbol = fill.symbol
        change = fill.quantity if fill.side == "buy" else -fill.quantity
        held, over = self.desk.holdings.quantity(owner, symbol), self.found.get((owner, symbol), ZERO)
        if one is not None and one.role == REPAIR:
            over += change
        elif one is not None and owner != EXTERNAL_OWNER:
            over += beyond(held, change, reduces=one.order.reduce_only)
        self.remembered(owner, symbol, over if over * held > 0 else ZERO)

    def remembered(self, owner: str, symbol: str, quantity: Decimal) -> None:
        """So much it is. A bot's mind knows it, whatever was booked since."""
        before = self.found.pop((owner, symbol), ZERO)
        if quantity:
            self.found[owner, symbol] = quantity
        if quantity and not before:
            self.desk.alarm(owner, "over_closed", key=f"{owner}:{symbol}", symbol=symbol, quantity=str(quantity))
            self.desk.check.soon()

    def stopped_by(self, one: Working) -> bool:
        """Whether this is a stop of what no plan wants: it stays until that is taken back."""
        over = self.found.get((one.owner, one.order.symbol), ZERO)
        return over != 0 and one.order.reduce_only and one.order.trigger is not None and (one.order.side == "sell") == (over > 0)

    async def restore(self, session: Session) -> None:
        """By the newest fill of each owner and symbol. A bot that comes to work knows more (`remembered`)."""
        desk, holdings = self.desk, self.desk.holdings
        for owner, symbol in [(name, held) for held in holdings.symbols() for name in holdings.owners(held)]:
            query = (select(Booking.side, Booking.quantity, Order.reduce_only).join(Order, Order.id == Booking.order_id)
                     .where(Booking.account_id == desk.account_id, Booking.bot_id == owner, Booking.symbol == symbol,
                            Order.user_id == desk.user_id)
                     .order_by(Booking.id.desc()).limit(1))
            row = (await session.execute(query)).first()
            if row is not None and owner != EXTERNAL_OWNER:
                change = row.quantity if row.side == "buy" else -row.quantity
                self.remembered(owner, symbol, beyond(holdings.quantity(owner, symbol), change, reduces=row.reduce_only))

    async def take_back(self, agreed: set[str]) -> None:
        """agreed: symbols whose position the exchange has just shown as the books have it, with nothing on its way."""
        desk = self.desk
        for (owner, symbol), over in list(self.found.items()):
            held = desk.holdings.quantity(owner, symbol)
            if held * over <= 0:  # it went another way: closed by hand at the exchange, or liquidated
                self.remembered(owner, symbol, ZERO)
                continue
            if abs(held) < abs(over):
                self.remembered(owner, symbol, held)
            if symbol not in agreed or any(one.role == REPAIR for one in desk.orders.of(owner, symbol)):
                continue
            quantity, net = min(abs(over), abs(held)), desk.holdings.total(symbol)
            reduces = net * over > 0 and abs(net) >= quantity  # on a netted account the exchange may see no position to reduce
            if not reduces and desk.gate.killed(desk.user_id, owner):
                continue  # there it would be new risk
            side = "sell" if over > 0 else "buy"
            await desk.send(desk.owner(owner), [Ticket(REPAIR, symbol, side, quantity, reduce_only=reduces, repairs=True,
                                                       leverage=desk.leverages.get(symbol, 1))])


def beyond(held: Decimal, change: Decimal, *, reduces: bool) -> Decimal:
    """What of a reducing fill went beyond there being something to reduce, signed. held: after it."""
    if not reduces or held * change <= 0:
        return ZERO
    return change if abs(change) < abs(held) else held
