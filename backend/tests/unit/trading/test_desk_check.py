"""Our books against the exchange's: at the start, on a timer, and what is concluded from what is (not) shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest
from desk_stage import B1, LOST_AFTER, LOST_BEFORE, MANUAL, SYMBOL, Listening, Stage, entry, staged, stop, until

from haechi.exchanges.errors import Refused, Unreachable
from haechi.exchanges.port import Fill, Gone, Moved, NewOrder, Paid, Rejected, Seen, Unknown
from haechi.trading.desk_check import BEGIN_ROUNDS, DOUBTFUL_S, EVERY_S, KILLED_MAX, LOOKS_MAX, OVERLAP_MS, PAUSE_S
from haechi.trading.models import Alarm, Booking, Order


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as made:
        yield made


def by_hand(stage: Stage, name: str = "", *, reduce_only: bool = False) -> NewOrder:
    """Somebody else's, or one of an earlier life."""
    order = NewOrder(name, SYMBOL, "buy", D(1), "limit", D(50_000), None, reduce_only)
    stage.exchange.resting[name] = order
    return order


# ---- the start

async def closed(stage: Stage) -> None:
    """Its naps are over too."""
    await stage.desks.scribe.settled()
    await stage.desks.close()


async def test_what_has_not_left_yet_is_not_looked_for(stage: Stage) -> None:
    """A database that takes its time over an intent: nothing that was asked meanwhile says anything about the order."""
    stage.exchange.position, name = D(1), await stage.held()
    write, goes_on = stage.desk.scribe.write, asyncio.Event()

    async def slow(work: Any) -> Any:
        await goes_on.wait()
        return await write(work)

    coming = stage.desk.coming_id(B1)
    stage.exchange.looks[coming] = Rejected("never_arrived")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage.desk.scribe, "write", slow)
        sending = asyncio.create_task(stage.sent(stop()))
        await until(lambda: coming in stage.desk.orders.working)
        await stage.round(200)
        goes_on.set()
        assert await sending == coming != name
    assert (coming in stage.exchange.looked, await stage.status(coming)) == (False, "open")


async def test_nothing_leaves_before_the_first_whole_round(stage: Stage) -> None:
    await stage.desks.close_desk("a1")
    seen: list[tuple[str, ...]] = []
    whole = stage.exchange.balance

    async def balance() -> Any:
        seen.append(next(iter(found), desk).doubts())
        return await whole()

    from haechi.trading.desk import Desk
    found: list[Desk] = []
    before = Desk.open

    async def opening(self: Desk) -> None:
        found.append(self)
        await before(self)

    desk = stage.desk
    stage.exchange.balance = balance  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Desk, "open", opening)
        stage.desk = await stage.desks.desk_of("a1")
    assert seen == [("reconciling",)] and stage.desk.doubts() == ()


async def test_it_listens_before_it_asks(stage: Stage) -> None:
    """What fills after the list of fills was read and before anybody listened would be missed until the next round."""
    await stage.held()
    await stage.desks.close_desk("a1")
    listening: list[bool] = []
    asked = stage.exchange.fills_since

    async def fills_since(time_ms: int, **given: Any) -> list[Any]:
        listening.append(SYMBOL in stage.exchange.listening)
        return await asked(time_ms, **given)

    stage.exchange.fills_since = fills_since  # type: ignore[method-assign]
    stage.desk = await stage.desks.desk_of("a1")
    assert listening and all(listening)


async def test_books_that_differ_at_the_start_are_looked_at_again_before_anybody_works(stage: Stage) -> None:
    name = await stage.sent(entry())
    late = stage.exchange.fill(name, "1")
    stage.exchange.hidden.add(late.trade_id)
    stage.exchange.looks[name] = Seen("x1", "open", D(0))  # a list that lags
    await closed(stage)
    opening = asyncio.create_task(stage.open())
    await until(lambda: stage.naps.has(PAUSE_S))
    assert not opening.done()
    stage.exchange.hidden.clear()
    await stage.naps.over(PAUSE_S)
    desk = await opening
    assert desk.holdings.quantity("b1", SYMBOL) == 1 and desk.doubts() == ()


async def test_books_that_go_on_differing_are_known_to_when_work_begins(stage: Stage) -> None:
    await stage.held()
    stage.exchange.position = D(3)
    await closed(stage)
    opening = asyncio.create_task(stage.open())
    await stage.naps.over(PAUSE_S)
    desk = await opening
    assert desk.doubts() == ("mismatch",) and "books_differ" in stage.alarms()


async def test_books_that_differ_anew_each_time_do_not_keep_a_desk_closed(stage: Stage) -> None:
    """Somebody else trades on the account without a pause: exits and stops must be looked after, new risk waits."""
    await stage.held()
    await closed(stage)
    asked = stage.exchange.positions

    async def positions() -> Any:
        stage.exchange.position += 1
        return await asked()

    stage.exchange.positions = positions  # type: ignore[method-assign]
    opening = asyncio.create_task(stage.open())
    for _ in range(BEGIN_ROUNDS):
        await stage.naps.over(PAUSE_S)
    desk = await opening
    assert desk.doubts() == ("mismatch",) and "books_differ" in stage.alarms()


async def test_an_exchange_that_cannot_be_asked_has_no_desk(stage: Stage) -> None:
    await stage.desks.close_desk("a1")
    stage.exchange.error = Unreachable("no answer")
    with pytest.raises(Unreachable):
        await stage.desks.desk_of("a1")
    assert stage.desks.open == {}
    stage.exchange.error = None
    assert (await stage.desks.desk_of("a1")).ready


async def test_a_new_account_is_taken_over_as_it_is(tmp_path: Path) -> None:
    from desk_stage import Scripted

    async with staged(tmp_path) as stage:
        await stage.desks.close_desk("a1")
        async with stage.database.writing() as session:
            from sqlalchemy import delete

            from haechi.trading.models import Entry
            await session.execute(delete(Entry))
            await session.execute(delete(Booking))
        exchange = stage.exchange = Scripted(stage.clock)
        exchange.trade("", "buy", "2", "50000")
        exchange.paid, exchange.moved = [Paid("f1", SYMBOL, D(1), 1)], [Moved("m1", "transfer", D(5), 1)]
        by_hand(stage, "theirs")
        desk = await stage.desks.desk_of("a1")
        assert desk.holdings.quantity("external", SYMBOL) == 2 and desk.wallet == exchange.wallet and desk.ready
        assert {one.kind for one in await stage.rows(Booking)} == {"movement", "adopted"} and not desk.mismatch
        assert exchange.calls == [] and desk.orders.working["theirs"].foreign


async def test_what_happened_while_nobody_looked_is_booked_before_anything_else(stage: Stage) -> None:
    name = await stage.sent(entry(kind="limit", price=D(59_000)))
    await stage.desk.scribe.settled()
    stage.exchange.fill(name, "1", "59000")
    stage.exchange.paid.append(Paid("f1", SYMBOL, D(3), stage.clock.now_ms()))
    stage.exchange.wallet -= 3
    await stage.again()
    assert stage.desk.holdings.quantity("b1", SYMBOL) == 1 and stage.desk.wallet == stage.exchange.wallet
    assert await stage.status(name) == "filled"


# ---- orders that are not on the list

async def test_an_order_on_no_list_is_looked_for_and_not_given_up(stage: Stage) -> None:
    face = Listening(B1)
    stage.desk.attach(face)
    stage.exchange.answers = [LOST_BEFORE]
    sent = [await stage.sent(entry(kind="limit", price=D(59_000)))]
    for seconds in (1, 9, 60, 600, 6_000):
        await stage.round(seconds)
        assert [await stage.status(name) for name in sent] == ["unknown"] and face.heard == []
    assert "unknown_order" in stage.alarms() and "unknown_order" in stage.desk.doubts()
    assert stage.exchange.looked.count(sent[0]) == 4, "not in the first seconds, then every time"
    stage.exchange.looks[sent[0]] = Seen("x", "open", D(0))
    await stage.round()
    assert await stage.status(sent[0]) == "open" and "unknown_order" not in stage.alarms() and stage.desk.doubts() == ()


async def test_only_evidence_that_it_never_arrived_ends_it_and_its_owner_is_told(stage: Stage) -> None:
    face = Listening(B1)
    stage.desk.attach(face)
    stage.exchange.answers = [LOST_BEFORE]
    name = await stage.sent(entry())
    stage.exchange.looks[name] = Rejected("never_arrived")
    await stage.round()
    assert await stage.status(name) == "rejected" and stage.desk.doubts() == ()
    assert [(event.reason, role) for event, role in face.heard if isinstance(event, Gone)] == [("never_arrived", "entry")]


async def test_one_that_filled_in_silence_is_found_with_its_fills(stage: Stage) -> None:
    face = Listening(B1)
    stage.desk.attach(face)
    stage.exchange.answers = [LOST_AFTER]
    name = await stage.sent(entry())
    stage.exchange.fill(name, "1")
    stage.exchange.hidden = {"t1"}
    await stage.round()
    assert await stage.status(name) == "unknown", "filled, but its fills are not shown: not over for us"
    stage.exchange.hidden = set()
    await stage.round()
    assert await stage.status(name) == "filled" and [isinstance(event, Fill) for event, _ in face.heard] == [True]


async def test_what_was_canceled_in_part_is_over_only_with_all_its_fills(stage: Stage) -> None:
    face = Listening(B1)
    stage.desk.attach(face)
    name = await stage.sent(entry(kind="limit", price=D(59_000)))
    stage.exchange.fill(name, "0.4", "59000")
    stage.exchange.resting.clear()
    stage.exchange.hidden, stage.exchange.looks[name] = {"t1"}, Seen("x", "canceled", D("0.4"), "canceled")
    await stage.round()
    assert await stage.status(name) == "open" and face.heard == []
    stage.exchange.hidden = set()
    await stage.round()
    assert await stage.status(name) == "canceled" and [type(event) for event, _ in face.heard] == [Fill, Gone]
    assert stage.desk.holdings.quantity("b1", SYMBOL) == D("0.4")


async def test_a_fill_that_only_the_look_can_find_is_fetched(stage: Stage) -> None:
    """It is older than what the round asks for."""
    stage.exchange.answers = [LOST_AFTER]
    name = await stage.sent(entry())
    stage.exchange.fill(name, "1")
    stage.later(3_600)
    stage.desk.newest_ms = stage.clock.now_ms()
    await stage.desk.check.once()
    assert await stage.status(name) == "filled" and stage.desk.holdings.quantity("b1", SYMBOL) == 1


async def test_a_cancel_that_did_not_arrive_is_free_to_be_asked_again(stage: Stage) -> None:
    face = Listening(B1)
    stage.desk.attach(face)
    name = await stage.sent(entry(kind="limit", price=D(59_000)))
    stage.exchange.cancels = [Unknown("timeout")]
    await stage.desk.cancel(B1, name)
    await stage.round()
    assert not stage.desk.orders.working[name].canceling and face.pokes == 1
    stage.exchange.cancels = [Unknown("timeout")]
    await stage.desk.cancel(B1, name)
    stage.exchange.resting.clear()
    stage.exchange.looks[name] = Seen("x", "canceled", D(0), "canceled")
    await stage.round()
    assert await stage.status(name) == "canceled" and face.pokes == 2 and face.heard == [], "it was our wish: no news"


async def test_so_many_are_looked_for_in_a_round_the_longest_unasked_first(stage: Stage) -> None:
    for number in range(LOOKS_MAX + 5):
        stage.exchange.answers = [LOST_AFTER]
        await stage.sent(entry("0.001", kind="limit", price=D(50_000 + number)))
        for one in stage.desk.orders.working.values():
            one.status = "open"  # so that the next may leave
    stage.exchange.resting.clear()
    await stage.round()
    assert len(stage.exchange.looked) == LOOKS_MAX
    await stage.round()
    assert len(set(stage.exchange.looked)) == LOOKS_MAX + 5


async def test_what_a_crash_left_on_its_way_is_unknown(stage: Stage) -> None:
    """Committed, and perhaps sent: nobody knows."""
    await stage.desk.scribe.settled()
    stage.exchange.answers = [LOST_BEFORE]
    name = await stage.sent(entry())
    await stage.desk.scribe.settled()
    async with stage.database.writing() as session:
        (await session.get_one(Order, name)).status = "sent"
    await stage.again()
    assert stage.desk.orders.working[name].status == "unknown" and stage.desk.doubts() == ("unknown_order",)


# ---- what others do

async def test_an_order_of_somebody_else_is_noted_and_never_touched(stage: Stage) -> None:
    by_hand(stage, "theirs")
    for _ in range(3):
        await stage.round()
    await stage.desk.withdraw()
    assert stage.exchange.calls == [] and "theirs" in stage.exchange.resting
    row = (await stage.rows(Order))[0]
    assert (row.id, row.origin, row.status) == ("theirs", "external", "open") and len(await stage.rows(Order)) == 1
    assert not await stage.desk.cancel(MANUAL, "theirs")
    await stage.desk.hear(stage.exchange.trade("theirs", "buy", "1"))
    assert stage.desk.holdings.quantity("external", SYMBOL) == 1


async def test_one_of_ours_that_no_table_has_comes_back_to_its_owner(stage: Stage) -> None:
    stage.desk.attach(Listening(B1))
    by_hand(stage, "b1-000077")
    by_hand(stage, "ma1-000005")
    await stage.round()
    found = {name: (one.owner, one.role, one.foreign) for name, one in stage.desk.orders.working.items() if one.role == "lost"}
    assert found == {"b1-000077": ("b1", "lost", False), "ma1-000005": ("", "lost", False)}


async def test_a_list_that_lags_brings_no_ended_order_back(stage: Stage) -> None:
    name = await stage.sent(entry(kind="limit", price=D(59_000)))
    order = stage.exchange.resting[name]
    await stage.desk.cancel(B1, name)
    stage.exchange.resting[name] = order
    await stage.round()
    assert stage.desk.orders.working == {} and await stage.status(name) == "canceled"


async def test_an_ended_order_that_goes_on_resting_comes_back_to_its_owner_as_a_restart_would_bring_it(stage: Stage) -> None:
    name = await stage.sent(entry(kind="limit", price=D(59_000)))
    order = stage.exchange.resting[name]
    await stage.desk.cancel(B1, name)
    for shown, seconds in ((True, 60), (True, 60), (False, 10), (True, 60), (True, 60), (True, 60)):
        assert stage.desk.orders.working == {}
        stage.exchange.resting = {name: order} if shown else {}
        await stage.round(seconds)
    assert stage.desk.orders.working == {}, "not for longer than two minutes without a pause"
    await stage.round(1)
    assert [(one.id, one.owner, one.role) for one in stage.desk.orders.working.values()] == [(name, "b1", "lost")]
    assert await stage.desk.cancel(B1, name) and stage.exchange.resting == {}


# ---- kill switches

async def test_what_a_kill_switch_could_not_take_away_at_once_it_takes_away_later(stage: Stage) -> None:
    """An exchange takes so many requests a second and no more: of a large grid the rest is refused."""
    await stage.held()
    protect = await stage.sent(stop())
    lines = [await stage.sent(entry("0.001", kind="limit", price=D(50_000 + number))) for number in range(KILLED_MAX + 5)]
    theirs = by_hand(stage, "theirs").client_id
    stage.killed, stage.exchange.cancels = "user", [Rejected("rate") for _ in lines]
    assert await stage.desk.withdraw() == len(lines) and set(lines) <= set(stage.exchange.resting)
    for left in (5, 0):
        await stage.round()
        assert len(set(lines) & set(stage.exchange.resting)) == left
    assert set(stage.exchange.resting) == {protect, theirs}


async def test_a_switch_that_went_on_while_nobody_was_here_is_heard_at_the_start(stage: Stage) -> None:
    await stage.held()
    protect = await stage.sent(stop())
    await stage.sent(entry(kind="limit", price=D(59_000)))
    stage.killed = "platform"
    await stage.again()
    assert set(stage.exchange.resting) == {protect} and {one.status for one in await stage.rows(Order)} == {"filled", "open", "canceled"}


# ---- the sums

async def test_a_difference_that_stays_is_looked_into_once_and_then_left_to_the_timer(stage: Stage) -> None:
    check, seen, since = stage.desk.check, [], stage.exchange.fills_since

    async def fills_since(time_ms: int, **given: Any) -> list[Any]:
        seen.append(stage.desk.newest_ms - time_ms > OVERLAP_MS)
        return await since(time_ms, **given)

    await stage.held()
    stage.exchange.fills_since, stage.exchange.wallet = fills_since, stage.exchange.wallet - 7  # type: ignore[method-assign]
    woken = []
    for _ in range(5):
        check._wake.clear()
        await stage.round()
        woken.append(check._wake.is_set())
    assert (seen, woken) == ([False, False, True, False, False], [True, True, False, False, False])


@pytest.mark.parametrize(("off", "differs"), [("0.000000009719473", False), ("-0.000001", False), ("0.0000011", True)])
async def test_a_wallet_that_is_shown_cut_off_is_the_same_one(stage: Stage, off: str, differs: bool) -> None:
    stage.exchange.wallet -= D(off)
    for _ in range(2):
        await stage.round()
    assert bool(stage.desk.mismatch) == differs


async def test_a_difference_that_stays_stops_new_risk_and_rings_until_it_is_gone(stage: Stage) -> None:
    await stage.held()
    stage.exchange.wallet -= 7
    await stage.round()
    assert not stage.desk.mismatch, "seen once it may be on its way"
    await stage.round()
    assert "wallet" in stage.desk.mismatch and "mismatch" in stage.desk.doubts() and "books_differ" in stage.alarms()
    stage.exchange.moved.append(Moved("m1", "correction", D(-7), stage.clock.now_ms()))
    await stage.round()
    assert not stage.desk.mismatch and stage.desk.doubts() == () and "books_differ" not in stage.alarms()
    assert [one.cleared_ms is not None for one in await stage.rows(Alarm) if one.code == "books_differ"] == [True]


async def test_an_empty_list_of_positions_is_no_proof_of_being_flat(stage: Stage) -> None:
    await stage.held()
    protect = await stage.sent(stop())
    stage.exchange.shows_positions = False
    for _ in range(2):
        await stage.round()
    assert "positions none" in stage.desk.mismatch and stage.desk.holdings.total(SYMBOL) == 1 and protect in stage.exchange.resting
    stage.exchange.shows_positions = True
    await stage.round()
    assert not stage.desk.mismatch


async def test_while_something_is_on_its_way_nothing_is_a_difference(stage: Stage) -> None:
    stage.exchange.answers = [LOST_AFTER]
    name = await stage.sent(entry())
    stage.exchange.fill(name, "1")
    stage.exchange.hidden = {"t1"}
    for _ in range(3):
        await stage.round()
    assert not stage.desk.mismatch


# ---- the timer

async def test_it_goes_on_for_ever_and_sooner_when_there_is_a_doubt(stage: Stage) -> None:
    naps = stage.naps
    for expected in (1, 2):
        await naps.over(PAUSE_S)
        await naps.over(EVERY_S - PAUSE_S)
        await until(lambda: stage.desk.check.rounds > expected)  # noqa: B023
    stage.exchange.answers = [LOST_BEFORE]
    await naps_until_pause(stage)
    await stage.sent(entry())
    await naps.over(PAUSE_S)  # asked for at once: no timer
    await until(lambda: stage.desk.check.rounds > 3)
    await naps.over(PAUSE_S)
    await naps.over(DOUBTFUL_S - PAUSE_S)
    await until(lambda: stage.desk.check.rounds > 4)


async def naps_until_pause(stage: Stage) -> None:
    await until(lambda: stage.naps.has(PAUSE_S))


async def test_it_survives_what_goes_wrong_rings_and_tells_of_a_dead_key(stage: Stage) -> None:
    told: list[tuple[str, str]] = []
    stage.desks.office.key_refused = lambda user_id, account_id, _why: told.append((user_id, account_id))
    errors: list[Exception] = [ValueError("ours"), Unreachable("x"), Unreachable("x"), Refused("no", details={"word": "key"})]
    rung: list[set[str]] = []
    for count, error in enumerate(errors, start=1):
        await naps_until_pause(stage)
        stage.exchange.error = error
        stage.desk.check.soon()
        await stage.naps.over(PAUSE_S)
        await until(lambda: stage.desk.check.failures >= count)  # noqa: B023
        await naps_until_pause(stage)
        rung.append(stage.alarms())
    assert rung == [set(), set(), {"unreachable"}, {"unreachable", "key"}] and told == [("u1", "a1")]
    stage.exchange.error = None
    stage.desk.check.soon()
    await stage.naps.over(PAUSE_S)
    await naps_until_pause(stage)
    assert stage.desk.check.failures == 0 and "unreachable" not in stage.alarms()


async def test_who_waits_for_another_try_is_poked_when_it_is_due(stage: Stage) -> None:
    face = Listening(B1)
    stage.desk.attach(face)
    await stage.held()
    stage.exchange.answers = [(Rejected("busy"), False)]
    await stage.desk.rests.converge(B1, {"stop": stop()}, also=lambda: nothing)
    await stage.desk.check.once()
    assert face.pokes == 0
    await stage.round(2)
    assert face.pokes == 1


async def nothing(_session: Any) -> None:
    return
