"""Step 5: what each leg wants at the next open, from the signal of this bar."""

from __future__ import annotations

from .account import Account, Book, Leg, Order
from .feed import ENTER, EXIT
from .position import Position
from .sizes import entry_prices, lots_wished


def make_wishes(account: Account, book: Book, *, paused: bool) -> None:
    """Exit wishes, then entry wishes, of all legs of a symbol."""
    bits = book.feed.bits[book.bar]
    for leg in book.legs:
        if leg.resting is not None and bits & EXIT[leg.resting.side]:
            leg.resting = None
        if leg.position is not None and leg.exit_wish is None:
            leg.exit_wish = _exit_wish(account, book, leg, leg.position, bits)
        side = _side_wished(leg, bits)
        if side and not paused and book.bar >= leg.quiet_until and _will_be_flat(account, leg):
            leg.entry_wish = _entry_wish(account, book, side)


def flatten(account: Account) -> None:
    """A protection closes everything at the next open of each symbol and cancels what rests or waits to enter."""
    for book in account.books:
        for leg in book.legs:
            leg.resting = leg.entry_wish = None
            if leg.position is not None:
                leg.exit_wish = ("protection", "")


def _side_wished(leg: Leg, bits: int) -> int:
    """+1, −1 or 0; both at once is neither."""
    sides = [side for side in leg.hears if bits & ENTER[side]]
    return sides[0] if len(sides) == 1 else 0


def _exit_wish(account: Account, book: Book, leg: Leg, position: Position, bits: int) -> tuple[str, str] | None:
    plan = account.plan
    if plan.time_stop and book.bar - position.entry_bar + 1 >= plan.time_stop:
        return "time_stop", ""
    if bits & EXIT[position.side]:
        return "signal", book.feed.exit_tags[0 if position.side > 0 else 1]
    if plan.on_opposite != "ignore" and _side_wished(leg, bits) == -position.side:
        return "signal_reverse", book.feed.enter_tags[1 if position.side > 0 else 0]  # the rule that acted: the other side's entry
    return None


def _will_be_flat(account: Account, leg: Leg) -> bool:
    if leg.resting is not None:
        return False
    if leg.position is None:
        return True
    return account.plan.on_opposite == "reverse" and leg.exit_wish is not None and leg.exit_wish[0] == "signal_reverse"


def _refusal(book: Book, lots: int | None, close: int) -> str:
    if lots is None:
        return "no_volatility"
    if book.terms.too_large(lots, lots * close):
        return "too_large"
    return "below_minimum" if book.terms.too_small(lots, close) else ""


def _entry_wish(account: Account, book: Book, side: int) -> Order | None:
    plan, feed, close = account.plan, book.feed, book.feed.bars[book.bar].close
    atr = feed.atr[book.bar] if feed.atr is not None else None
    lots = lots_wished(plan, book.terms, close, account.equity(), atr)
    refusal = _refusal(book, lots, close)
    if refusal or lots is None:
        account.refusals[refusal] += 1
        return None
    limit, trigger = entry_prices(plan.entry, side, close)
    return Order(plan.entry.kind, side, lots, limit, trigger, book.bar + plan.entry.bars)
