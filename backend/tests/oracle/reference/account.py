"""The wallet, the legs on it, and every way money moves: entries, DCA steps, closings, liquidation, funding."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from haechi.core.plan import Costs, Plan

from .feed import Feed, Terms
from .liquidation import liquidation_price
from .position import Position
from .rounding import SCALE, ceil_div, charge, half_up, money, rate, released
from .sizes import ladder_step


@dataclass(frozen=True)
class Row:
    """One closing fill as the trades table shows it."""

    symbol: str
    side: str
    quantity: Decimal
    entry_time: int
    entry_price: Decimal
    exit_time: int
    exit_price: Decimal
    pnl: Decimal
    fee: Decimal
    funding: Decimal
    exit_reason: str
    enter_tag: str
    exit_tag: str
    bars_held: int


@dataclass
class Order:
    """A wish to enter; it rests if its kind lets it. `last_bar`: the bar at whose close it is cancelled."""

    kind: str
    side: int
    lots: int
    limit: int
    trigger: int
    last_bar: int


@dataclass
class Leg:
    """What may hold one position. `hears`: the sides whose entry signals it listens to."""

    hears: tuple[int, ...]
    position: Position | None = None
    resting: Order | None = None
    exit_wish: tuple[str, str] | None = None  # reason, tag
    entry_wish: Order | None = None
    quiet_until: int = 0  # cool-down: entry signals of earlier bars are ignored


@dataclass
class Book:
    """One symbol on the account. `bar`: index of the bar being walked; `now`: ts of the (fine) bar being walked."""

    feed: Feed
    terms: Terms
    legs: list[Leg]
    mark: int = 0
    bar: int = -1
    now: int = 0


@dataclass
class Account:
    plan: Plan
    costs: Costs
    books: list[Book]
    wallet: int
    rows: list[Row] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    liquidations: int = 0
    losses_in_row: int = 0
    row_money: list[tuple[int, int, int]] = field(default_factory=list)  # pnl, fee, funding of each row

    def positions(self) -> list[tuple[Book, Leg, Position]]:
        return [(book, leg, leg.position) for book in self.books for leg in book.legs if leg.position is not None]

    def equity(self) -> int:
        """Wallet + unrealised at the last marks."""
        return self.wallet + sum(position.unrealised(book.mark, book.terms.unit) for book, _, position in self.positions())

    @property
    def isolated(self) -> bool:
        return self.plan.margin == "isolated"

    def moved(self, price: int, *, buy: bool) -> int:
        """A price moved against us by the slippage, to the tick against us."""
        slip = price * rate(self.costs.slippage)
        step = ceil_div(slip.numerator, slip.denominator)
        return price + step if buy else price - step

    # Margin

    def available(self, filling: Book, price: int) -> int:
        left = self.wallet
        for book, _, position in self.positions():
            left -= position.margin
            if not self.isolated:
                left += position.unrealised(price if book is filling else book.mark, book.terms.unit)
        return left

    def refusal(self, book: Book, lots: int, price: int, notional_after: int) -> str | None:
        """Why a fill that adds to a position may not happen, or None."""
        notional = lots * price * book.terms.unit
        if self.plan.leverage > book.terms.tiers[book.terms.tier(notional_after)][2]:
            return "leverage"
        needed = ceil_div(notional, self.plan.leverage) + charge(notional, book.terms.taker)
        return "margin" if needed > self.available(book, price) else None

    def liquidation_of(self, book: Book, position: Position) -> int:
        """The liquidation price in force; 0: none."""
        if self.isolated:
            return position.liquidation
        margin = self.wallet
        for other_book, _, other in self.positions():
            if other is position:
                continue
            unit, mark = other_book.terms.unit, other_book.mark
            notional = other.lots * mark * unit
            maintenance = other_book.terms.tiers[other_book.terms.tier(notional)][1]
            margin += other.unrealised(mark, unit) - charge(notional, maintenance + other_book.terms.taker)
        return liquidation_price(position.side, book.terms, position.lots, position.cost, margin)

    def _changed(self, book: Book, position: Position) -> None:
        if self.isolated and position.lots:
            position.liquidation = liquidation_price(position.side, book.terms, position.lots, position.cost, position.margin)

    # Fills

    def enter(self, book: Book, leg: Leg, order: Order, price: int, fee_rate: Fraction) -> None:
        """Open the leg's position at a fill price, or count the refusal."""
        unit = book.terms.unit
        refusal = self.refusal(book, order.lots, price, order.lots * price * unit)
        if refusal:
            self.refusals[refusal] += 1
            return
        tag = book.feed.enter_tags[0 if order.side > 0 else 1]
        position = Position(order.side, book.now, book.bar, tag, first_price=price, first_lots=order.lots)
        leg.position = position
        self._add(book, position, order.lots, price, fee_rate)
        self._next_step(book, position)

    def add_step(self, book: Book, position: Position, price: int) -> None:
        """Fill the DCA step that rests; a refused one ends the ladder."""
        assert position.next_step is not None
        lots = position.next_step[1]
        refusal = self.refusal(book, lots, price, (position.cost + lots * price) * book.terms.unit)
        if refusal:
            self.refusals[refusal] += 1
            position.next_step = None
            return
        self._add(book, position, lots, price, book.terms.maker)
        position.step += 1
        self._next_step(book, position)

    def _add(self, book: Book, position: Position, lots: int, price: int, fee_rate: Fraction) -> None:
        notional = lots * price * book.terms.unit
        fee = charge(notional, fee_rate)
        self.wallet -= fee
        position.lots += lots
        position.cost += lots * price
        position.margin += ceil_div(notional, self.plan.leverage)
        position.fees += fee
        position.set_levels(self.plan, book.terms)
        self._changed(book, position)

    def _next_step(self, book: Book, position: Position) -> None:
        """Let the next DCA step rest, if there is one that may."""
        position.next_step = None
        ladder = self.plan.ladder
        if ladder is None or position.step > ladder.steps:
            return
        step = ladder_step(ladder, position.side, position.step, position.first_price, position.first_lots)
        if step is None:
            return
        price, lots = step
        too_large = book.terms.too_large(position.lots + lots, position.cost + lots * price)
        if not too_large and not book.terms.too_small(lots, price):
            position.next_step = step

    def close(self, book: Book, leg: Leg, lots: int, price: int, fee_rate: Fraction, reason: str, tag: str = "") -> None:
        """Close part or all of a position at a fill price."""
        position = leg.position
        assert position is not None
        fee = charge(lots * price * book.terms.unit, fee_rate)
        cost = released(position.cost, lots, position.lots)
        self._book_row(book, leg, lots, price, position.side * (lots * price - cost) * book.terms.unit, cost, fee, reason, tag)

    def _book_row(self, book: Book, leg: Leg, lots: int, price: int, difference: int, cost: int, exit_fee: int,
                  reason: str, tag: str) -> None:
        position = leg.position
        assert position is not None
        fees = released(position.fees, lots, position.lots)
        funding = released(position.funding, lots, position.lots)
        pnl = difference - fees - exit_fee - funding
        self.wallet += difference - exit_fee
        average = Fraction(position.cost, position.lots) * book.terms.tick
        self.rows.append(Row(
            book.terms.symbol, "long" if position.side > 0 else "short", book.feed.instrument.lot * lots,
            position.entry_time, Decimal(half_up(average * SCALE)).scaleb(-8), book.now, book.feed.instrument.tick * price,
            Decimal(pnl).scaleb(-8), Decimal(fees + exit_fee).scaleb(-8), Decimal(funding).scaleb(-8),
            reason, position.enter_tag, tag or reason, book.bar - position.entry_bar))
        self.row_money.append((pnl, fees + exit_fee, funding))
        self.liquidations += reason == "liquidation"
        position.earned += pnl
        position.margin -= released(position.margin, lots, position.lots)
        position.fees -= fees
        position.funding -= funding
        position.cost -= cost
        position.lots -= lots
        self._changed(book, position)
        if position.lots == 0:
            self._flat(book, leg, position)

    def _flat(self, book: Book, leg: Leg, position: Position) -> None:
        """The position is over: its exit wish lapses, and a loss counts."""
        leg.position = None
        leg.exit_wish = None
        lost = position.earned < 0
        self.losses_in_row = self.losses_in_row + 1 if lost else 0
        if lost:
            leg.quiet_until = max(leg.quiet_until, book.bar + self.plan.cool_down)

    def liquidate(self, book: Book, leg: Leg) -> None:
        position = leg.position
        assert position is not None
        price = self.liquidation_of(book, position)
        if self.isolated:
            self._book_row(book, leg, position.lots, price, -position.margin, position.cost, 0, "liquidation", "")
            return
        self._liquidate_all(book, leg, position, price)

    def _liquidate_all(self, book: Book, leg: Leg, position: Position, price: int) -> None:
        """Cross: everything goes, and what is left of the wallet is lost on the position that was reached."""
        others = [(b, one, p) for b, one, p in self.positions() if p is not position]
        own = position.unrealised(price, book.terms.unit)
        left = self.wallet + own + sum(p.unrealised(b.mark, b.terms.unit) for b, _, p in others)
        for other_book, other_leg, other in others:
            before = other_book.now
            other_book.now = book.now
            self.close(other_book, other_leg, other.lots, other_book.mark, Fraction(0), "liquidation")
            other_book.now = before
        self._book_row(book, leg, position.lots, price, own - max(left, 0), position.cost, 0, "liquidation", "")

    def pay_funding(self, book: Book, price: int, share: int) -> None:
        """Long pays a positive rate. `share` in 1e-8, `price` the bar's open."""
        for leg in book.legs:
            position = leg.position
            if position is None:
                continue
            paid = charge(position.lots * price * book.terms.unit, Fraction(abs(share), SCALE))
            if (share > 0) != (position.side > 0):
                paid = -paid
            self.wallet -= paid
            position.funding += paid


def opened(feeds: list[Feed], plan: Plan, costs: Costs) -> Account:
    """A fresh account with flat legs: one a symbol, or a long and a short one in hedge mode."""
    books = []
    for feed in feeds:
        legs = [Leg((1,)), Leg((-1,))] if plan.hedge else [Leg((1, -1))]
        books.append(Book(feed, Terms(feed.instrument), legs))
    return Account(plan, costs, books, money(costs.capital))
