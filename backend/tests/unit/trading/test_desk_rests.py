"""What should rest is made to rest: the new order before the old one goes, tried again with patience, and never twice in doubt."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest
from desk_stage import B1, LOST_AFTER, LOST_BEFORE, Listening, Stage, entry, leave, staged, stop, target, until

from haechi.exchanges.port import NewOrder, Rejected, Unknown
from haechi.trading.desk_door import Sent
from haechi.trading.desk_rests import BACK_OFF_MS, STOP_BACK_OFF_MS
from haechi.trading.working import Ticket


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as made:
        await made.held()
        made.exchange.calls.clear()
        yield made


async def rest(stage: Stage, *tickets: Ticket) -> list[Any]:
    async def nothing(_session: Any) -> None:
        return

    return await stage.desk.rests.converge(B1, {one.role: one for one in tickets}, also=lambda: nothing)


def resting(stage: Stage) -> list[tuple[str, D, D | None]]:
    return [(one.kind, one.quantity, one.trigger) for one in stage.exchange.resting.values()]


LINE = entry(role="line1", kind="limit", price=D(59_000))
TARGET = target()


async def test_what_rests_as_wished_is_left_alone(stage: Stage) -> None:
    await rest(stage, stop(), TARGET)
    assert len(await rest(stage, stop(), TARGET)) == 0
    assert stage.exchange.calls == ["stop sell 1 reducing", "limit sell 1 reducing"]


async def test_the_new_one_is_there_before_the_old_one_goes(stage: Stage) -> None:
    await rest(stage, stop())
    await stage.held("0.5")
    stage.exchange.calls.clear()
    await rest(stage, stop("1.5"))
    assert stage.exchange.calls == ["stop sell 1.5 reducing", "cancel b1-000002"]
    await rest(stage, stop("1.5", "59000"))
    assert resting(stage) == [("stop", D("1.5"), D(59_000))]


async def test_what_is_no_longer_wished_goes(stage: Stage) -> None:
    await rest(stage, stop(), LINE)
    await rest(stage, stop())
    assert resting(stage) == [("stop", D(1), D(58_000))]


async def test_an_order_filled_in_part_is_what_is_left_of_it(stage: Stage) -> None:
    await rest(stage, TARGET)
    name = next(iter(stage.exchange.resting))
    await stage.desk.hear(stage.exchange.fill(name, "0.4", "63000"))
    stage.exchange.calls.clear()
    await rest(stage, target("0.6"))
    assert stage.exchange.calls == []


async def test_the_old_stop_stays_when_the_new_one_is_refused(stage: Stage) -> None:
    await rest(stage, stop())
    stage.exchange.answers = [(Rejected("busy"), False)]
    await rest(stage, stop(trigger="59000"))
    assert resting(stage) == [("stop", D(1), D(58_000))] and "stop_refused" in stage.alarms()


@pytest.mark.parametrize(("ticket", "steps"), [(stop(), STOP_BACK_OFF_MS[:3]), (LINE, BACK_OFF_MS)])
async def test_a_refused_order_is_tried_again_later_each_time(stage: Stage, ticket: Ticket, steps: tuple[int, ...]) -> None:
    for tries, wait in enumerate(steps, start=1):
        stage.exchange.answers = [(Rejected("busy"), False)]
        await rest(stage, ticket)
        stage.later((wait - 1) / 1000)
        for _ in range(5):
            await rest(stage, ticket)
        assert len(stage.exchange.calls) == tries and B1.bot_id not in stage.desk.rests.due_again(stage.clock.now_ms())
        stage.later(1 / 1000)
        assert B1.bot_id in stage.desk.rests.due_again(stage.clock.now_ms())
    await rest(stage, ticket)
    assert len(stage.exchange.resting) == 1 and B1.bot_id not in stage.desk.rests.due_again(stage.clock.now_ms() + 10**9)


async def test_a_stop_refused_four_times_becomes_an_exit(stage: Stage) -> None:
    stage.exchange.answers = [(Rejected("plan_limit"), False)] * 4
    for wait in STOP_BACK_OFF_MS:
        await rest(stage, stop())
        stage.later(wait / 1000)
    assert stage.exchange.calls == ["stop sell 1 reducing"] * 4 + ["market sell 1 reducing"]


@pytest.mark.parametrize("reason", ["trigger", "price"])
async def test_a_stop_that_the_market_has_passed_is_an_exit_at_once(stage: Stage, reason: str) -> None:
    stage.exchange.answers = [(Rejected(reason), False)]
    await rest(stage, stop())
    assert stage.exchange.calls == ["stop sell 1 reducing", "market sell 1 reducing"]


async def test_a_stop_for_nothing_has_the_books_compared(stage: Stage) -> None:
    stage.exchange.answers = [(Rejected("no_position"), False)]
    await rest(stage, stop())
    assert stage.desk.check._wake.is_set() and "stop_refused" not in stage.alarms() and len(stage.exchange.calls) == 1


async def test_a_stop_that_the_persons_other_side_keeps_from_resting_is_tried_later_each_time_and_at_once_when_that_goes(stage: Stage) -> None:
    """On a net position nothing is there to be reduced: asked every five seconds it would be refused for ever."""
    name = await stage.sent(LINE)
    await stage.desk.hear(stage.exchange.trade("", "sell", "3"))
    await stage.desk.hear(stage.exchange.fill(name, "1", "59000"))
    assert stage.desk.holdings.total("BTCUSDT") == -1 and stage.desk.holdings.quantity("b1", "BTCUSDT") == 1
    stage.exchange.calls.clear()
    stage.exchange.answers = [(Rejected("no_position"), False)] * len(BACK_OFF_MS)
    for tries, wait in enumerate(BACK_OFF_MS, 1):
        await rest(stage, stop())
        assert stage.exchange.calls == ["stop sell 1 reducing"] * tries
        stage.later(wait / 1000 - 0.1)
        await rest(stage, stop())
        assert stage.exchange.calls == ["stop sell 1 reducing"] * tries and "b1" not in stage.desk.rests.due_again(stage.clock.now_ms())
        stage.later(0.1 if tries < len(BACK_OFF_MS) else -0.0)
    await stage.desk.hear(stage.exchange.trade("", "buy", "2"))
    assert stage.desk.holdings.total("BTCUSDT") == 1 and "b1" in stage.desk.rests.due_again(stage.clock.now_ms())
    await rest(stage, stop())
    assert resting(stage) == [("stop", D(1), D(58_000))]


async def test_a_stop_is_no_larger_than_what_the_persons_other_side_leaves_of_the_position_and_grows_with_it(stage: Stage) -> None:
    """A larger one is refused, and what is left would stand without any (seed 11259)."""
    name = await stage.sent(LINE)
    await stage.desk.hear(stage.exchange.trade("", "sell", "1.6"))
    await stage.desk.hear(stage.exchange.fill(name, "1", "59000"))
    assert stage.desk.holdings.total("BTCUSDT") == D("0.4") and stage.desk.holdings.quantity("b1", "BTCUSDT") == 1
    await rest(stage, stop())
    assert resting(stage) == [("stop", D("0.4"), D(58_000))]
    assert [await watched(stage, 2) for _ in range(3)] == [set()] * 3
    await stage.desk.hear(stage.exchange.trade("", "buy", "0.6"))
    assert [await watched(stage, 2) for _ in range(3)] == [set(), set(), {"naked"}], "nobody is at work"
    await rest(stage, stop())
    assert resting(stage) == [("stop", D(1), D(58_000))] and await watched(stage) == set()


async def test_a_stop_nobody_answers_for_is_placed_again_after_two_seconds(stage: Stage) -> None:
    stage.exchange.answers = [LOST_BEFORE]
    await rest(stage, stop())
    stage.later(1.9)
    await rest(stage, stop())
    assert len(stage.exchange.calls) == 1
    stage.later(0.1)
    await rest(stage, stop())
    assert stage.exchange.calls == ["stop sell 1 reducing", "stop sell 1 reducing", "cancel b1-000002"]
    assert resting(stage) == [("stop", D(1), D(58_000))]


async def test_what_adds_risk_gets_no_second_one_while_the_first_may_be_there(stage: Stage) -> None:
    stage.exchange.answers = [LOST_AFTER]
    await rest(stage, LINE)
    for _ in range(5):
        stage.later(60)
        await rest(stage, LINE)
        await rest(stage, entry(role="line1", kind="limit", price=D(58_500)))
    assert stage.exchange.calls == ["limit buy 1"], "nor at another price"


async def test_a_cancel_without_an_answer_is_not_asked_again_at_once(stage: Stage) -> None:
    await rest(stage, LINE)
    stage.exchange.cancels = [Unknown("timeout"), Unknown("timeout")]
    for seconds in (0, 1, 1):
        stage.later(seconds)
        await rest(stage)
    assert stage.exchange.calls == ["limit buy 1", "cancel b1-000002", "cancel b1-000002"]


async def test_what_ended_while_the_new_one_was_sent_is_not_cancelled(stage: Stage) -> None:
    await rest(stage, TARGET)
    name = next(iter(stage.exchange.resting))

    async def fills_meanwhile(_order: NewOrder) -> None:
        await stage.desk.hear(stage.exchange.fill(name, "1", "63000"))

    await stage.sent(entry("0.5"))
    await stage.desk.hear(stage.exchange.fill("b1-000003", "0.5"))
    stage.exchange.calls.clear()
    stage.exchange.on_place = fills_meanwhile
    await rest(stage, target("1.5", "64000"))
    assert stage.exchange.calls == ["limit sell 1.5 reducing"]


async def test_an_order_at_the_market_that_is_on_its_way_is_left_alone(stage: Stage) -> None:
    answer = (await rest(stage, leave()))[0][1]
    assert isinstance(answer, Sent)
    stage.exchange.calls.clear()
    await rest(stage, leave())
    await rest(stage)
    assert stage.exchange.calls == [], "neither sent twice nor cancelled"


async def test_what_is_no_longer_wished_needs_no_other_try(stage: Stage) -> None:
    stage.exchange.answers = [(Rejected("busy"), False)]
    await rest(stage, LINE)
    stage.later(2)
    stage.desk.rests.settle_roles(B1, {"stop": stop()})
    assert B1.bot_id not in stage.desk.rests.due_again(stage.clock.now_ms())


# ---- the watcher


async def watched(stage: Stage, seconds: float = 1, *, evidence: bool = False) -> set[str]:
    stage.later(seconds)
    await stage.desk.watch.once(evidence=evidence)
    await stage.desk.watch.settled()
    return stage.alarms() & {"naked", "no_stop"}


async def test_a_position_without_a_stop_rings_after_three_seconds_and_its_bot_is_poked(stage: Stage) -> None:
    face = Listening(B1)
    stage.desk.attach(face)
    assert [await watched(stage) for _ in range(4)] == [set(), set(), set(), {"naked"}] and face.pokes == 4
    await rest(stage, stop("0.999"))
    assert await watched(stage) == {"naked"}, "a stop of less is none"
    await rest(stage, stop())
    assert await watched(stage) == set() and face.pokes == 5


async def test_nobody_at_work_is_no_reason_not_to_ring(stage: Stage) -> None:
    assert [await watched(stage, 2) for _ in range(3)] == [set(), set(), {"naked"}]


async def test_what_goes_on_filling_does_not_put_the_alarm_off(stage: Stage) -> None:
    await watched(stage, 0)
    for _ in range(2):
        await stage.held("0.5")
        assert await watched(stage, 1) == set()
    await stage.held("0.5")
    assert await watched(stage, 1) == {"naked"}


async def test_a_stop_that_follows_what_fills_does_not_ring(stage: Stage) -> None:
    """It is never whole, and each fill has its own within two seconds."""
    await watched(stage, 0)
    for halves in range(2, 8):
        await rest(stage, stop(str(D(halves) / 2)))
        await stage.held("0.5")
        assert await watched(stage, 2) == set()
    assert await watched(stage, 3) == {"naked"}


async def test_a_position_that_turned_round_has_its_own_three_seconds(stage: Stage) -> None:
    await watched(stage, 0)
    stage.later(2)
    await stage.desk.hear(stage.exchange.fill(await stage.sent(leave("2", reduce_only=False)), "2"))
    assert stage.desk.holdings.quantity("b1", "BTCUSDT") == -1
    assert await watched(stage, 2) == set() and await watched(stage, 3) == {"naked"}


async def test_a_plan_without_a_stop_is_said_and_does_not_ring_as_naked(stage: Stage) -> None:
    face = Listening(B1)
    face.protected = False  # type: ignore[misc]
    stage.desk.attach(face)
    assert [await watched(stage, 5) for _ in range(2)] == [{"no_stop"}] * 2 and face.pokes == 0


async def test_what_rang_as_naked_while_its_bot_was_away_is_over_when_a_plan_without_a_stop_is_back(stage: Stage) -> None:
    assert [await watched(stage, 2) for _ in range(3)][-1] == {"naked"}, "nobody knows that its plan has none"
    face = Listening(B1)
    face.protected = False  # type: ignore[misc]
    stage.desk.attach(face)
    assert await watched(stage) == {"no_stop"}


async def test_a_stop_that_is_only_in_our_books_is_none(stage: Stage) -> None:
    """Somebody took it away at the exchange, and nobody told."""
    await rest(stage, stop())
    stage.exchange.resting.clear()
    assert await watched(stage, 5, evidence=True) == set()
    assert await watched(stage, 1) == set() and await watched(stage, 5) == set(), "what the books say"
    await watched(stage, 1, evidence=True)
    assert await watched(stage, 3, evidence=True) == {"naked"}


async def test_what_is_on_its_way_or_on_the_wrong_side_protects_nothing(stage: Stage) -> None:
    stage.exchange.answers = [LOST_AFTER]
    await rest(stage, stop())
    await watched(stage, 0)
    assert await watched(stage, 3) == {"naked"}


async def test_what_is_over_is_quiet(stage: Stage) -> None:
    await watched(stage)
    assert await watched(stage, 5) == {"naked"}
    await stage.desk.hear(stage.exchange.fill(await stage.sent(leave()), "1"))
    assert await watched(stage) == set() and stage.desk.watch.since == {}


async def test_a_position_of_somebody_else_is_not_ours_to_protect(stage: Stage) -> None:
    await stage.desk.hear(stage.exchange.fill(await stage.sent(leave()), "1"))
    await stage.desk.hear(stage.exchange.trade("", "buy", "3"))
    assert await watched(stage) == set() and await watched(stage, 9) == set()


async def test_a_face_whose_try_is_due_is_poked(stage: Stage) -> None:
    face = Listening(B1)
    stage.exchange.answers = [(Rejected("busy"), False)]
    await rest(stage, LINE)
    await rest(stage, stop(), LINE)
    stage.desk.attach(face)
    await watched(stage, 0.5)
    assert face.pokes == 0
    await watched(stage, 0.5)
    assert face.pokes == 1


async def test_the_watcher_survives_what_goes_wrong_and_looks_at_the_exchange_every_tenth_second(stage: Stage,
                                                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    from haechi.exchanges.errors import Unreachable

    looks: list[bool] = []
    errors = [ValueError("ours"), Unreachable("x")]

    async def once(*, evidence: bool) -> None:
        looks.append(evidence)
        if errors:
            raise errors.pop()

    monkeypatch.setattr(stage.desk.watch, "once", once)
    for _ in range(20):
        await stage.naps.over(1)
    await until(lambda: len(looks) == 20)
    assert [number for number, evidence in enumerate(looks[:20], start=1) if evidence] == [10, 20]


async def test_a_line_that_could_not_be_taken_away_and_is_wished_again_gets_no_second_one(stage: Stage) -> None:
    await rest(stage, stop(), LINE)
    name = next(one.client_id for one in stage.exchange.resting.values() if one.kind == "limit")
    late = stage.exchange.fill(name, "1", "59000")
    await rest(stage, stop())
    stage.exchange.calls.clear()
    await rest(stage, stop(), LINE)
    assert stage.exchange.calls == []
    await stage.desk.hear(late)
    await rest(stage, stop("2"), LINE)
    assert "limit buy 1" in stage.exchange.calls, "once it is known to be over, the next may come"
