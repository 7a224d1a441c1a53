"""What the exchange tells is booked once, whoever tells it and however late, and handed to whom it concerns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import msgspec
import pytest
from desk_stage import B1, B2, LOST_AFTER, LOST_BEFORE, MANUAL, SYMBOL, WIDE, Listening, Stage, entry, leave, staged, stop
from sqlalchemy import text

from haechi.core.risk import Refused
from haechi.exchanges.port import Bar, Fill, Gone, Liquidated, Moved, Paid, Price, Rejected
from haechi.trading.desk_door import Sent
from haechi.trading.models import Alarm, Booking, Entry, Order


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as made:
        yield made


def joined(stage: Stage, *, netted: bool = True) -> tuple[Listening, Listening]:
    faces = Listening(B1), Listening(B2)
    for face in faces:
        stage.desk.attach(face)
    return faces


async def wallet_of(stage: Stage) -> D:
    return sum((one.amount for one in await stage.rows(Entry) if one.book == "wallet"), D(0))


async def test_a_fill_is_booked_once_however_often_it_is_told(stage: Stage) -> None:
    face, _ = joined(stage)
    name = await stage.sent(entry())
    fill = stage.exchange.fill(name, "1", fee="36")
    for _ in range(3):
        await stage.desk.hear(fill)
    await stage.again()
    await stage.desk.hear(fill)
    assert [event.trade_id for event, _ in face.heard if isinstance(event, Fill)] == ["t1"] and face.heard[0][1] == "entry"
    assert len([one for one in await stage.rows(Booking) if one.kind == "fill"]) == 1
    assert stage.desk.wallet == stage.exchange.wallet == await wallet_of(stage)


async def test_what_concerns_two_is_taken_in_by_the_second_while_the_first_still_acts_and_so_is_what_comes_next(stage: Stage) -> None:
    """Each must have its events in the order of the books: a restart counts them there."""
    first, second = joined(stage)
    for owner in (B1, B2):
        await stage.held("1", owner)
    first.may_act = asyncio.Event()
    paid = [Paid(f"p{number}", SYMBOL, D(-number), stage.clock.now_ms()) for number in (1, 2)]
    telling = [asyncio.create_task(stage.desk.hear(event)) for event in paid]
    for _ in range(3):
        await asyncio.sleep(0)
    for face in (first, second):
        assert [event.payment_id for event, _ in face.heard if isinstance(event, Paid)] == ["p1", "p2"]
    assert not any(one.done() for one in telling)
    first.may_act.set()
    await asyncio.gather(*telling)


async def test_an_order_that_fills_in_pieces_has_them_all(stage: Stage) -> None:
    face, _ = joined(stage)
    name = await stage.sent(entry())
    for quantity in ("0.2", "0.3", "0.5"):
        await stage.desk.hear(stage.exchange.fill(name, quantity))
    assert stage.desk.holdings.quantity("b1", SYMBOL) == stage.exchange.position == 1 and len(face.heard) == 3
    row = (await stage.rows(Order))[0]
    assert (row.filled, row.status) == (1, "filled")


async def test_what_filled_while_it_was_being_cancelled_is_booked(stage: Stage) -> None:
    face, _ = joined(stage)
    name = await stage.sent(entry(kind="limit", price=D(59_000)))
    await stage.desk.hear(stage.exchange.fill(name, "0.3", "59000"))
    fill = stage.exchange.fill(name, "0.2", "59000")
    assert await stage.desk.cancel(B1, name)
    await stage.desk.hear(fill)
    assert stage.desk.holdings.quantity("b1", SYMBOL) == stage.exchange.position == D("0.5") and len(face.heard) == 2
    row = (await stage.rows(Order))[0]
    assert (row.status, row.filled) == ("canceled", D("0.5"))


async def test_a_fill_of_an_order_that_was_given_up_is_booked_for_its_owner(stage: Stage) -> None:
    face, _ = joined(stage)
    stage.exchange.answers = [LOST_BEFORE]
    name = await stage.sent(entry())
    stage.exchange.looks[name] = Rejected("never_arrived")
    await stage.round()
    assert await stage.status(name) == "rejected"
    await stage.desk.hear(stage.exchange.fill(name, "1"))  # it came after all
    assert stage.desk.holdings.quantity("b1", SYMBOL) == 1 and [role for _, role in face.heard] == ["entry", "entry"]
    assert await stage.status(name) == "rejected"


async def test_an_old_order_that_only_the_table_knows_is_found_there(stage: Stage) -> None:
    name = await stage.sent(entry(kind="limit", price=D(59_000)))
    assert await stage.desk.cancel(B1, name)
    await stage.again()
    assert stage.desk.orders.find(name) is None
    await stage.desk.hear(stage.exchange.fill(name, "1", "59000"))
    assert stage.desk.holdings.quantity("b1", SYMBOL) == 1 and name in stage.desk.orders.ended


async def test_a_fill_under_a_lost_name_is_its_owners_by_the_name_and_a_strangers_is_nobodys(stage: Stage) -> None:
    joined(stage)
    for number, (client_id, owner) in enumerate((("b1-000099", "b1"), ("ma1-000007", ""), ("zz-000001", "external"), ("", "external"))):
        await stage.desk.hear(stage.exchange.trade(client_id, "buy", f"0.{number + 1}"))
        assert stage.desk.holdings.quantity(owner, SYMBOL) >= D(f"0.{number + 1}")
    assert stage.desk.holdings.total(SYMBOL) == stage.exchange.position


async def test_a_fill_that_the_ledger_cannot_take_rings_and_nothing_is_added_until_a_restart_fetches_it(stage: Stage) -> None:
    """Not because the database is away: by a fault of ours."""
    name = await stage.sent(entry())
    async with stage.database.writing() as session:
        await session.execute(text("ALTER TABLE ledger_entries RENAME TO broken"))
    await stage.desk.hear(stage.exchange.fill(name, "1"))
    await stage.desk.scribe.settled()
    assert "unbooked" in stage.alarms() and stage.desk.doubts() == ("unbooked",)
    stage.desk.check.well()
    assert [(one.facts, one.cleared_ms) for one in await stage.rows(Alarm)] == [({"told": "t1", "fault": "OperationalError"}, None)]
    async with stage.database.writing() as session:
        await session.execute(text("ALTER TABLE broken RENAME TO ledger_entries"))
    await stage.again()
    assert stage.desk.doubts() == () and stage.desk.holdings.quantity("b1", SYMBOL) == 1 and await wallet_of(stage) == stage.desk.wallet
    stage.desk.check.well()
    assert stage.alarms() == set() and [one.cleared_ms is None for one in await stage.rows(Alarm)] == [False]


async def test_funding_is_booked_once_and_shared_by_those_who_hold(stage: Stage) -> None:
    faces = joined(stage)
    for owner in (B1, B2):
        await stage.held("1", owner)
    paid = Paid("f1", SYMBOL, D("12"), stage.clock.now_ms())
    stage.exchange.wallet -= 12
    await stage.desk.hear(paid)
    await stage.desk.hear(paid)
    assert [[event.amount for event, _ in face.heard if isinstance(event, Paid)] for face in faces] == [[D(6)], [D(6)]]
    assert stage.desk.wallet == stage.exchange.wallet == await wallet_of(stage)
    assert stage.desk.loss_today(stage.clock.now_ms()) == 12


async def test_a_liquidation_takes_from_all_and_tells_each(stage: Stage) -> None:
    faces = joined(stage)
    for owner in (B1, B2):
        await stage.held("1", owner)
    await stage.desk.hear(Liquidated("l1", SYMBOL, "sell", D(2), D(50_000), D(20_100), stage.clock.now_ms()))
    for face in faces:
        event, _ = face.heard[-1]
        assert isinstance(event, Liquidated) and (event.quantity, event.loss) == (D(1), D(10_050))
    assert stage.desk.holdings.symbols() == [] and stage.desk.holdings.netting(SYMBOL) == 0


async def test_money_that_moves_changes_the_wallet_and_is_no_loss(stage: Stage) -> None:
    before = stage.desk.wallet
    for _ in range(2):
        await stage.desk.hear(Moved("m1", "transfer", D(-500), stage.clock.now_ms()))
    assert stage.desk.wallet == before - 500 == await wallet_of(stage) and stage.desk.loss_today(stage.clock.now_ms()) == 0


async def test_what_is_closed_by_hand_at_the_exchange_is_told_to_whom_it_belonged(stage: Stage) -> None:
    face, _ = joined(stage)
    await stage.held()
    await stage.desk.hear(stage.exchange.trade("", "sell", "0.4", "61000"))
    event, role = face.heard[-1]
    assert isinstance(event, Fill) and (event.side, event.quantity, role) == ("sell", D("0.4"), "")
    assert event.realized == 400 and stage.desk.holdings.quantity("b1", SYMBOL) == D("0.6")


async def test_who_is_away_is_remembered_as_not_told(stage: Stage) -> None:
    await stage.held()
    assert stage.desk.unheard == {"b1"}


async def test_an_order_that_ends_by_itself_is_told_and_one_that_we_ended_is_not(stage: Stage) -> None:
    face, _ = joined(stage)
    for asked in (False, True):
        name = await stage.sent(entry(kind="limit", price=D(59_000)))
        stage.desk.orders.working[name].canceling = asked
        await stage.desk.hear(Gone(name, SYMBOL, "post_only" if not asked else "canceled", stage.clock.now_ms()))
        assert await stage.status(name) == ("canceled" if asked else "rejected")
    await stage.desk.hear(Gone("b1-000077", SYMBOL, "canceled", 0))
    assert [event.reason for event, _ in face.heard if isinstance(event, Gone)] == ["post_only"]


async def test_an_unknown_order_that_fills_in_part_is_open(stage: Stage) -> None:
    stage.exchange.answers = [LOST_AFTER]
    name = await stage.sent(entry())
    await stage.desk.hear(stage.exchange.fill(name, "0.5"))
    assert stage.desk.orders.working[name].status == "open" and "unknown_order" not in stage.desk.doubts()


async def test_an_event_older_than_what_is_remembered_is_asked_for_in_the_books(stage: Stage) -> None:
    name = await stage.held()
    fill = stage.exchange.fills[0]
    await stage.desk.scribe.settled()
    stage.desk.known.clear()
    stage.desk.known_from_ms = fill.time_ms
    await stage.desk.hear(fill)
    assert stage.desk.holdings.quantity("b1", SYMBOL) == 1 and len(stage.exchange.fills) == 1
    late = stage.exchange.trade(name, "buy", "0.5")
    await stage.desk.hear(late)
    assert stage.desk.holdings.quantity("b1", SYMBOL) == D("1.5")


async def test_what_is_remembered_is_bounded(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("haechi.trading.desk_books.SEEN_KEPT", 3)
    for number in range(5):
        await stage.desk.hear(Moved(f"m{number}", "transfer", D(1), stage.clock.now_ms()))
    assert list(stage.desk.known) == ["m2", "m3", "m4"]


async def test_the_gate_is_shown_the_account_and_the_owners_part(stage: Stage) -> None:
    joined(stage)
    await stage.held("2", B1)
    await stage.held("1", B2)
    await stage.sent(entry(kind="limit", price=D(50_000), leverage=2), B2)
    stage.desk.leverages[SYMBOL] = 10
    stage.later(3)
    stage.desk.prices[SYMBOL] = D(59_000), stage.clock.now_ms() - 1_500
    view = stage.desk.view(B1, SYMBOL)
    assert (view.position, view.others, view.positions, view.position_notional) == (2, 1, 1, 227_000)
    assert (view.others_short, view.others_long) == (0, 2)
    assert view.equity == 10_000_000 - 3_000 and view.available == view.equity - 17_700 - 25_000
    assert (view.market, view.age_ms, view.loss_today, view.doubts) == (59_000, 1_500, 3_000, ())
    assert stage.desk.view(MANUAL, SYMBOL).allocated == view.equity and view.allocated == 10_000_000


@pytest.mark.parametrize(("late_s", "rule"), [(0, ""), (60, ""), (19 * 60, "stale_data"), (-2, "clock_skew")])
async def test_a_price_is_as_old_as_the_bar_it_comes_from(stage: Stage, late_s: int, rule: str) -> None:
    """After an outage the bars that were missed are told one after the other, and their entries are no news."""
    at, closed_ms = D(60_000), stage.clock.now_ms() - late_s * 1000
    await stage.desk.hear(Bar(SYMBOL, 60_000, closed_ms - 60_000, at, at, at, at, 1.0))
    answer = (await stage.desk.send(B1, [entry()]))[0]
    assert (answer.rule if isinstance(answer, Refused) else "") == rule


async def test_a_paper_market_goes_by_its_own_clock(stage: Stage) -> None:
    stage.desk.mode = "paper"
    at = D(60_000)
    await stage.desk.hear(Bar(SYMBOL, 60_000, 0, at, at, at, at, 1.0))
    assert isinstance((await stage.desk.send(B1, [entry()]))[0], Sent)


LONG, SHORT = {"side": "buy"}, {"side": "sell"}


@pytest.mark.parametrize(("first", "reducing"), [(LONG, False), (SHORT, False), (LONG, True)])
async def test_two_owners_never_come_to_be_on_opposite_sides(stage: Stage, first: dict[str, Any], reducing: bool) -> None:
    """On one bar both decide, and neither holds anything yet. What only closes its owner's own position stands in nobody's way."""
    second = SHORT if first == LONG else LONG
    if reducing:
        await stage.held("1", B1)
        await stage.sent(entry(kind="limit", price=D(61_000), role="line", **second))
        answers = [(await stage.desk.send(B2, [entry(**side)]))[0] for side in (first, second)]
        assert isinstance(answers[0], Sent)
    else:
        answers = [one for owner, side in ((B1, first), (B2, second)) for one in await stage.desk.send(owner, [entry(**side)])]
    assert isinstance(answers[1], Refused) and answers[1].rule == "opposite"


async def test_what_rests_on_both_sides_leaves_no_side_to_others(stage: Stage) -> None:
    """A grid that holds nothing: whatever fills, the other would be against it."""
    for side, price in (("buy", 59_000), ("sell", 61_000)):
        await stage.sent(entry(kind="limit", price=D(price), role=side, side=side))
    answers = [(await stage.desk.send(B2, [entry(**side)]))[0] for side in (LONG, SHORT)]
    assert [one.rule for one in answers if isinstance(one, Refused)] == ["opposite", "opposite"]
    assert isinstance((await stage.desk.send(B1, [entry(**LONG)]))[0], Sent), "its own are not against it"


async def test_symbols_and_worth_that_are_only_ordered_count_for_the_limits(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = msgspec.structs.replace(WIDE, positions_max=1, exposure_max=D("0.015"))  # 150,000
    monkeypatch.setattr(stage.desk.gate, "limits_of", lambda _owner: limits)
    stage.desk.prices["ETHUSDT"] = D(3_000), stage.clock.now_ms()
    answers = [(await stage.desk.send(owner, [ticket]))[0] for owner, ticket in (
        (B1, entry()), (B2, entry(symbol="ETHUSDT")), (B2, entry()), (B2, entry(role="more")), (B1, entry(role="less", quantity="0.4")))]
    assert [one.rule if isinstance(one, Refused) else "" for one in answers] == ["", "positions", "", "exposure", ""]


async def test_a_loss_is_of_its_day(stage: Stage) -> None:
    name = await stage.held()
    await stage.desk.hear(stage.exchange.fill(await stage.sent(leave()), "1", "59000"))
    assert stage.desk.loss_today(stage.clock.now_ms()) == 1_000
    await stage.again()
    assert stage.desk.loss_today(stage.clock.now_ms()) == 1_000 and name
    stage.clock.advance(timedelta(days=1))
    assert stage.desk.loss_today(stage.clock.now_ms()) == 0


async def test_a_price_goes_to_those_who_watch_it_and_a_bar_to_all(stage: Stage) -> None:
    one, other = joined(stage)
    other.watches_price = True  # type: ignore[misc]
    stage.desk.follow(SYMBOL)
    assert stage.exchange.listening == {SYMBOL: True}
    at = D(61_000)
    await stage.desk.hear(Price(SYMBOL, at, 1))
    await stage.desk.hear(Bar(SYMBOL, 60_000, 0, at, at, at, at, 1.0))
    assert (len(one.heard), len(other.heard)) == (1, 2) and stage.desk.price(SYMBOL) == at


async def test_a_symbol_is_followed_while_somebody_holds_or_waits(stage: Stage) -> None:
    first, second = Listening(B1), Listening(B1)
    stage.desk.attach(first)
    await stage.held()
    stage.desk.detach(first)
    assert stage.exchange.listening == {SYMBOL: False} and not stage.desk.idle
    stage.desk.attach(second)
    await stage.desk.hear(stage.exchange.fill(await stage.sent(leave()), "1"))
    stage.desk.detach(second)
    assert stage.exchange.listening == {} and stage.desk.idle


async def test_who_goes_late_leaves_the_one_that_has_come_in_its_place(stage: Stage) -> None:
    first, second = Listening(B1), Listening(B1)
    stage.desk.attach(first)
    stage.desk.attach(second)
    stage.desk.detach(first)
    at = D(61_000)
    await stage.desk.hear(Bar(SYMBOL, 60_000, 0, at, at, at, at, 1.0))
    assert stage.desk.faces == {"b1": second} and (len(first.heard), len(second.heard)) == (0, 1)


async def test_who_goes_from_a_closed_desk_asks_nothing_of_the_exchange(stage: Stage) -> None:
    one, other = Listening(B1), Listening(B2)
    other.watches_price = True  # type: ignore[misc]
    for face in (one, other):
        stage.desk.attach(face)
    await stage.desks.close_desk("a1")
    stage.desk.detach(other)
    assert stage.exchange.listening == {}


async def test_a_closed_desk_hears_nothing_and_leaves_what_rests(stage: Stage) -> None:
    await stage.held()
    protect = await stage.sent(stop())
    waits = await stage.sent(entry(kind="limit", price=D(50_000)))
    calls = list(stage.exchange.calls)
    await stage.desks.close_desk("a1")
    await stage.desk.hear(stage.exchange.fill(waits, "1", "50000"))
    assert stage.exchange.calls == calls and protect in stage.exchange.resting and stage.desk.holdings.total(SYMBOL) == 1


async def test_an_exit_of_which_nobody_knows_does_not_hold_up_the_next(stage: Stage) -> None:
    await stage.held()
    stage.exchange.answers = [LOST_BEFORE]
    assert await stage.sent(leave())
    answer: Any = (await stage.desk.send(B1, [leave()]))[0]
    assert isinstance(answer, Sent) and stage.exchange.calls[-1] == "market sell 1 reducing"
