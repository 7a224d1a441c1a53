"""An alarm ends when what it is about is over, also after a restart; and is told again when it comes again. Large grids are laid at an even pace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal as D
from pathlib import Path

import pytest
from desk_stage import B1, SYMBOL, Puppet, Stage, entry, staged

from haechi.core.risk import Refused
from haechi.exchanges.port import Accepted, Rejected, Unknown
from haechi.trading.desk_door import Sent
from haechi.trading.desk_rests import BACK_OFF_MS
from haechi.trading.models import Alarm
from haechi.trading.working import Ticket

KEY = f"b1:{SYMBOL}"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as made:
        yield made


async def open_alarms(stage: Stage) -> list[str]:
    return [row.code for row in await stage.rows(Alarm) if row.cleared_ms is None]


@pytest.mark.parametrize("code", ["naked", "no_stop", "stop_refused"])
async def test_what_is_no_longer_held_needs_no_stop(stage: Stage, code: str) -> None:
    stage.desk.alarm("b1", code, key=KEY)
    await stage.desk.watch.once(evidence=False)  # nothing is held
    await stage.desk.watch.settled()
    assert await open_alarms(stage) == []
    stage.desk.alarm("b1", code, key=KEY)
    assert await open_alarms(stage) == [code]


async def test_what_is_held_without_a_stop_rings_on(stage: Stage) -> None:
    await stage.held()
    stage.desk.alarm("b1", "naked", key=KEY)
    stage.later(1)
    await stage.desk.watch.once(evidence=False)
    await stage.desk.watch.settled()
    assert await open_alarms(stage) == ["naked"]


async def test_an_alarm_of_before_a_restart_ends_too_and_is_not_told_twice(stage: Stage) -> None:
    stage.desk.alarm("b1", "naked", key=KEY)
    stage.desk.alarm("b1", "unknown_order", key="b1-000001")
    await stage.again()
    assert sorted(await open_alarms(stage)) == ["naked", "unknown_order"]
    stage.desk.alarm("b1", "naked", key=KEY)
    assert len(await stage.rows(Alarm)) == 2
    await stage.desk.watch.once(evidence=False)
    await stage.desk.watch.settled()
    assert await open_alarms(stage) == []


async def test_an_order_that_is_still_looked_for_rings_on(stage: Stage) -> None:
    stage.exchange.answers = [(Unknown("timeout"), False)]
    name = await stage.sent(entry())
    stage.desk.alarm("b1", "unknown_order", key=name)
    await stage.desk.watch.once(evidence=False)
    await stage.desk.watch.settled()
    assert await open_alarms(stage) == ["unknown_order"]


async def test_what_its_adapter_said_ends_with_a_whole_round_but_a_missing_order_is_one_each(stage: Stage) -> None:
    for word, sentence in (("stream_stale", "x"), ("maintenance", "y"), ("order_missing", "order 1"), ("order_missing", "order 2")):
        stage.desks.alarmed("a1", word, sentence)
    stage.desk.alarm("", "without_database", key="")
    stage.desk.check.well()
    assert await open_alarms(stage) == ["order_missing", "order_missing"]


async def test_books_that_differed_before_a_restart_agree_again(stage: Stage) -> None:
    stage.desk.alarm("", "books_differ", key="", difference="x")
    await stage.again()  # reconciles
    assert await open_alarms(stage) == []


async def test_a_bot_that_works_again_has_not_failed(stage: Stage) -> None:
    stage.desk.alarm("b1", "bot_failed", key="b1")
    await stage.works(Puppet())
    assert await open_alarms(stage) == []


async def test_what_is_too_much_at_once_is_asked_for_again_in_a_second_each_time(stage: Stage) -> None:
    line = Ticket("line:1", SYMBOL, "buy", D(1), "limit", D(50_000))
    for _ in range(8):
        await stage.desk.rests.tried(B1, line, Refused("orders_second", "11", "10"))
        now = stage.clock.now_ms()
        assert stage.desk.rests.backing_of(B1, line.role).next_ms == now + BACK_OFF_MS[0]
        assert B1.bot_id not in stage.desk.rests.due_again(now) and B1.bot_id in stage.desk.rests.due_again(now + BACK_OFF_MS[0])
    assert await stage.desk.rests.tried(B1, line, Sent("b1-000009", Accepted("1"))) and B1.bot_id not in stage.desk.rests.due_again(now + 60_000)


async def test_a_real_refusal_waits_longer_each_time(stage: Stage) -> None:
    target, waits = Ticket("target1", SYMBOL, "sell", D(1), "limit", D(70_000), None, True), []
    for _ in range(6):
        await stage.desk.rests.tried(B1, target, Sent("b1-000001", Rejected("rate", "429")))
        waits.append(stage.desk.rests.backing_of(B1, target.role).next_ms - stage.clock.now_ms())
    assert waits == [*BACK_OFF_MS, BACK_OFF_MS[-1]]
