"""A month of one account on the floor: two bots and somebody by hand on the same net positions, a thin book, funding, liquidations, money
in and out. What the venue recorded goes through Holdings and the ledger; at any moment the books equal the venue, to the last 1e-8.

HAECHI_MONTHS sets how many months are lived.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from ledger_stage import opened
from trading_floor import BTC, ETH, Played

from haechi.core.holdings import EXTERNAL, Holdings
from haechi.core.units import unscaled
from haechi.exchanges.port import Fill, Liquidated, Moved, Paid
from haechi.trading import ledger
from haechi.trading.ledger_check import check
from haechi.venue.forced import deleverage, liquidate
from haechi.venue.moments import Book, Close, Open
from haechi.venue.records import Bill, FillRecord
from haechi.venue.refusal import Refusal
from haechi.venue.requests import OrderRequest

HOUR_MS, DAYS = 3_600_000, 30
BOTS = ("bot1", "bot2")
FIRST = {0: 600_000, 1: 300_000}
D = Decimal
Event = Fill | Paid | Liquidated | Moved


class Month:
    """The venue's side of it: what is wished, and what the records say happened, in order."""

    def __init__(self, played: Played, seed: int) -> None:
        self.played, self.floor, self.draw = played, played.floor, random.Random(seed)
        self.floor.history_kept = 10**9
        self.member = self.floor.open_member("a1", deposit=D(5_000))
        self.read = ""  # the id up to which the records were told
        self.legs = {m: random.Random(seed + m) for m in FIRST}
        self.closed: dict[str, int] = {}
        self.sent = 0

    # ---- wishes

    def order(self, who: str, held: Holdings) -> None:
        """A bot opens on the side of the net position or closes what is its own; by hand anything goes."""
        m, draw = self.draw.randrange(2), self.draw
        one = self.floor.instruments[m]
        net, mine = self.member.account.lots(m), one.lots(abs(held.quantity(who, one.symbol)))
        kind, lots = draw.choice(("market", "limit")), draw.randrange(1, 60)
        side, closes = (1 if net > 0 else -1 if net < 0 else draw.choice((1, -1))), False
        if who in BOTS and draw.random() < 0.5:
            if not mine:
                return
            side, closes, lots, kind = -side, True, min(lots, mine), "market"
        elif who not in BOTS:
            side = draw.choice((1, -1))
        self.sent += 1
        price = round(self.floor.point(m) * (1 + draw.uniform(-0.003, 0.003)))
        client = f"{who}-{self.sent}" if who in BOTS else f"web-{self.sent}"
        self.member.place(OrderRequest(m, side, lots, kind, price if kind == "limit" else 0, draw.choice(("gtc", "ioc")) if kind == "limit" else "gtc",
                                       client, closes=closes))

    def other(self) -> None:
        match self.draw.randrange(3):
            case 0 if self.member.open_orders():
                self.member.cancel(self.draw.choice(self.member.open_orders()))
            case _:
                self.member.transfer(D(self.draw.randrange(-9 * 10**10, 12 * 10**10)) / 10**9 // D("1e-8") * D("1e-8"))

    async def hour(self, number: int) -> None:
        """The prices go on, the book is thin and new, every eighth hour brings funding."""
        played = self.played
        for m in FIRST:
            price = max(1, round(self.floor.point(m) * (1 + self.draw.gauss(0, 0.004))))
            await played.move(price, m=m)
            await self.book(m, price)
        bars = {one.symbol: self.floor.markets[m].bar for m, one in enumerate((BTC, ETH))}
        await played.floor.play(Close(played.ts, {symbol: bar for symbol, bar in bars.items() if bar is not None}))
        played.ts = (played.ts // HOUR_MS + 1) * HOUR_MS
        for m in FIRST:
            rates = (self.draw.randrange(-40_000, 60_000),) if number % 8 == 0 else ()
            price = self.floor.markets[m].point
            await played.floor.play(Open(m, played.ts, price, rates))
            await self.book(m, price)

    async def book(self, m: int, price: int) -> None:
        levels = [(k, self.draw.randrange(1, 25)) for k in range(1, 8)]
        await self.floor.play(Book(m, self.played.ts, tuple((price - 20 * k, lots) for k, lots in levels),
                                   tuple((price + 20 * k, lots) for k, lots in levels), snapshot=True))

    # ---- records

    def news(self) -> list[tuple[Event, str]]:
        """What happened since the last time, in the order of the exchange's ids, and whose order it was."""
        found: list[tuple[str, Event, str]] = []
        for fill in reversed(self.member.fills):
            if fill.trade_id <= self.read:
                break
            found.append((fill.trade_id, self.event_of(fill), owner_of(fill)))
        for bill in reversed(self.member.bills):
            if bill.bill_id <= self.read:
                break
            found.extend((bill.bill_id, event, "") for event in self.money_of(bill))
        self.read = max([self.read, *(name for name, *_ in found)])
        return [(event, owner) for _, event, owner in sorted(found, key=lambda one: one[0])]

    def event_of(self, fill: FillRecord) -> Fill | Liquidated:
        one = self.floor.instruments[fill.m]
        side, quantity, price = "buy" if fill.side > 0 else "sell", one.quantity(fill.lots), one.price(fill.price)
        if fill.trade_side.startswith(("burst", "dte_sys_adl")):
            self.closed[fill.trade_side[:5]] = self.closed.get(fill.trade_side[:5], 0) + 1
            return Liquidated(fill.trade_id, one.symbol, side, quantity, price, unscaled(fill.fee - fill.profit), fill.time_ms)
        return Fill(fill.trade_id, fill.client_oid, one.symbol, side, quantity, price, unscaled(fill.fee), unscaled(fill.profit), fill.maker,
                    one.price(fill.market), fill.time_ms)

    def money_of(self, bill: Bill) -> Iterator[Event]:
        if bill.business == "contract_settle_fee":
            yield Paid(bill.bill_id, self.floor.instruments[bill.m].symbol, unscaled(-bill.amount), bill.time_ms)
        elif bill.business.startswith("trans_"):
            yield Moved(bill.bill_id, bill.business, unscaled(bill.amount), bill.time_ms)


def owner_of(fill: FillRecord) -> str:
    name = fill.client_oid.partition("-")[0]
    return name if name in BOTS else EXTERNAL


class Kept:
    """Our side of it: the books, and the sums they are held against."""

    def __init__(self, database, month: Month) -> None:
        self.database, self.month = database, month
        self.held = Holdings({one.symbol: one.lot for one in (BTC, ETH)})
        self.own = self.at_exchange = D(0)
        self.events = self.shared = self.both = 0

    async def keep(self) -> None:
        news = self.month.news()
        if not news:
            return
        async with self.database.writing() as session:
            for event, owner in news:
                pieces = self.held.apply(event, owner)
                assert await ledger.record(session, user_id="u1", account_id="a1", event=event, pieces=pieces, order_id="")
                assert all(sum(piece.amounts.values()) == 0 for piece in pieces)
                self.own -= sum((piece.amounts.get(book, D(0)) for piece in pieces for book in ("realized", "liquidation")), D(0))
                self.at_exchange += event.realized if isinstance(event, Fill) else -event.loss if isinstance(event, Liquidated) else D(0)
                self.events += 1
                self.shared += len(pieces) > 1
        self.both += any(len(set(self.held.owners(one.symbol)) & set(BOTS)) == 2 for one in (BTC, ETH))

    async def agrees(self) -> None:
        """The ledger's wallet and the parts against the venue's own state; owners' profits against the exchange's."""
        member = self.month.member
        async with self.database.reading() as session:
            wallet = await ledger.balance_of(session, "a1", "wallet")
            netting = await ledger.balance_of(session, "a1", "netting")
            held = await ledger.holdings_of(session, "a1")
        assert wallet == member.account.wallet == unscaled(member.bills[-1].balance)
        assert netting == self.own - self.at_exchange == sum((held.netting(one.symbol) for one in (BTC, ETH)), D(0))
        for m, one in enumerate((BTC, ETH)):
            parts = [held.quantity(owner, one.symbol) for owner in ("", *BOTS, EXTERNAL)]
            assert sum(parts) == held.total(one.symbol) == one.quantity(member.account.lots(m))
            assert parts == [self.held.quantity(owner, one.symbol) for owner in ("", *BOTS, EXTERNAL)]
            if not any(parts):
                assert held.netting(one.symbol) == 0


async def lived(month: Month, kept: Kept) -> None:
    """Thirty days; a hundred times in between everything is compared."""
    draw = month.draw
    moments = set(draw.sample(range(DAYS * 24), 100))
    for number in range(DAYS * 24):
        for who in (*BOTS, *BOTS, EXTERNAL):
            if draw.random() < 0.45:
                with contextlib.suppress(Refusal):
                    month.order(who, kept.held)
                await kept.keep()
        if draw.random() < 0.1:
            with contextlib.suppress(Refusal):
                month.other()
        if number in (200, 400):
            await forced(month, kept, whole=number == 400)
        await month.hour(number)
        await kept.keep()
        if number in moments:
            await kept.agrees()


async def forced(month: Month, kept: Kept, *, whole: bool) -> None:
    """Both bots hold, then the exchange closes some of it, or all."""
    side = 1 if month.member.account.lots(0) >= 0 else -1
    for who in BOTS:
        await month.book(0, month.floor.point(0))
        month.member.place(OrderRequest(0, side, 7, "market", client_oid=f"{who}-forced{whole}"))
    await kept.keep()
    assert len(set(kept.held.owners("BTCUSDT")) & set(BOTS)) == 2
    if whole:
        liquidate(month.floor, month.member, 0, 0)
    else:
        deleverage(month.floor, month.member, 0, 0, 9, round(month.floor.point(0) * 0.99))
    await kept.keep()
    await kept.agrees()


@pytest.mark.parametrize("seed", range(1, 1 + int(os.environ.get("HAECHI_MONTHS", "1"))))
async def test_a_month_of_books_equals_the_venue(tmp_path: Path, seed: int) -> None:
    played = Played(slippage="0.0001")
    for m, price in FIRST.items():
        await played.open(price, m)
    month = Month(played, seed)
    async with opened(tmp_path) as books:
        kept = Kept(books.database, month)
        await lived(month, kept)
        for m in FIRST:  # the end: nobody holds anything
            await month.book(m, month.floor.point(m))
            while month.member.account.lots(m):
                await month.book(m, month.floor.point(m))
                month.member.flash_close(m, 0)
        await kept.keep()
        await kept.agrees()
        async with books.database.reading() as session:
            assert (await check(session, "u1", "a1")).difference is None
            assert await ledger.balance_of(session, "a1", "netting") == 0
        assert kept.own == kept.at_exchange
        assert kept.events > 800 and kept.shared > 40 and kept.both > 100, (kept.events, kept.shared, kept.both)
        assert set(month.closed) == {"burst", "dte_s"}
