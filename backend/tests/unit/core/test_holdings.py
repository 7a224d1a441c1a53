"""Who holds what, and what each event is worth to whom: by hand, and for any sequence of events against a reckoning in fractions."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haechi.core.holdings import EXTERNAL, Holdings, Piece
from haechi.exchanges.port import Fill, Liquidated, Moved, Paid

D = Decimal
STEP = D("1e-8")
OWNERS = ["", "bot1", "bot2", "bot3"]


def fill(side: str, quantity: str | Decimal, price: str | Decimal, *, realized: str | Decimal = "0", fee: str | Decimal = "0") -> Fill:
    return Fill("t", "c", "BTCUSDT", side, D(quantity), D(price), D(fee), D(realized), False, D(price), 0)


def liquidated(side: str, quantity: str | Decimal, price: str | Decimal, loss: str | Decimal) -> Liquidated:
    return Liquidated("l", "BTCUSDT", side, D(quantity), D(price), D(loss), 0)


def paid(amount: str | Decimal) -> Paid:
    return Paid("p", "BTCUSDT", D(amount), 0)


def amounts(pieces: list[Piece]) -> dict[str, dict[str, str]]:
    return {piece.owner: {book: f"{amount:f}" for book, amount in piece.amounts.items()} for piece in pieces}


# ---- by hand


def test_a_sole_owner_gets_what_the_exchange_says() -> None:
    held = Holdings()
    held.apply(fill("buy", "2", "100", fee="0.1"), "bot1")
    held.apply(fill("buy", "1", "106", fee="0.05"), "bot1")
    assert (held.quantity("bot1", "BTCUSDT"), held.entry("bot1", "BTCUSDT"), held.owners("BTCUSDT")) == (3, 102, ["bot1"])
    pieces = held.apply(fill("sell", "1", "105", realized="3", fee="0.06"), "bot1")
    assert amounts(pieces) == {"bot1": {"wallet": "2.94", "realized": "-3", "fees": "0.06"}}
    assert (pieces[0].quantity, pieces[0].held, pieces[0].cost) == (-1, 2, 204)


def test_two_owners_each_have_their_own_profit_and_netting_ends_at_zero() -> None:
    held = Holdings()
    held.apply(fill("buy", "1", "100"), "bot1")
    held.apply(fill("buy", "1", "110"), "bot2")
    assert held.netting("BTCUSDT") == 0
    first = held.apply(fill("sell", "1", "106", realized="1"), "bot1")  # the exchange's average is 105
    assert amounts(first) == {"bot1": {"wallet": "1", "realized": "-6", "netting": "5"}}
    assert held.netting("BTCUSDT") == 5 and held.entry("bot2", "BTCUSDT") == 110
    last = held.apply(fill("sell", "1", "108", realized="3"), "bot2")
    assert amounts(last) == {"bot2": {"wallet": "3", "realized": "2", "netting": "-5"}}
    assert held.netting("BTCUSDT") == 0 and held.symbols() == []


def test_funding_is_shared_by_quantity_and_the_remainder_is_the_largests() -> None:
    held = Holdings()
    for owner in ("bot2", "bot1", ""):
        held.apply(fill("sell", "1", "100"), owner)
    assert amounts(held.apply(paid("0.00000005"), "")) == {
        "bot2": {"wallet": "-0.00000001", "funding": "0.00000001"}, "bot1": {"wallet": "-0.00000001", "funding": "0.00000001"},
        "": {"wallet": "-0.00000003", "funding": "0.00000003"}}
    held.apply(fill("sell", "1", "100"), "bot2")
    assert amounts(held.apply(paid("-1"), ""))["bot2"]["wallet"] == "0.5"


def test_funding_of_nobody_is_externals() -> None:
    assert amounts(Holdings().apply(paid("2"), "")) == {"external": {"wallet": "-2", "funding": "2"}}


def test_a_fill_that_turns_a_position_closes_and_opens() -> None:
    held = Holdings()
    held.apply(fill("buy", "2", "100"), "bot1")
    piece, = held.apply(fill("sell", "5", "103", realized="6"), "bot1")
    assert (piece.quantity, piece.held, piece.cost, held.entry("bot1", "BTCUSDT")) == (-5, -3, -309, 103)
    assert piece.amounts == {"wallet": 6, "realized": -6}


def test_a_partial_liquidation_takes_whole_lots_of_all_and_its_costs_go_by_quantity() -> None:
    held = Holdings({"BTCUSDT": D("0.001")})
    held.apply(fill("buy", "0.002", "100000"), "bot1")
    held.apply(fill("buy", "0.001", "103000"), "bot2")
    pieces = held.apply(liquidated("sell", "0.002", "99000", "8"), "")  # average 101 000: lost 4 by the price, 4 more are costs
    assert {piece.owner: piece.quantity for piece in pieces} == {"bot1": D("-0.002")}
    assert amounts(pieces)["bot1"] == {"wallet": "-8", "liquidation": "6", "netting": "2"}  # its own entry lost 2 by the price
    rest = held.apply(liquidated("sell", "0.001", "99000", "2"), "")
    assert amounts(rest) == {"bot2": {"wallet": "-2", "liquidation": "4", "netting": "-2"}}
    assert held.netting("BTCUSDT") == 0


def test_a_remainder_larger_than_the_largest_part_goes_on_to_the_next() -> None:
    held = Holdings({"BTCUSDT": D(1)})
    for owner in ("a", "b", "c"):
        held.apply(fill("buy", "1", "100"), owner)
    held.apply(liquidated("sell", "2", "90", "20"), "")
    assert [held.quantity(owner, "BTCUSDT") for owner in ("a", "b", "c")] == [0, 0, 1]


def test_what_is_closed_by_hand_at_the_exchange_is_taken_from_those_who_hold() -> None:
    held = Holdings({"BTCUSDT": D("0.1")})
    held.apply(fill("buy", "1", "100"), EXTERNAL)
    held.apply(fill("buy", "2", "100"), "bot1")
    held.apply(fill("buy", "1", "100"), "bot2")
    pieces = held.apply(fill("sell", "2.5", "101", realized="2.5", fee="0.5"), EXTERNAL)
    assert {piece.owner: piece.quantity for piece in pieces} == {EXTERNAL: -1, "bot1": -1, "bot2": D("-0.5")}
    assert amounts(pieces) == {"external": {"wallet": "0.8", "realized": "-1", "fees": "0.2"},
                               "bot1": {"wallet": "0.8", "realized": "-1", "fees": "0.2"},
                               "bot2": {"wallet": "0.4", "realized": "-0.5", "fees": "0.1"}}
    more = held.apply(fill("sell", "2", "101", realized="1.5"), EXTERNAL)
    assert {piece.owner: piece.quantity for piece in more} == {"bot1": -1, "bot2": D("-0.5"), EXTERNAL: D("-0.5")}
    assert held.owners("BTCUSDT") == [EXTERNAL] and held.total("BTCUSDT") == D("-0.5")


def test_what_does_not_divide_stays_with_its_owner() -> None:
    books = Books()
    for owner, quantity, price in (("bot1", "1", "100"), ("bot1", "2", "100.00000001"), ("bot2", "1", "100.00000002"),
                                   ("bot2", "2", "100.00000001")):  # the exchange's average is whole: 100.00000001
        books.act("open", owner, D(quantity), D(price), D(0))
    won = []
    for _ in range(3):
        before = books.own
        books.act("close", "bot1", D(1), D(101), D(0))
        won.append(books.own - before)
    assert sum(won) == D("2.99999998")  # 303 − 300.00000002
    assert won == [D("0.99999999"), D("0.99999999"), D(1)]


def test_an_adopted_position_has_a_price_and_no_cash() -> None:
    held = Holdings()
    piece, = held.adopt(EXTERNAL, "BTCUSDT", D("3"), D("100"))
    assert (piece.owner, piece.amounts, piece.held, held.entry(EXTERNAL, "BTCUSDT")) == (EXTERNAL, {}, 3, 100)
    assert amounts(held.apply(fill("sell", "3", "101", realized="3"), EXTERNAL)) == {EXTERNAL: {"wallet": "3", "realized": "-3"}}


def test_money_that_moves_is_capital() -> None:
    piece, = Holdings().apply(Moved("m", "transfer", D("-7"), 0), "")
    assert piece.amounts == {"wallet": -7, "capital": 7}


def test_more_decimals_than_exactness_has_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 12 decimals"):
        Holdings().apply(fill("buy", "0.0000000000001", "1"), "bot1")


# ---- any sequence


class TheExchange:
    """The account as the exchange keeps it: one net position by average cost, money in whole steps; in fractions."""

    def __init__(self) -> None:
        self.quantity, self.cost, self.realized, self.wallet = Fraction(0), Fraction(0), D(0), D(0)

    def closes(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Its gain, rounded down to a step, what is smaller stays in the cost."""
        side = 1 if self.quantity > 0 else -1
        share = self.cost * Fraction(quantity) / abs(self.quantity)
        exact = side * Fraction(quantity) * Fraction(price) - share
        gain = D(int(exact * 10**8)).scaleb(-8)
        self.quantity -= side * Fraction(quantity)
        self.cost = self.cost - share - (exact - Fraction(gain)) if self.quantity else Fraction(0)
        return gain

    def opens(self, signed: Decimal, price: Decimal) -> None:
        self.quantity += Fraction(signed)
        self.cost += Fraction(signed) * Fraction(price)


prices = st.integers(1, 10**10).map(lambda n: D(n).scaleb(-7))  # times a lot: ten decimals, finer than money
lots = st.integers(1, 5_000).map(lambda n: D(n).scaleb(-3))
money = st.integers(-10**10, 10**10).map(lambda n: D(n).scaleb(-8))
acts = st.lists(st.tuples(st.sampled_from(["open", "open", "close", "close", "all", "fund", "cut", "end", "hand", "adopt", "move"]),
                          st.sampled_from(OWNERS), lots, prices, money), min_size=1, max_size=40)


class Books:
    """Holdings fed with what the exchange says, and all that was ever given to whom."""

    def __init__(self) -> None:
        self.held, self.exchange = Holdings({"BTCUSDT": D("0.001")}), TheExchange()
        self.books: dict[str, Decimal] = {}
        self.own = self.at_exchange = D(0)

    def act(self, what: str, owner: str, quantity: Decimal, price: Decimal, amount: Decimal) -> None:
        held, exchange = self.held, self.exchange
        total = held.total("BTCUSDT")
        out, side = ("sell", 1) if total >= 0 else ("buy", -1)
        mine, fee = abs(held.quantity(owner, "BTCUSDT")), abs(amount)
        if what == "open":
            exchange.opens(side * quantity, price)
            self.take(held.apply(fill("buy" if side > 0 else "sell", quantity, price, fee=fee), owner), -fee)
        elif what in ("close", "all") and mine:
            some = mine if what == "all" else min(quantity, mine)
            gain = exchange.closes(some, price)
            self.take(held.apply(fill(out, some, price, realized=gain, fee=fee), owner), gain - fee, gain)
        elif what == "hand" and total:
            some = min(quantity, abs(total))
            gain = exchange.closes(some, price)
            self.take(held.apply(fill(out, some, price, realized=gain, fee=fee), EXTERNAL), gain - fee, gain)
        elif what in ("cut", "end") and total:
            some = abs(total) if what == "end" else min(quantity, abs(total))
            gain = exchange.closes(some, price) - fee
            self.take(held.apply(liquidated(out, some, price, -gain), ""), gain, gain)
        elif what == "fund":
            self.take(held.apply(paid(amount), ""), -amount)
        elif what == "adopt":
            exchange.opens(side * quantity, price)
            self.take(held.adopt(EXTERNAL, "BTCUSDT", side * quantity, price), D(0))
        elif what == "move":
            self.take(held.apply(Moved("m", "transfer", amount, 0), ""), amount)

    def take(self, pieces: list[Piece], wallet: Decimal, gain: Decimal = D(0)) -> None:
        assert sum(piece.amounts.get("wallet", D(0)) for piece in pieces) == wallet
        assert len({piece.owner for piece in pieces}) == len(pieces)
        for piece in pieces:
            assert sum(piece.amounts.values()) == 0
            assert all(amount % STEP == 0 for amount in piece.amounts.values())
            assert piece.held == self.held.quantity(piece.owner, piece.symbol)
            for book, amount in piece.amounts.items():
                self.books[book] = self.books.get(book, D(0)) + amount
            self.own -= piece.amounts.get("realized", D(0)) + piece.amounts.get("liquidation", D(0))
        self.at_exchange += gain


def assert_whole(books: Books) -> None:
    held = books.held
    quantities = [held.quantity(owner, "BTCUSDT") for owner in [*OWNERS, EXTERNAL]]
    assert sum(quantities) == held.total("BTCUSDT") and Fraction(held.total("BTCUSDT")) == books.exchange.quantity
    assert all(one >= 0 for one in quantities) or all(one <= 0 for one in quantities)
    assert all(one % D("0.001") == 0 for one in quantities)
    assert held.netting("BTCUSDT") == books.books.get("netting", D(0)) == books.own - books.at_exchange
    assert sum(books.books.values()) == 0
    if not held.total("BTCUSDT"):
        assert held.netting("BTCUSDT") == 0 and books.own == books.at_exchange
        assert all(held.entry(owner, "BTCUSDT") == 0 for owner in OWNERS)


@settings(max_examples=400, deadline=None)
@given(acts)
def test_parts_sum_to_the_position_and_money_to_the_wallet(sequence) -> None:
    books = Books()
    for act in sequence:
        books.act(*act)
        assert_whole(books)
    books.act("end", "", D(1), D(50), D(0))
    assert_whole(books)


@settings(max_examples=200, deadline=None)
@given(acts)
def test_an_owners_profit_is_that_of_its_own_fills(sequence) -> None:
    """Without liquidations: what each owner won until it is flat is what its own fills brought, to a step a fill."""
    books, cash, own, fills = Books(), dict.fromkeys(OWNERS, Fraction(0)), dict.fromkeys(OWNERS, D(0)), 0
    for what, owner, quantity, price, _ in [*sequence, *(("all", owner, D(1), D(70), D(0)) for owner in OWNERS)]:
        if what not in ("open", "close", "all"):
            continue
        before, won = books.held.quantity(owner, "BTCUSDT"), books.books.copy()
        books.act(what, owner, quantity, price, D(0))
        change = books.held.quantity(owner, "BTCUSDT") - before
        cash[owner] -= Fraction(change) * Fraction(price)
        own[owner] -= books.books.get("realized", D(0)) - won.get("realized", D(0))
        fills += 1
    assert all(abs(Fraction(own[owner]) - cash[owner]) <= 3 * fills * Fraction(STEP) for owner in OWNERS)


@settings(max_examples=200, deadline=None)
@given(st.permutations([("a", "1", "100"), ("b", "2", "104.5"), ("c", "0.5", "99.1"), ("a", "3", "103")]), prices, money)
def test_the_order_of_openings_changes_nothing(order, price, amount) -> None:
    held, first = Holdings(), Holdings()
    for owner, quantity, at in order:
        held.apply(fill("buy", quantity, at), owner)
    for owner, quantity, at in sorted(order):
        first.apply(fill("buy", quantity, at), owner)
    assert amounts(held.apply(paid(amount), "")) == amounts(first.apply(paid(amount), ""))
    closing = fill("sell", "4", price, realized="1.5")
    assert held.apply(closing, "a") == first.apply(closing, "a")


@settings(max_examples=100, deadline=None)
@given(acts)
def test_restored_from_the_last_pieces_it_goes_on_the_same(sequence) -> None:
    books, restored, last = Books(), Holdings({"BTCUSDT": D("0.001")}), {}
    take = books.take
    books.take = lambda pieces, *rest: (take(pieces, *rest), last.update({one.owner: one for one in pieces if one.symbol}))  # type: ignore[method-assign]
    for act in sequence:
        books.act(*act)
    for piece in last.values():
        restored.restore(piece.owner, piece.symbol, piece.held, piece.cost, books.held.netting("BTCUSDT"))
    total = books.held.total("BTCUSDT")
    event = liquidated("sell" if total > 0 else "buy", abs(total) or D(1), "33.3333", "1.23456789")
    assert sorted(restored.apply(event, ""), key=repr) == sorted(books.held.copy().apply(event, ""), key=repr)
    assert books.held.total("BTCUSDT") == total
