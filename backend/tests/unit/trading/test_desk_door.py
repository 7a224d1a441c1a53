"""What leaves through the door: judged, committed, sent once, and what is known of it afterwards."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest
from desk_stage import B1, LOST_AFTER, LOST_BEFORE, MANUAL, SYMBOL, Listening, Stage, entry, leave, staged, stop, until
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError

from haechi.bots.models import BotLine
from haechi.core.risk import Refused
from haechi.exchanges.errors import Unreachable
from haechi.exchanges.port import Accepted, NewOrder, Rejected, Unknown
from haechi.trading.desk_door import Sent, forgotten
from haechi.trading.kill_files import Switch
from haechi.trading.models import Order
from haechi.trading.reserve import Full
from haechi.trading.scribe import AGAIN_S, Unwritten, nothing


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as made:
        yield made


def offline(stage: Stage, monkeypatch: pytest.MonkeyPatch, fault: Exception = Unwritten("the database does not answer")) -> None:
    async def gone(_work: Any) -> Any:
        raise fault

    monkeypatch.setattr(stage.desk.scribe, "write", gone)


async def test_the_intent_is_committed_when_the_order_leaves_and_no_transaction_waits_for_the_exchange(stage: Stage) -> None:
    seen: list[tuple[str, str]] = []

    async def asked(order: NewOrder) -> None:
        with closing(sqlite3.connect(stage.folder / "desk.db")) as other:  # no turn of the loop in between: what is committed by now
            seen.extend(other.execute("SELECT id, status FROM orders WHERE id = ?", (order.client_id,)).fetchall())
        async with asyncio.timeout(1), stage.database.writing() as session:  # and another writer does not have to wait
            session.add(BotLine(user_id="u1", bot_id="b1", time_ms=1, code="x", facts={}))

    stage.exchange.on_place = asked
    assert await stage.sent(entry()) == "b1-000001"
    assert seen == [("b1-000001", "sent")] and await stage.status("b1-000001") == "open"


@pytest.mark.parametrize("answer", [LOST_AFTER, LOST_BEFORE, (TimeoutError(), True), (Unreachable("gone"), False), (OSError(), False),
                                    (ValueError("a fault of the adapter"), True)])
async def test_silence_is_no_answer_and_what_was_sent_is_not_sent_again(stage: Stage, answer: tuple[Any, bool]) -> None:
    stage.exchange.answers = [answer]
    sent = (await stage.desk.send(B1, [entry()]))[0]
    assert isinstance(sent, Sent) and isinstance(sent.outcome, Unknown)
    assert [one.client_id for one in stage.exchange.placed] == ["b1-000001"]
    assert await stage.status("b1-000001") == "unknown" and "unknown_order" in stage.desk.doubts()
    refused = (await stage.desk.send(B1, [entry()]))[0]
    assert isinstance(refused, Refused) and refused.rule == "doubt" and len(stage.exchange.placed) == 1


async def test_a_no_is_the_end_of_an_order_and_keeps_its_reason(stage: Stage) -> None:
    stage.exchange.answers = [(Rejected("margin", "40762"), False)]
    await stage.sent(entry())
    row = (await stage.rows(Order))[0]
    assert (row.status, row.reason) == ("rejected", "margin") and not stage.desk.orders.working


@pytest.mark.parametrize("answer", [LOST_AFTER, (Rejected("busy"), True), (Accepted("x"), True)])
async def test_what_a_stream_told_before_the_answer_stays(stage: Stage, answer: tuple[Any, bool]) -> None:
    async def at_once(order: NewOrder) -> None:
        await stage.desk.hear(stage.exchange.fill(order.client_id, "0.4"))

    stage.exchange.on_place, stage.exchange.answers = at_once, [answer]
    name = await stage.sent(entry())
    one = stage.desk.orders.working[name]
    assert one.filled == D("0.4") and one.status != "rejected" and stage.desk.holdings.quantity("b1", SYMBOL) == D("0.4")


async def test_a_reducing_order_says_so_to_the_exchange(stage: Stage) -> None:
    await stage.held()
    await stage.sent(stop())
    await stage.sent(leave(), MANUAL)
    await stage.sent(leave())
    assert stage.exchange.calls == ["market buy 1", "stop sell 1 reducing", "market sell 1 reducing"], "and no more than its owner holds"


async def test_nothing_is_written_of_what_the_gate_refuses_and_what_goes_along_is(stage: Stage) -> None:
    async def also(session: Any) -> None:
        session.add(BotLine(user_id="u1", bot_id="b1", time_ms=1, code="x", facts={}))

    stage.killed = "user"
    answer = (await stage.desk.send(B1, [entry()], also=also))[0]
    assert isinstance(answer, Refused) and answer.rule == "killed"
    assert await stage.rows(Order) == [] and len(await stage.rows(BotLine)) == 1 and stage.exchange.placed == []


async def test_a_kill_switch_that_goes_on_during_the_commit_stops_the_entry_and_not_the_exit(stage: Stage) -> None:
    await stage.held()

    async def killed_meanwhile(_session: Any) -> None:
        stage.killed = "user"

    answers = await stage.desk.send(B1, [entry(role="again"), leave()], also=killed_meanwhile)
    assert isinstance(answers[0], Refused) and answers[0].rule == "killed" and isinstance(answers[1], Sent)
    assert stage.exchange.calls == ["market buy 1", "market sell 1 reducing"]
    assert await stage.status("b1-000002") == "rejected" and "b1-000002" not in stage.desk.orders.working


async def test_who_lost_the_right_to_trade_during_the_commit_sends_nothing(stage: Stage) -> None:
    async def lost_meanwhile(_session: Any) -> None:
        stage.leads = False

    answer = (await stage.desk.send(B1, [entry()], also=lost_meanwhile))[0]
    assert isinstance(answer, Refused) and answer.rule == "lease" and stage.exchange.placed == []


async def test_a_process_that_was_replaced_writes_nothing_and_so_sends_nothing(stage: Stage) -> None:
    from haechi.trading.lease import Lease

    assert await Lease(stage.database, stage.clock, "another", guard=lambda: True).claim()
    answer = (await stage.desk.send(B1, [entry()]))[0]
    assert isinstance(answer, Refused) and answer.rule == "lease"
    assert stage.exchange.placed == [] and await stage.rows(Order) == [] and not stage.desk.orders.working


async def test_the_same_wish_is_sent_once_also_after_a_restart_and_an_exit_as_often_as_needed(stage: Stage) -> None:
    name = await stage.sent(entry(intent="b1:entry@60000"))
    await stage.desk.hear(stage.exchange.fill(name, "1"))
    await stage.again()
    answers = await stage.desk.send(B1, [entry(intent="b1:entry@60000"), leave(intent="b1:entry@60000")])
    assert isinstance(answers[0], Refused) and answers[0].rule == "sent_before" and isinstance(answers[1], Sent)
    assert stage.exchange.calls == ["market buy 1", "market sell 1 reducing"]


async def test_ids_go_on_after_a_restart(stage: Stage) -> None:
    assert [await stage.sent(entry(kind="limit", price=D(59_000 - n))) for n in range(2)] == ["b1-000001", "b1-000002"]
    await stage.again()
    assert await stage.sent(entry(kind="limit", price=D(58_000))) == "b1-000003"
    assert await stage.sent(entry(kind="limit", price=D(58_000)), MANUAL) == "ma1-000001"


async def test_ids_go_on_after_the_millionth_too(stage: Stage) -> None:
    """As text the millionth is less than the one before it."""
    stage.desk.counters["b1"] = 999_998
    assert [await stage.sent(entry(kind="limit", price=D(59_000 - n))) for n in range(2)] == ["b1-999999", "b1-1000000"]
    await stage.again()
    assert await stage.sent(entry(kind="limit", price=D(58_000))) == "b1-1000001"


@pytest.mark.parametrize("fault", [Unwritten("the database does not answer"), ValueError("a fault of ours"),
                                   DatabaseError("INSERT", {}, Exception("a fault nobody thought of"))])
async def test_without_a_database_entries_wait_and_exits_leave_from_the_reserve(stage: Stage, monkeypatch: pytest.MonkeyPatch,
                                                                                fault: Exception) -> None:
    await stage.held()
    with monkeypatch.context() as patch:
        offline(stage, patch, fault)
        answers = await stage.desk.send(B1, [entry(role="again"), leave()])
    assert isinstance(answers[0], Refused) and answers[0].rule == "journal" and isinstance(answers[1], Sent)
    assert stage.exchange.calls == ["market buy 1", "market sell 1 reducing"]
    assert [one["id"] for one in stage.reserve.pending] == ["b1-000003"] and "without_database" in stage.alarms()
    assert {one.id: one.status for one in await stage.rows(Order)} == {"b1-000001": "filled", "b1-000003": "open"}
    await stage.again()
    assert stage.reserve.pending == [] and {one.id for one in await stage.rows(Order)} == {"b1-000001", "b1-000003"}


async def test_while_the_database_is_known_to_be_away_entries_leave_nothing_to_be_written(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them would be one line more to wait for it, for hours."""
    def away(_works: Any) -> Any:
        raise OperationalError("BEGIN", {}, Exception("database is locked"))

    await stage.held()
    with monkeypatch.context() as patch:
        patch.setattr(stage.database, "together", away)
        stage.desk.later(nothing)
        await until(lambda: stage.desk.scribe.down)
        before = len(stage.desk.scribe._waiting)
        answers = [(await stage.desk.send(B1, [entry(role="again")]))[0] for _ in range(20)]
        assert {one.rule for one in answers if isinstance(one, Refused)} == {"journal"} and len(stage.desk.scribe._waiting) == before
    for _ in range(2):  # the watcher's, and the scribe's
        await stage.naps.over(AGAIN_S)
    await stage.desk.scribe.settled()
    assert await stage.sent(entry(role="again")) == "b1-000022" and set(stage.desk.orders.working) == {"b1-000022"}


async def test_a_send_that_is_broken_off_before_it_left_leaves_no_order(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waited for it has gone: a request that took too long, a bot whose listener was replaced."""
    write, goes_on = stage.desk.scribe.write, asyncio.Event()

    async def slow(work: Any) -> Any:
        writing = asyncio.ensure_future(write(work))
        await goes_on.wait()
        return await writing

    await stage.held()
    with monkeypatch.context() as patch:
        patch.setattr(stage.desk.scribe, "write", slow)
        sending = asyncio.create_task(stage.desk.send(B1, [entry(role="again"), leave()]))
        await until(lambda: len(stage.desk.orders.working) == 2)
        await asyncio.sleep(0)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    assert stage.desk.orders.working == {} and stage.desk.intents == {} and len(stage.exchange.placed) == 1
    assert [await stage.status(name) for name in ("b1-000002", "b1-000003")] == ["rejected", "rejected"]
    assert await stage.sent(leave()) == "b1-000004"


@pytest.mark.parametrize("filled", ["0", "0.4"])
async def test_a_send_that_is_broken_off_while_it_leaves_is_of_unknown_fate(stage: Stage, filled: str) -> None:
    async def never(order: NewOrder) -> None:
        if D(filled):
            await stage.desk.hear(stage.exchange.fill(order.client_id, filled))
        await asyncio.Event().wait()

    await stage.held()
    stage.exchange.on_place = never
    sending = asyncio.create_task(stage.desk.send(B1, [stop(), leave()]))
    await until(lambda: len(stage.exchange.placed) == 2)
    stage.desk.check._wake.clear()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert {name: one.status for name, one in stage.desk.orders.working.items()} == {"b1-000002": "unknown"}
    assert [await stage.status(name) for name in ("b1-000002", "b1-000003")] == ["unknown", "rejected"]
    assert stage.desk.check._wake.is_set() and stage.desk.doubts() == ("unknown_order",)
    await stage.round()
    assert stage.desk.orders.working["b1-000002"].status == "open" and stage.desk.doubts() == ()


async def test_an_exit_whose_name_is_taken_leaves_under_another_and_an_entry_does_not(stage: Stage) -> None:
    await stage.held()
    stage.desk.counters["b1"] = 0
    answers = await stage.desk.send(B1, [leave(), entry(role="again")])
    assert isinstance(answers[0], Sent) and answers[0].client_id == "b1-000003" and isinstance(answers[1], Refused)
    assert list(stage.desk.orders.working) == ["b1-000003"] and await stage.status("b1-000003") == "open"


async def test_what_clashes_under_every_name_leaves_from_the_reserve(stage: Stage) -> None:
    async def clashes(_session: Any) -> None:
        raise IntegrityError("INSERT", {}, Exception("what goes along is there already"))

    await stage.held()
    answer = (await stage.desk.send(B1, [leave(intent="b1:exit@1")], also=clashes))[0]
    assert isinstance(answer, Sent) and stage.exchange.calls[-1] == "market sell 1 reducing"
    assert [one["id"] for one in stage.reserve.pending] == [answer.client_id] and await stage.status(answer.client_id) == "open"


@pytest.mark.parametrize("wrong", [{"user_id": "nobody"}, {"intent": "b1:entry@1"}])
async def test_a_reserve_line_that_the_table_does_not_take_keeps_nobody_from_trading(stage: Stage, wrong: dict[str, str]) -> None:
    name = await stage.sent(entry(intent="b1:entry@1"))
    await stage.desk.hear(stage.exchange.fill(name, "1"))
    with pytest.MonkeyPatch.context() as patch:
        offline(stage, patch)
        patch.setattr(stage.desk, "later", lambda _work, **_given: None)  # the process ends before it can write
        await stage.desk.send(B1, [leave(), leave()])
    stage.reserve.pending[0] |= wrong
    await stage.again()
    kept, refused = stage.folder / "reserve.refused", "user_id" in wrong
    roles = {one.id: one.role for one in await stage.rows(Order)}
    assert stage.reserve.pending == [] and roles == {name: "entry", "b1-000002": "lost" if refused else "exit", "b1-000003": "exit"}
    assert kept.exists() == refused and (not refused or b"b1-000002" in kept.read_bytes())


async def test_an_exit_leaves_even_when_the_reserve_is_full(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_record: Any) -> None:
        raise Full("full")

    await stage.held()
    offline(stage, monkeypatch)
    monkeypatch.setattr(stage.reserve, "keep", full)
    assert isinstance((await stage.desk.send(B1, [leave()]))[0], Sent)
    assert stage.exchange.calls[-1] == "market sell 1 reducing"


async def test_an_intent_that_was_written_without_our_knowing_is_marked_as_not_sent(stage: Stage) -> None:
    stage.exchange.answers = [LOST_BEFORE]
    name = await stage.sent(entry())
    await stage.desk.scribe.settled()
    await stage.desk.scribe.write(forgotten(name, "u1"))
    assert await stage.status(name) == "unknown", "what may have left is not forgotten"


@pytest.mark.parametrize("answer", [Unknown("timeout"), Rejected("no_order"), TimeoutError(), Unreachable("gone"),
                                    ValueError("a fault of the adapter")])
async def test_a_cancel_that_proves_nothing_leaves_the_order_and_has_it_looked_for(stage: Stage, answer: Any) -> None:
    name = await stage.sent(entry(kind="limit", price=D(59_000)))
    stage.exchange.cancels = [answer]
    assert not await stage.desk.cancel(B1, name)
    assert stage.desk.orders.working[name].canceling and stage.desk.check._wake.is_set() and await stage.status(name) == "open"


async def test_a_cancel_that_is_confirmed_ends_the_order_for_its_owner_only(stage: Stage) -> None:
    name = await stage.sent(entry(kind="limit", price=D(59_000)))
    assert not await stage.desk.cancel(MANUAL, name) and not await stage.desk.cancel(B1, "b1-000077")
    assert stage.exchange.calls == ["limit buy 1"]
    assert await stage.desk.cancel(B1, name)
    assert await stage.status(name) == "canceled" and name not in stage.desk.orders.working


async def test_a_kill_switch_takes_away_what_adds_risk_and_leaves_what_protects(stage: Stage) -> None:
    await stage.held()
    await stage.sent(stop())
    mine = await stage.sent(entry(kind="limit", price=D(59_000)))
    theirs = await stage.sent(entry(kind="limit", price=D(59_000)), MANUAL)
    assert await stage.desk.withdraw(bot_id="b1") == 1 and mine not in stage.exchange.resting
    assert await stage.desk.withdraw() == 1 and theirs not in stage.exchange.resting
    assert [one.kind for one in stage.exchange.resting.values() if one.reduce_only] == ["stop"]


@pytest.mark.parametrize(("scope", "whose", "reached"), [("platform", "", True), ("user", "u1", True), ("bot", "b1", True), ("user", "u2", False)])
async def test_a_kill_switch_reaches_a_desk_that_could_tell_no_figures(stage: Stage, scope: Any, whose: str, reached: bool) -> None:
    """Reports, sums and the reconciliation may all be out of order."""
    name = await stage.sent(entry(kind="limit", price=D(59_000)))
    stage.desk.bots.add("b1")
    stage.desk.ready, stage.exchange.error = False, Unreachable("gone")
    stage.desk.prices.clear()
    stage.desks.killed(Switch(scope, whose, 1, "x", ""))
    await asyncio.gather(*stage.desks._tasks)
    assert (name not in stage.exchange.resting) == reached


async def test_no_new_risk_while_there_is_a_doubt(stage: Stage) -> None:
    stage.desk.attach(Listening(B1))
    for set_up, doubt in (({"ready": False}, "reconciling"), ({"mismatch": "wallet"}, "mismatch")):
        for name, value in set_up.items():
            before = getattr(stage.desk, name)
            setattr(stage.desk, name, value)
            answer = (await stage.desk.send(B1, [entry()]))[0]
            setattr(stage.desk, name, before)
            assert isinstance(answer, Refused) and doubt in answer.allowed
    stage.exchange.sight = "stream: silent"
    answer = (await stage.desk.send(B1, [entry()]))[0]
    assert isinstance(answer, Refused) and "blind: stream: silent" in answer.allowed
    assert stage.exchange.placed == []


async def test_what_waits_for_its_turn_is_asked_once_more_whether_it_may_leave(stage: Stage) -> None:
    """An exchange's budget may hold an order back for seconds: a kill switch meanwhile still counts, for what adds risk."""
    await stage.held()
    name = await stage.sent(entry(kind="limit", price=D(59_000)))
    adds = stage.exchange.still
    await stage.sent(stop())
    reduces = stage.exchange.still
    assert adds() and reduces()
    stage.killed = "user"
    assert not adds() and reduces()
    stage.killed, stage.leads = "", False
    assert not adds() and not reduces()
    stage.leads = True
    assert adds()
    stage.desk.orders.end(stage.desk.orders.working[name], "rejected")
    assert not adds() and reduces(), "what has ended meanwhile must not leave"


async def test_who_lost_the_right_to_trade_takes_nothing_away(stage: Stage) -> None:
    await stage.held()
    name = await stage.sent(stop())
    stage.leads = False
    assert not await stage.desk.cancel(B1, name) and name in stage.exchange.resting
    stage.leads = True
    assert await stage.desk.cancel(B1, name) and name not in stage.exchange.resting


async def another_led_meanwhile(stage: Stage) -> None:
    """This process was frozen: another took over, traded, and ended; then this one goes on, and its scribe meets the fence first."""
    from haechi.trading.lease import Lease

    another = Lease(stage.database, stage.clock, "another", guard=lambda: True)
    assert await another.claim()
    await another.release()
    assert isinstance((await stage.desk.send(B1, [entry()]))[0], Refused) and not stage.desks.lease.epoch


async def test_a_right_that_is_taken_anew_begins_with_desks_that_are_read_anew(stage: Stage) -> None:
    await stage.held()
    await stage.desks.scribe.settled()
    before = stage.desk
    await another_led_meanwhile(stage)
    assert await stage.desks.lead() and stage.desks.lease.held
    assert before.closed and not stage.desks.open, "what it knew is of before the other one"
    after = await stage.desks.desk_of("a1")
    assert after is not before and after.next_id(B1) == "b1-000002"
    assert await stage.desks.lead() and stage.desks.open == {"a1": after} and not after.closed, "kept as long as the right is"


async def test_a_desk_of_before_sends_nothing_under_a_later_right(stage: Stage) -> None:
    await stage.held()
    await stage.desks.scribe.settled()
    await another_led_meanwhile(stage)
    assert await stage.desks.lease.claim(), "and its desk is not closed yet"
    answers = await stage.desk.send(B1, [entry(), leave()])
    assert [one.rule for one in answers if isinstance(one, Refused)] == ["doubt", "lease"] and stage.exchange.calls == ["market buy 1"]


async def test_a_desk_that_was_opened_without_the_right_is_opened_anew_with_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody asked for its orders just before."""
    await another_led_meanwhile(stage)
    await stage.desks.close_desk("a1")
    waiting = await stage.desks.desk_of("a1")
    assert await stage.desks.lease.claim()
    assert await stage.desks.desk_of("a1") is not waiting and waiting.closed
    late = stage.desks.open["a1"]
    stage.desks.lease.epoch = 0
    whole = stage.desks.lease.claim

    async def opened_meanwhile() -> bool:
        await stage.desks.desk_of("a1")
        return await whole()

    monkeypatch.setattr(stage.desks.lease, "claim", opened_meanwhile)
    assert await stage.desks.lead()
    assert late.closed and not stage.desks.open


async def test_of_a_batch_nothing_that_adds_risk_leaves_after_one_that_nobody_answered_for(stage: Stage) -> None:
    """They were judged together, when all was well."""
    stage.exchange.answers = [LOST_AFTER]
    lines = [entry(role=f"line{n}", kind="limit", price=D(59_000 - n)) for n in range(3)]
    answers = await stage.desk.send(B1, lines)
    assert [getattr(one, "rule", "sent") for one in answers] == ["sent", "doubt", "doubt"] and len(stage.exchange.calls) == 1
