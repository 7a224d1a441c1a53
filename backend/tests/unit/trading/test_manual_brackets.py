"""Brackets of orders made by hand, on an exchange of the test's making: protected at once, sized to what filled, one cancels the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tables import with_tables

from haechi.core.holdings import WALLET, Holdings
from haechi.core.instrument import Instrument
from haechi.core.risk import Limits
from haechi.exchanges.port import Accepted, Balance, Fill, Gone, Moved, NewOrder, OpenOrder, Outcome, Position, Rejected, Unknown
from haechi.identity.models import User
from haechi.platform.clock import SetClock
from haechi.platform.db import Database
from haechi.trading import by_hand, ledger
from haechi.trading.alarms import Alarms
from haechi.trading.brackets import Guard
from haechi.trading.desk import Desk, Office
from haechi.trading.gate import Gate
from haechi.trading.models import Account, Bracket, Order
from haechi.trading.order_schemas import SubmitBody
from haechi.trading.reserve import Reserve
from haechi.trading.scribe import Scribe
from haechi.trading.working import working_of

START = datetime(2026, 1, 1, tzinfo=UTC)
BTC = Instrument("BTCUSDT", tick=Decimal("0.1"), lot=Decimal("0.001"))
WIDE = Limits(orders_second_max=10**6, orders_minute_max=10**6, orders_minute_user_max=10**6)
D = Decimal


class Scripted:
    """Takes every order unless the test says otherwise; fills only when the test says so."""

    def __init__(self, clock: SetClock) -> None:
        self.clock = clock
        self.calls: list[str] = []
        self.resting: dict[str, NewOrder] = {}
        self.says: list[Outcome] = []  # for the next stops
        self.on_place: Any = None
        self.trades = 0
        self.done: dict[str, Decimal] = {}

    async def place(self, order: NewOrder, **_given: Any) -> Outcome:
        self.calls.append(f"{order.kind} {order.side} {order.quantity:f}")
        if order.kind == "stop" and self.says:
            answer = self.says.pop(0)
            if not isinstance(answer, Accepted):
                return answer
        self.resting[order.client_id] = order
        if self.on_place is not None and not order.reduce_only:
            hook, self.on_place = self.on_place, None
            await hook(order)
        return Accepted(f"x{order.client_id}")

    async def cancel(self, client_id: str) -> Outcome:
        order = self.resting.pop(client_id, None)
        self.calls.append(f"cancel {order.kind}" if order else "cancel nothing")
        return Accepted("x") if order else Rejected("no_order")

    def fill(self, order: NewOrder, quantity: str, price: str) -> Fill:
        self.trades += 1
        self.done[order.client_id] = self.done.get(order.client_id, D(0)) + D(quantity)
        if self.done[order.client_id] >= order.quantity:
            self.resting.pop(order.client_id, None)
        return Fill(f"t{self.trades}", order.client_id, order.symbol, order.side, D(quantity), D(price), D(0), D(0), False, D(price),
                    self.clock.now_ms())

    async def set_leverage(self, symbol: str, leverage: int, *, cross: bool) -> Outcome:
        return Accepted("")

    async def instrument(self, symbol: str) -> Instrument | None:
        return BTC

    async def open_orders(self) -> list[OpenOrder]:
        return [OpenOrder(one, "", self.done.get(one.client_id, D(0))) for one in self.resting.values()]

    async def positions(self) -> list[Position]:
        return []

    async def balance(self) -> Balance:
        return Balance(D(1_000_000), D(1_000_000), D(1_000_000))

    async def look(self, order: NewOrder, sent_ms: int) -> Unknown:
        return Unknown("silence")

    async def nothing_since(self, _time_ms: int, **_given: Any) -> list[Any]:
        return []

    fills_since = payments_since = movements_since = nothing_since

    def blind(self) -> str:
        return ""

    def listen(self, listener: Any, *, symbol: str, prices: bool) -> None: ...

    def unlisten(self, listener: Any) -> None: ...


class Stage:
    """One account's desk; `again` is a restart over the same tables and the same exchange."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.clock = database, SetClock(START)
        self.exchange = Scripted(self.clock)
        self.reserve = Reserve(folder / "reserve", room=1 << 16)
        self.scribe = Scribe(database)
        gate = Gate(lambda _owner: WIDE, lambda _user, _bot: "", started_ms=self.clock.now_ms())
        self.office = Office(self.scribe, gate, Alarms(self.scribe, self.clock), self.clock, self.reserve, lambda: True)
        self.desk = self.made(Holdings(), D(0))

    def made(self, holdings: Holdings, wallet: Decimal) -> Desk:
        desk = Desk("u1", "a1", "paper", "exclusive", self.exchange, self.office, holdings, wallet=wallet, ready=True)  # type: ignore[arg-type]
        desk.prices["BTCUSDT"] = D(60_000), self.clock.now_ms()
        return desk

    async def again(self) -> None:
        await self.scribe.settled()
        async with self.database.reading() as session:
            self.desk = self.made(await ledger.holdings_of(session, "a1"), await ledger.balance_of(session, "a1", WALLET))
            for row in (await session.execute(select(Order).where(Order.status.in_(("sent", "open", "unknown"))))).scalars():
                self.desk.orders.add(working_of(row))
            rows = (await session.execute(select(Order.id))).scalars().all()
            self.desk.counters["ma1"] = max(int(one.rpartition("-")[2]) for one in rows)
            await self.desk.manual.restore(session)
        await self.desk.manual.resume()

    async def submit(self, **body: Any) -> NewOrder:
        order_id = await by_hand.submit(self.desk, SubmitBody(**{"symbol": "BTCUSDT", "side": "buy", "quantity": "1", **body}))
        self.exchange.calls.clear()
        one = self.desk.orders.find(order_id)
        assert one is not None
        return one.order

    async def filled(self, order: NewOrder, quantity: str, price: str = "60000") -> None:
        await self.desk.hear(self.exchange.fill(order, quantity, price))

    def resting(self) -> list[str]:
        """What protects: kind, quantity and price."""
        left = {one.client_id: (one.quantity - self.exchange.done.get(one.client_id, D(0))).normalize() for one in self.exchange.resting.values()}
        return sorted(f"{one.kind} {one.side} {left[one.client_id]:f} at {(one.trigger or one.price or D(0)).normalize():f}"
                      for one in self.exchange.resting.values() if one.reduce_only)

    def exit(self, kind: str) -> NewOrder:
        return next(one for one in self.exchange.resting.values() if one.reduce_only and one.kind == kind)

    async def rows(self, kind: Any) -> list[Any]:
        await self.scribe.settled()
        async with self.database.reading() as session:
            return list((await session.execute(select(kind))).scalars())


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    database = await with_tables(f"sqlite+aiosqlite:///{tmp_path}/desk.db")
    async with database.writing() as session:
        session.add(User(id="u1", email="u1@example.com", password_hash="x", role="user", created_at=START, suspended_at=None))
        await session.flush()
        session.add(Account(id="a1", user_id="u1", mode="paper", capital=D(1_000_000), created_at=START))
    made = Stage(database, tmp_path)
    await made.desk.hear(Moved("opening", "opening", D(1_000_000), made.clock.now_ms()))
    yield made
    await made.scribe.close()
    made.reserve.close()
    await database.close()


BOTH = {"bracket": {"stop_loss": {"price": "58000"}, "take_profit": {"price": "63000"}}}


async def test_nothing_rests_before_the_fill_and_both_right_after_it(stage: Stage) -> None:
    entry = await stage.submit(**BOTH)
    assert stage.resting() == []
    await stage.filled(entry, "1")
    assert stage.resting() == ["limit sell 1 at 63000", "stop sell 1 at 58000"]
    orders = {one.role: one for one in await stage.rows(Order)}
    assert set(orders) == {"bracket", "stop:000001", "target:000001"} and all(one.origin == "manual" for one in orders.values())


async def test_they_are_as_large_as_what_filled_and_the_new_one_is_there_before_the_old_one_goes(stage: Stage) -> None:
    entry = await stage.submit(**BOTH)
    await stage.filled(entry, "0.4")
    assert stage.resting() == ["limit sell 0.4 at 63000", "stop sell 0.4 at 58000"]
    stage.exchange.calls.clear()
    await stage.filled(entry, "0.6")
    assert stage.resting() == ["limit sell 1 at 63000", "stop sell 1 at 58000"]
    assert stage.exchange.calls == ["stop sell 1.0", "limit sell 1.0", "cancel stop", "cancel limit"]


async def test_a_fill_that_comes_before_the_answer_is_protected(stage: Stage) -> None:
    async def at_once(order: NewOrder) -> None:
        await stage.filled(order, "1")

    stage.exchange.on_place = at_once
    await stage.submit(**BOTH)
    assert stage.resting() == ["limit sell 1 at 63000", "stop sell 1 at 58000"]


async def test_part_of_the_target_shrinks_the_stop_and_the_rest_cancels_it(stage: Stage) -> None:
    await stage.filled(await stage.submit(**BOTH), "1")
    target = stage.exit("limit")
    await stage.filled(target, "0.3", "63000")
    assert stage.resting() == ["limit sell 0.7 at 63000", "stop sell 0.7 at 58000"]
    await stage.filled(target, "0.7", "63000")
    assert stage.resting() == [] and stage.desk.manual.guards == {}
    assert (await stage.rows(Bracket))[0].ended_ms is not None


async def test_the_stop_cancels_the_target(stage: Stage) -> None:
    await stage.filled(await stage.submit(**BOTH), "1")
    await stage.filled(stage.exit("stop"), "1", "57990")
    assert stage.resting() == [] and not stage.desk.holdings.symbols()


async def test_a_short_is_protected_on_the_other_side_by_percent_of_its_first_fill(stage: Stage) -> None:
    entry = await stage.submit(side="sell", bracket={"stop_loss": {"percent": "1.234"}, "take_profit": {"percent": "2"}})
    await stage.filled(entry, "0.5", "60123.4")
    await stage.filled(entry, "0.5", "60100")
    assert stage.resting() == ["limit buy 1 at 58920.9", "stop buy 1 at 60865.3"]
    assert [(one.stop, one.target) for one in await stage.rows(Bracket)] == [(D("60865.3"), D("58920.9"))]


async def test_what_is_closed_in_another_way_is_not_protected_any_more_the_oldest_first(stage: Stage) -> None:
    first = await stage.submit(**BOTH)
    await stage.filled(first, "1")
    second = await stage.submit(bracket={"stop_loss": {"price": "57000"}})
    await stage.filled(second, "1")
    plain = await stage.submit()
    await stage.filled(plain, "1")
    stage.exchange.calls.clear()
    closing = await stage.submit(side="sell", reduce_only=True, quantity="1.5")
    await stage.filled(closing, "1.5")
    assert stage.resting() == ["limit sell 0.5 at 63000", "stop sell 0.5 at 58000", "stop sell 1 at 57000"]
    closing = await stage.submit(side="sell", reduce_only=True, quantity="1.5")
    await stage.filled(closing, "1.5")
    assert stage.resting() == [] and stage.desk.manual.guards == {}
    await stage.filled(await stage.submit(), "1")
    assert stage.resting() == [], "a later purchase has no bracket"


async def test_an_order_of_ones_own_is_left_alone(stage: Stage) -> None:
    mine = await stage.submit(kind="limit", price="55000")
    await stage.filled(await stage.submit(**BOTH), "1")
    own_stop = await stage.submit(side="sell", kind="stop", trigger="59000", reduce_only=True)
    await stage.desk.manual.poke()
    assert {mine.client_id, own_stop.client_id} <= set(stage.exchange.resting)


async def test_a_stop_that_the_market_has_passed_is_closed_at_the_market(stage: Stage) -> None:
    entry = await stage.submit(**BOTH)
    stage.exchange.says = [Rejected("trigger", "43011")]
    await stage.filled(entry, "1")
    assert "market sell 1" in stage.exchange.calls
    assert {key.split(":")[1] for key in stage.office.alarms.ringing} == {"stop_refused"}


async def test_a_stop_that_is_refused_is_tried_again_and_rings_after_three_seconds(stage: Stage) -> None:
    entry = await stage.submit(**BOTH)
    stage.exchange.says = [Rejected("rate", "429")] * 3
    await stage.filled(entry, "1")
    for _ in range(3):  # first seen a second after the fill
        stage.clock.advance(timedelta(seconds=1))
        await stage.desk.watch.once(evidence=False)
        await stage.desk.watch.settled()
    assert not any("naked" in key for key in stage.office.alarms.ringing)
    stage.clock.advance(timedelta(seconds=1))
    await stage.desk.watch.once(evidence=True)
    await stage.desk.watch.settled()
    assert any("naked" in key for key in stage.office.alarms.ringing) and stage.exchange.says == []
    assert "stop sell 1 at 58000" in stage.resting()
    await stage.desk.watch.once(evidence=True)
    await stage.desk.watch.settled()
    assert not any("naked" in key for key in stage.office.alarms.ringing)


async def test_a_stop_nobody_answers_for_is_placed_again(stage: Stage) -> None:
    entry = await stage.submit(**BOTH)
    stage.exchange.says = [Unknown("timeout")]
    await stage.filled(entry, "1")
    assert stage.resting() == ["limit sell 1 at 63000"]
    stage.clock.advance(timedelta(seconds=2))
    await stage.desk.watch.once(evidence=False)
    await stage.desk.watch.settled()
    assert "stop sell 1 at 58000" in stage.resting()


async def test_an_entry_that_ends_unfilled_ends_its_bracket(stage: Stage) -> None:
    entry = await stage.submit(kind="limit", price="59000", bracket={"stop_loss": {"price": "58000"}})
    await stage.desk.hear(Gone(entry.client_id, "BTCUSDT", "canceled", stage.clock.now_ms()))
    assert stage.desk.manual.guards == {} and "" not in stage.desk.faces
    await stage.filled(entry, "0.2")  # the exchange had filled some of it all the same
    assert stage.resting() == ["stop sell 0.2 at 58000"]
    assert (await stage.rows(Bracket))[0].ended_ms is None


async def test_a_refused_entry_leaves_no_bracket(stage: Stage) -> None:
    stage.desk.prices["BTCUSDT"] = D(60_000), stage.clock.now_ms() - 50_000
    with pytest.raises(by_hand.Conflict) as refused:
        await stage.submit(quantity="100", **BOTH)
    assert refused.value.code == "order_value_max" and stage.desk.manual.guards == {}
    assert await stage.rows(Bracket) == [] and await stage.rows(Order) == []


async def test_a_restart_after_the_fill_and_before_the_stop_places_it(stage: Stage) -> None:
    """The fill was booked, and the process died: what protects is made from the tables."""
    entry = await stage.submit(bracket={"stop_loss": {"percent": "5"}})
    stage.desk.manual._loading = True  # the process that heard the fill did nothing more
    await stage.filled(entry, "1", "60000")
    assert stage.resting() == []
    await stage.again()
    assert stage.resting() == ["stop sell 1 at 57000"]


async def test_a_restart_counts_what_exits_have_closed_and_keeps_what_rests(stage: Stage) -> None:
    await stage.filled(await stage.submit(**BOTH), "1")
    await stage.filled(stage.exit("limit"), "0.3", "63000")
    closing = await stage.submit(side="sell", reduce_only=True, quantity="0.2")
    await stage.filled(closing, "0.2")
    before = stage.resting()
    assert before == ["limit sell 0.5 at 63000", "stop sell 0.5 at 58000"]
    stage.exchange.calls.clear()
    await stage.again()
    assert stage.resting() == before and stage.exchange.calls == []
    assert [guard.left for guard in stage.desk.manual.guards.values()] == [D("0.5")]


async def test_a_leg_that_is_dropped_stays_away_over_a_restart(stage: Stage) -> None:
    await stage.filled(await stage.submit(**BOTH), "1")
    assert await stage.desk.manual.drop("stop:000001")
    assert stage.resting() == ["limit sell 1 at 63000"]
    await stage.again()
    assert stage.resting() == ["limit sell 1 at 63000"]
    assert not await stage.desk.manual.drop("stop:000077")


def test_a_guard_counts_a_fill_told_twice_once() -> None:
    guard = Guard("ma1-000007", "BTCUSDT", "buy", 1, stop=D(1))
    guard.count(guard.id, D("0.5"))
    guard.count(guard.id, D("0.5"))
    guard.count("ma1-000008", D("0.2"))
    guard.count(guard.id, D("0.4"))
    assert guard.left == D("0.3") and guard.roles == ("stop:000007", "target:000007")
    guard.count("ma1-000009", D("0.9"))
    assert guard.left == 0 and guard.tickets() == {}
