"""The port of a member in this process: what it tells and what can be asked afterwards are the same thing."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from trading_floor import MINUTE, Played, trading

from haechi.core.plan import Costs
from haechi.exchanges.port import Accepted, Event, Fill, Gone, Liquidated, Moved, NewOrder, Paid, Rejected, Seen
from haechi.venue.exchange import TickBar
from haechi.venue.moments import Book
from haechi.venue.paper import Paper

D = Decimal


class Heard:
    def __init__(self) -> None:
        self.events: list[Event] = []

    async def hear(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type) -> list[Any]:
        return [one for one in self.events if isinstance(one, kind)]


class Falling:
    async def hear(self, event: Event) -> None:
        raise RuntimeError("this listener falls at everything")


def order(name: str, side: str = "buy", quantity: str = "0.01", kind: str = "market", *, price: str = "", trigger: str = "",
          reduce_only: bool = False, symbol: str = "BTCUSDT") -> NewOrder:
    return NewOrder(name, symbol, side, D(quantity), kind, D(price) if price else None, D(trigger) if trigger else None, reduce_only)


def opened(played: Played, name: str = "m", **costs: Any) -> tuple[Paper, Heard]:
    paper, heard = played.floor.open_paper(name, Costs(**{"slippage": D(0), "capital": D(10_000), **costs})), Heard()
    for symbol in ("BTCUSDT", "ETHUSDT"):
        paper.listen(heard, symbol=symbol, prices=False)
    return paper, heard


async def test_events_and_questions_give_the_same_fills_and_payments() -> None:
    played = await trading()
    paper, heard = opened(played)
    for name, side in (("a", "buy"), ("b", "sell"), ("c", "sell")):
        await paper.place(order(name, side))
    await played.move(600_100)
    await played.close()
    await played.open(600_000, rates=(10_000,))
    assert len(heard.of(Fill)) == 3 and await paper.fills_since(0) == heard.of(Fill)
    assert len(heard.of(Paid)) == 1 and await paper.payments_since(0) == heard.of(Paid)
    assert await paper.fills_since(played.ts + 1) == [] and await paper.payments_since(played.ts + 1) == []


async def test_a_cross_liquidation_tells_of_every_position_it_takes() -> None:
    played = await trading()
    paper, heard = opened(played, capital=D(1_000))
    for symbol in ("BTCUSDT", "ETHUSDT"):
        assert isinstance(await paper.set_leverage(symbol, 20, cross=True), Accepted)
    await paper.place(order("a", quantity="0.2"))
    await paper.place(order("b", quantity="1", symbol="ETHUSDT"))
    await played.move(400_000)
    told = heard.of(Liquidated)
    assert {one.symbol for one in told} == {"BTCUSDT", "ETHUSDT"} and await paper.positions() == []
    assert [one for one in await paper.fills_since(0) if isinstance(one, Liquidated)] == told
    spent = sum(one.fee - one.realized for one in heard.of(Fill)) + sum(one.loss for one in told)
    assert (await paper.balance()).wallet == D(1_000) - spent


async def test_a_limited_book_fills_in_pieces_that_are_told_one_by_one() -> None:
    played = await trading()
    paper, heard = opened(played)
    await played.floor.play(Book(0, played.ts, ((599_990, 5),), ((600_010, 4), (600_020, 3)), snapshot=True))
    await paper.place(order("a", quantity="0.010", kind="market"))
    await paper.place(order("b", quantity="0.010", kind="limit", price="59999"))
    await played.floor.play(Book(0, played.ts, (), ((599_990, 6),)))
    await played.move(600_000)
    assert [(one.client_id, one.quantity, one.price) for one in heard.of(Fill)] == [
        ("a", D("0.004"), D("60001.0")), ("a", D("0.003"), D("60002.0")), ("b", D("0.006"), D("59999.0"))]
    assert [(one.client_id, one.reason) for one in heard.of(Gone)] == [("a", "no_liquidity")]
    assert await paper.look(order("a"), 0) == Seen(played.floor.members["m"].find(client_oid="a").order_id, "canceled", D("0.007"), "no_liquidity")  # type: ignore[union-attr]
    rest, = await paper.open_orders()
    assert (rest.order.quantity, rest.filled) == (D("0.010"), D("0.006"))


async def test_what_came_to_nothing_is_seen_with_its_reason() -> None:
    played = await trading()
    paper, heard = opened(played)
    assert isinstance(await paper.place(order("big", quantity="100")), Accepted)
    await played.move(600_010)
    assert [one.reason for one in heard.of(Gone)] == ["margin"]
    seen = await paper.look(order("big"), 0)
    assert isinstance(seen, Seen) and (seen.status, seen.reason) == ("rejected", "margin")
    assert await paper.resolve("big") == Rejected("margin") and await paper.resolve("nobody") == Rejected("never_arrived")


async def test_a_client_id_is_taken_once() -> None:
    played = await trading()
    paper, _ = opened(played)
    assert isinstance(await paper.place(order("a")), Accepted)
    assert await paper.place(order("a")) == Rejected("duplicate")
    assert len(await paper.fills_since(0)) == 1


async def test_a_changed_limit_goes_on_under_another_id_and_a_changed_stop_under_its_own() -> None:
    played = await trading()
    paper, heard = opened(played)
    await paper.place(order("l", kind="limit", price="59000"))
    await paper.place(order("s", kind="stop", trigger="61000"))
    assert isinstance(await paper.modify("l", new_client_id="l2", quantity=D("0.02"), price=D("59500")), Accepted)
    assert isinstance(await paper.modify("s", new_client_id="s2", trigger=D("60500")), Accepted)
    assert await paper.modify("nobody", new_client_id="x", price=D(1)) == Rejected("no_order")
    assert await paper.modify("s", new_client_id="s3", trigger=D("60500.05")) == Rejected("precision")
    assert sorted((one.order.client_id, one.order.quantity, one.order.price, one.order.trigger) for one in await paper.open_orders()) == [
        ("l2", D("0.02"), D(59_500), None), ("s", D("0.01"), None, D(60_500))]
    await played.move(605_500, 594_000)
    assert [(one.client_id, one.price) for one in heard.of(Fill)] == [("s", D(60_500)), ("l2", D(59_500))]
    assert await paper.resolve("l") != Rejected("never_arrived")


async def test_money_that_moves_is_told_but_not_what_the_account_began_with() -> None:
    played = await trading()
    paper, _ = opened(played)
    assert await paper.movements_since(0) == []
    paper.member.transfer(D("-250.5"))
    assert [(one.kind, one.amount) for one in await paper.movements_since(0)] == [("trans_to_exchange", D("-250.5"))]
    assert all(isinstance(one, Moved) for one in await paper.movements_since(0))


async def test_a_halted_market_is_blind_and_takes_no_order() -> None:
    played = await trading()
    paper, _ = opened(played)
    assert paper.blind() == ""
    played.floor.halt(on=True)
    assert paper.blind().startswith("market:") and await paper.place(order("a")) == Rejected("maintenance")
    assert (await paper.look(order("a"), 0)) == Rejected("never_arrived")


async def test_a_listener_that_falls_stops_neither_the_market_nor_others() -> None:
    played = await trading()
    first, heard_first = opened(played, "first")
    first.unlisten(heard_first)
    first.listen(Falling(), symbol="BTCUSDT", prices=True)
    second, heard = opened(played, "second")
    await first.place(order("a"))
    await second.place(order("b"))
    await played.move(600_100)
    await played.close()
    assert [one.client_id for one in heard.of(Fill)] == ["b"] and len(heard.events) == 2


async def test_bars_are_told_to_all_accounts_at_the_same_time() -> None:
    """Each listener waits for the other: told one after the other they would wait for ever."""
    played, met = await trading(), asyncio.Barrier(3)

    class Waiting:
        async def hear(self, event: Event) -> None:
            await met.wait()

    for name in ("a", "b", "c"):
        played.floor.open_paper(name, Costs()).listen(Waiting(), symbol="BTCUSDT", prices=False)
    async with asyncio.timeout(5):
        await played.floor.instant({"BTCUSDT": TickBar(played.ts // MINUTE * MINUTE, 600_000, 600_100, 599_900, 600_050, 1.0)})
    assert met.n_waiting == 0


async def test_who_closes_his_account_takes_his_money_and_the_books_stay_even() -> None:
    played = await trading()
    paper, _ = opened(played, "a")
    other, _ = opened(played, "b")
    for one in (paper, other):
        await one.place(order("x", quantity="0.1"))
    await played.move(605_000)
    await played.close()
    played.floor.close_member("a")
    books, b = played.floor.clearing, other.member
    assert "a" not in played.floor.members and "a" not in played.floor.venue.accounts
    unit, mark = int(b.account.plans[0, 0]), 605_000
    house = books.fees + books.funding + books.insurance + sum(books.cash) + books.lots[0] * mark * unit
    owed = int(b.account.equity * 10**8)
    assert books.deposits == owed + house
