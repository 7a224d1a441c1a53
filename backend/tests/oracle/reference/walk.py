"""Steps 2 and 3 of a bar: the open, and the path of the price through the extremes to the close."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from .account import Account, Book, Leg, Order
from .feed import Bar
from .position import Target

LIQUIDATION, STOP, TARGET, ENTRY, STEP = 0, 1, 2, 6, 7
UP, DOWN = 1, -1


@dataclass
class Resting:
    """Something that acts when the price goes to `level` or beyond it in the direction `way`."""

    leg_index: int
    order: int
    level: int
    way: int
    leg: Leg
    target: Target | None = None

    def satisfied(self, price: int) -> bool:
        return price >= self.level if self.way == UP else price <= self.level


def resting(account: Account, book: Book, reading: str) -> list[Resting]:
    """All that rests on a symbol, with the levels at which it is met."""
    through = 1 if reading == "adverse" else 0
    found: list[Resting] = []
    for index, leg in enumerate(book.legs):
        _of_position(account, book, index, leg, through, found)
        if leg.resting is not None:
            level, way = _of_entry(leg.resting, through)
            found.append(Resting(index, ENTRY, level, way, leg))
    return found


def _of_position(account: Account, book: Book, index: int, leg: Leg, through: int, found: list[Resting]) -> None:
    position = leg.position
    if position is None:
        return
    side = position.side
    liquidation = account.liquidation_of(book, position)
    if liquidation != 0 or side < 0:
        found.append(Resting(index, LIQUIDATION, liquidation, -side, leg))
    if position.stop is not None:
        found.append(Resting(index, STOP, position.stop, -side, leg))
    for target in position.targets:
        found.append(Resting(index, TARGET + target.index, target.price + side * through, side, leg, target))
    if position.next_step is not None:
        found.append(Resting(index, STEP, position.next_step[0] - side * through, -side, leg))


def _of_entry(order: Order, through: int) -> tuple[int, int]:
    if order.kind in ("limit", "post_only"):
        return order.limit - order.side * through, -order.side
    return order.trigger, order.side


class Walk:
    """The price's way through one bar of one symbol."""

    def __init__(self, account: Account, book: Book, reading: str) -> None:
        self.account, self.book, self.reading = account, book, reading
        self.point = 0

    # The open

    def open_at(self, price: int, *, wishes: bool) -> None:
        """Step 2; break-even and trailing hear of the price only at its end.

        `wishes`: this is the bar's own open, not that of a finer bar inside it.
        """
        self.point = price
        for leg in self.book.legs:
            self._liquidate_if_beyond(leg)
        if wishes:
            for leg in self.book.legs:
                self._market_exit(leg)
            for leg in self.book.legs:
                self._arrive(leg)
        while True:
            met = [one for one in resting(self.account, self.book, self.reading)
                   if one.order != LIQUIDATION and one.satisfied(price)]
            if not met:
                break
            self._fill(min(met, key=lambda one: (one.leg_index, one.order)), there=True, at_open=True)
        self._reached()

    def _liquidate_if_beyond(self, leg: Leg) -> None:
        position = leg.position
        if position is None:
            return
        price = self.account.liquidation_of(self.book, position)
        if (self.point <= price and price != 0) if position.side > 0 else self.point >= price:
            self.account.liquidate(self.book, leg)

    def _market_exit(self, leg: Leg) -> None:
        wish, position = leg.exit_wish, leg.position
        leg.exit_wish = None
        if wish is None or position is None:
            return
        self._close_at_market(leg, *wish)

    def _close_at_market(self, leg: Leg, reason: str, tag: str = "") -> None:
        position = leg.position
        assert position is not None
        price = self.account.moved(self.point, buy=position.side < 0)
        self.account.close(self.book, leg, position.lots, price, self.book.terms.taker, reason, tag)

    def _arrive(self, leg: Leg) -> None:
        """An entry wish at the open: filled, refused or resting from here on."""
        order = leg.entry_wish
        leg.entry_wish = None
        if order is None:
            return
        price, taker = self.point, self.book.terms.taker
        if order.kind == "market":
            self._enter(leg, order, self.account.moved(price, buy=order.side > 0), taker)
        elif order.kind in ("limit", "post_only"):
            if (order.limit - price) * order.side < 0:
                leg.resting = order
            elif order.kind == "limit":
                self._enter(leg, order, price, taker)
            else:
                self.account.refusals["post_only"] += 1
        else:
            leg.resting = order
            if (price - order.trigger) * order.side >= 0:
                self._trigger(leg, order, there=True)

    # Fills

    def _fill(self, one: Resting, *, there: bool, at_open: bool) -> None:
        """`there`: already satisfied where the price stands, not met by walking on."""
        leg, position, point = one.leg, one.leg.position, self.point
        if one.order == LIQUIDATION:
            self.account.liquidate(self.book, leg)
        elif one.order == STOP:
            assert position is not None
            self._close_at_market(leg, "trailing_stop" if position.trailed else "stop_loss")
        elif one.order == ENTRY:
            assert leg.resting is not None
            self._fill_entry(leg, leg.resting, there=there, at_open=at_open)
        elif one.order == STEP:
            assert position is not None and position.next_step is not None
            self.account.add_step(self.book, position, point if at_open else position.next_step[0])
        else:
            assert position is not None and one.target is not None
            position.targets.remove(one.target)
            price = point if at_open else one.target.price
            self.account.close(self.book, leg, one.target.lots, price, self.book.terms.maker, "take_profit")

    def _fill_entry(self, leg: Leg, order: Order, *, there: bool, at_open: bool) -> None:
        if order.kind in ("limit", "post_only"):
            leg.resting = None
            price = self.point if at_open else order.limit
            self._enter(leg, order, price, self.book.terms.maker)
        else:
            self._trigger(leg, order, there=there)

    def _trigger(self, leg: Leg, order: Order, *, there: bool) -> None:
        """A stop or stop-limit entry whose trigger is reached; the walk stands at the trigger unless it was beyond already."""
        taker = self.book.terms.taker
        if order.kind == "stop":
            leg.resting = None
            self._enter(leg, order, self.account.moved(self.point, buy=order.side > 0), taker)
        elif there and (self.point - order.limit) * order.side > 0:
            order.kind = "limit"
        else:
            leg.resting = None
            self._enter(leg, order, self.point, taker)

    def _enter(self, leg: Leg, order: Order, price: int, fee_rate: Fraction) -> None:
        self.account.enter(self.book, leg, order, price, fee_rate)

    def _reached(self) -> None:
        for leg in self.book.legs:
            if leg.position is not None:
                leg.position.price_reached(self.account.plan, self.point)

    # The path

    def through(self, bar: Bar) -> None:
        """Step 3: the legs to the extremes and the close, as the reading orders them."""
        low_first = self._low_first(bar)
        extremes = (bar.low, bar.high) if low_first else (bar.high, bar.low)
        self.point = bar.open
        for end in (*extremes, bar.close, bar.close):  # the last, empty leg: what the update at the close has made true
            self._leg_to(end)

    def _leg_to(self, end: int) -> None:
        while True:
            met = [(self._distance(one, end), one.leg_index, one.order, one)
                   for one in resting(self.account, self.book, self.reading) if self._met(one, end)]
            if not met:
                break
            distance, _, _, one = min(met, key=lambda entry: entry[:3])
            if distance:
                self.point = one.level
            self._fill(one, there=distance == 0, at_open=False)
            self._reached()
        self.point = end
        self._reached()

    def _met(self, one: Resting, end: int) -> bool:
        return one.satisfied(self.point) or one.satisfied(end)

    def _distance(self, one: Resting, end: int) -> int:
        return 0 if one.satisfied(self.point) else abs(one.level - self.point)

    def _low_first(self, bar: Bar) -> bool:
        """Which extreme comes first under the reading."""
        things = resting(self.account, self.book, self.reading)
        for index, leg in enumerate(self.book.legs):
            if leg.position is None or self.reading == "path":
                continue
            wanted = self._deciding([one for one in things if one.leg_index == index])
            if any(one.satisfied(bar.low if one.way == DOWN else bar.high) for one in wanted):
                return (leg.position.side > 0) == (self.reading == "adverse")
        return bar.close >= bar.open

    def _deciding(self, things: list[Resting]) -> list[Resting]:
        """What makes an extreme come first: stop and liquidation, or the nearest target."""
        if self.reading == "adverse":
            return [one for one in things if one.order in (LIQUIDATION, STOP)]
        return [one for one in things if one.target is not None][:1]
