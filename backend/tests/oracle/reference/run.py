"""A whole run: the merged timeline, the five steps of each bar, and the end of the data."""

from __future__ import annotations

from dataclasses import dataclass

from haechi.core.plan import Costs, Plan

from .account import Account, Book, Row, opened
from .feed import Bar, Feed
from .figures import Figures, figures
from .protections import Pauses
from .rounding import money
from .walk import Walk
from .wishes import flatten, make_wishes


@dataclass
class Result:
    """Everything a run shows. Money in 1e-8."""

    rows: list[Row]
    ts: list[int]
    equity: list[int]
    figures: Figures
    refusals: dict[str, int]


def run(feeds: list[Feed], plan: Plan, costs: Costs, reading: str) -> Result:
    """Play the bars of all symbols on one wallet. `reading`: adverse, benign or path."""
    return Session(feeds, plan, costs, reading).play()


class Session:
    """One run in progress."""

    def __init__(self, feeds: list[Feed], plan: Plan, costs: Costs, reading: str) -> None:
        self.account: Account = opened(feeds, plan, costs)
        self.reading = reading
        self.capital = money(costs.capital)
        self.pauses = Pauses(plan, self.capital)
        self.funding = [feed.funding_by_bar() for feed in feeds]
        self.detail = [feed.detail_by_bar() for feed in feeds]
        self.ts = sorted({bar.ts for feed in feeds for bar in feed.bars})
        self.equity: list[int] = []
        self.in_position = 0

    def play(self) -> Result:
        for instant, ts in enumerate(self.ts):
            self._instant(instant, ts)
        self._end_of_data()
        self.equity[-1] = self.account.wallet
        shown = figures(capital=self.capital, ts=self.ts, equity=self.equity,
                        timeframe_ms=self.account.books[0].feed.timeframe_ms, rows=self.account.row_money,
                        liquidations=self.account.liquidations, bars_in_position=self.in_position)
        return Result(self.account.rows, self.ts, self.equity, shown, dict(self.account.refusals))

    def _instant(self, instant: int, ts: int) -> None:
        live = [(index, book) for index, book in enumerate(self.account.books) if _turn_to(book, ts)]
        for index, book in live:
            self._bar(index, book)
        for _, book in live:
            book.mark = book.feed.bars[book.bar].close
        equity = self.account.equity()
        self.equity.append(equity)
        self.in_position += bool(self.account.positions())
        if self.pauses.judge(self.account, instant, ts, equity):
            flatten(self.account)
        for _, book in live:
            self._wishes(instant, book)

    def _wishes(self, instant: int, book: Book) -> None:
        for leg in book.legs:
            if leg.resting is not None and leg.resting.last_bar <= book.bar:
                leg.resting = None
        if book.bar + 1 < len(book.feed.bars):
            make_wishes(self.account, book, paused=self.pauses.on(instant))

    def _bar(self, index: int, book: Book) -> None:
        """Steps 1 to 3 of one symbol."""
        bar = book.feed.bars[book.bar]
        for share in self.funding[index].get(book.bar, []):
            self.account.pay_funding(book, bar.open, share)
        walk = Walk(self.account, book, self.reading)
        walk.open_at(bar.open, wishes=True)
        for number, inner in enumerate(self.detail[index].get(book.bar, [bar])):
            self._inner(book, walk, inner, first=number == 0)

    def _inner(self, book: Book, walk: Walk, inner: Bar, *, first: bool) -> None:
        book.now = inner.ts
        if not first:
            walk.open_at(inner.open, wishes=False)
        walk.through(inner)

    def _end_of_data(self) -> None:
        """What is still open is closed at the last close of its symbol like a market order."""
        for book, leg, position in self.account.positions():
            last = book.feed.bars[-1]
            book.now, book.bar = last.ts + book.feed.timeframe_ms, len(book.feed.bars)
            price = self.account.moved(last.close, buy=position.side < 0)
            self.account.close(book, leg, position.lots, price, book.terms.taker, "end_of_data")


def _turn_to(book: Book, ts: int) -> bool:
    """Turn the symbol to its bar at this instant; False if it has none."""
    following = book.bar + 1
    if following >= len(book.feed.bars) or book.feed.bars[following].ts != ts:
        return False
    book.bar, book.now = following, ts
    return True
