"""A bot on its desk: what it wishes once, what it wishes until it is done, and what a restart finds."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from decimal import Decimal as D
from pathlib import Path

import msgspec
import pytest
from desk_stage import BTC, BUY, LOST_BEFORE, SELL, SYMBOL, Puppet, Stage, staged, until
from sqlalchemy import select

from haechi.bots.ending import PROOF_AGAIN_S
from haechi.bots.models import BotState
from haechi.bots.runner import Runner
from haechi.bots.states import Saved
from haechi.core.live import Wanted
from haechi.exchanges.errors import Unreachable
from haechi.exchanges.port import Bar, Fill, NewOrder, Rejected, Unknown
from haechi.trading.journal import lines
from haechi.trading.models import Booking, Order


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as made:
        yield made


async def bought(stage: Stage, mind: Puppet) -> Runner:
    """At work, with a position and its stop; what led to it is not in `calls`."""
    runner = await stage.works(mind)
    mind.next = [BUY]
    await stage.bar()
    await stage.desk.hear(stage.exchange.fill("b1-000001", "1"))
    assert stage.exchange.calls == ["market buy 1.000", "stop sell 1.000 reducing"]
    stage.exchange.calls.clear()
    return runner


def resting(stage: Stage) -> list[tuple[str, D, bool]]:
    return [(one.kind, one.quantity, one.reduce_only) for one in stage.exchange.resting.values()]


async def test_the_stop_rests_at_the_exchange_right_after_the_fill_and_not_before(stage: Stage) -> None:
    mind = Puppet()
    runner = await stage.works(mind)
    mind.next = [BUY]
    await stage.bar()
    assert stage.exchange.calls == ["market buy 1.000"]
    await stage.desk.hear(stage.exchange.fill("b1-000001", "0.4"))
    assert resting(stage)[1:] == [("stop", D("0.4"), True)]
    await stage.desk.hear(stage.exchange.fill("b1-000001", "0.6"))
    assert resting(stage) == [("stop", D(1), True)], "resized with each piece"
    await runner.close()


async def test_what_fills_in_pieces_is_all_known_before_the_first_is_acted_on_and_gets_one_stop(stage: Stage) -> None:
    """With the answer of each order lost for seconds, a stop for each piece came when the position had long been larger."""
    mind = Puppet()
    runner = await stage.works(mind)
    mind.next = [BUY]
    await stage.bar()
    for quantity in ("0.4", "0.3", "0.2", "0.1"):
        stage.exchange.fill("b1-000001", quantity)
    await stage.round()
    assert stage.exchange.calls == ["market buy 1.000", "stop sell 1.000 reducing"]
    await runner.close()


async def test_what_fills_while_a_stop_waits_for_its_answer_is_known_at_once(stage: Stage) -> None:
    async def held(_order: NewOrder) -> None:
        await answered.wait()

    mind, answered = Puppet(), asyncio.Event()
    runner = await stage.works(mind)
    mind.next = [BUY]
    await stage.bar()
    stage.exchange.on_place = held
    telling = asyncio.create_task(stage.desk.hear(stage.exchange.fill("b1-000001", "0.4")))
    await until(lambda: "stop sell 0.400 reducing" in stage.exchange.calls)
    for quantity in ("0.3", "0.3"):
        stage.exchange.fill("b1-000001", quantity)
    round_ = asyncio.create_task(stage.round())
    await until(lambda: stage.desk.holdings.quantity("b1", SYMBOL) == 1)
    assert not telling.done() and stage.exchange.calls[2:] == []
    answered.set()
    await asyncio.gather(telling, round_)
    assert resting(stage) == [("stop", D(1), True)]
    await runner.close()


async def test_a_step_makes_the_stop_larger_and_a_target_smaller(stage: Stage) -> None:
    mind = Puppet()
    runner = await bought(stage, mind)
    mind.next = [msgspec.structs.replace(BUY, role="step1", lots=500)]
    await stage.bar()
    await stage.desk.hear(stage.exchange.fill("b1-000003", "0.5"))
    assert resting(stage) == [("stop", D("1.5"), True)]
    mind.rests = {"target1": Wanted("target1", -1, 700, "limit", price=630_000, reduce_only=True)}
    await runner.poke()
    await stage.desk.hear(stage.exchange.fill("b1-000005", "0.7", "63000"))
    assert ("stop", D("0.8"), True) in resting(stage)
    await runner.close()


async def test_the_end_of_the_process_leaves_the_stop(stage: Stage) -> None:
    runner = await bought(stage, Puppet())
    await runner.close()
    await stage.again()
    assert stage.exchange.calls == [] and resting(stage) == [("stop", D(1), True)]
    assert stage.desk.orders.working["b1-000002"].role == "stop"


async def test_an_entry_is_sent_once_for_its_bar_also_after_a_restart(stage: Stage) -> None:
    mind = Puppet()
    runner = await stage.works(mind)
    mind.next = [BUY]
    await stage.bar()
    await stage.desk.hear(stage.exchange.fill("b1-000001", "1"))
    await runner.close()
    at = stage.clock.now_ms() - 60_000
    await stage.again()
    again = Puppet(position=1000)
    runner = await stage.works(again)
    again.next = [BUY]
    await stage.desk.hear(Bar(SYMBOL, 60_000, at, *[D(60_000)] * 4, 1.0))
    assert [one.side for one in stage.exchange.placed].count("buy") == 1 and ("entry", "sent_before") in again.refusals
    await runner.close()


async def test_an_entry_nobody_answers_for_is_not_sent_again(stage: Stage) -> None:
    mind = Puppet()
    runner = await stage.works(mind)
    mind.next, stage.exchange.answers = [BUY], [LOST_BEFORE]
    await stage.bar()
    for _ in range(3):
        mind.next = [BUY]
        await stage.bar()
        await stage.round()
    assert stage.exchange.calls == ["market buy 1.000"]
    await runner.close()


@pytest.mark.parametrize("answer", [LOST_BEFORE, (Rejected("busy"), False), (TimeoutError(), False)])
async def test_an_exit_is_sent_until_nothing_is_held(stage: Stage, answer: tuple[object, bool]) -> None:
    mind = Puppet()
    runner = await bought(stage, mind)
    mind.next, stage.exchange.answers = [SELL], [answer]
    await stage.bar()
    assert set(stage.exchange.calls) == {"market sell 1.000 reducing"} and runner.exiting
    stage.exchange.looks["b1-000003"] = Rejected("never_arrived")
    for _ in range(5):
        await stage.round(2)
        await stage.bar()
    assert stage.exchange.calls.count("market sell 1.000 reducing") == 2
    name = next(one.client_id for one in reversed(stage.exchange.placed) if one.kind == "market")
    await stage.desk.hear(stage.exchange.fill(name, "1"))
    assert mind.position == 0 and not runner.exiting and stage.exchange.resting == {}
    await runner.close()


async def test_an_exit_goes_on_after_a_restart(stage: Stage) -> None:
    mind = Puppet()
    runner = await bought(stage, mind)
    mind.next, stage.exchange.answers = [SELL], [LOST_BEFORE]
    await stage.bar()
    await runner.close()
    state = msgspec.json.decode((await stage.rows(BotState))[0].body, type=Saved)
    assert state.exiting and state.heard == 1 and state.mind == "1000"


async def test_what_a_mind_knows_is_never_saved_before_the_books_have_it(stage: Stage) -> None:
    """Else a crash in between would hide the fill from it for ever."""
    found: list[tuple[int, int]] = []

    async def looked(order: NewOrder) -> None:
        if order.kind == "stop":
            async with stage.database.reading() as session:
                state = (await session.execute(select(BotState.body))).scalar_one()
                booked = (await session.execute(select(Booking.id).where(Booking.bot_id == "b1"))).scalars().all()
                found.append((msgspec.json.decode(state, type=Saved).heard, len(booked)))

    mind = Puppet()
    runner = await stage.works(mind)
    mind.next = [BUY]
    await stage.bar()
    stage.exchange.on_place = looked
    await stage.desk.hear(stage.exchange.fill("b1-000001", "1"))
    assert found == [(1, 1)]
    await runner.close()


async def test_a_stop_that_closes_takes_entries_away_and_then_everything(stage: Stage) -> None:
    mind = Puppet()
    runner = await bought(stage, mind)
    mind.rests = {"line1": LINE}
    await runner.poke()
    await runner.stop()
    assert not runner.ended.is_set() and [one[0] for one in resting(stage)] == ["stop", "market"]
    name = next(one.client_id for one in stage.exchange.resting.values() if one.kind == "market")
    await stage.desk.hear(stage.exchange.fill(name, "1"))
    await until(runner.ended.is_set)
    assert stage.exchange.resting == {} and "b1" not in stage.desk.faces


async def test_a_stop_that_keeps_leaves_the_protection(stage: Stage) -> None:
    mind = Puppet()
    runner = await bought(stage, mind)
    mind.rests = {"line1": LINE}
    await runner.poke()
    await runner.stop(flatten=False)
    await until(runner.ended.is_set)
    assert resting(stage) == [("stop", D(1), True)]


async def test_a_bot_that_is_stopped_wishes_no_entry_any_more(stage: Stage) -> None:
    mind = Puppet()
    runner = await bought(stage, mind)
    await runner.stop()
    stage.exchange.calls.clear()
    mind.next = [BUY]
    await stage.bar()
    assert stage.exchange.calls == []
    await runner.close()


async def test_a_fault_of_the_mind_ends_the_bot_and_leaves_its_stop(stage: Stage) -> None:
    mind = Puppet()
    runner = await bought(stage, mind)

    def broken(*_given: object, **_named: object) -> list[Wanted]:
        raise ValueError("a fault")

    mind.heard = broken  # type: ignore[method-assign]
    await stage.bar()
    assert runner.ended.is_set() and isinstance(runner.fault, ValueError)
    assert resting(stage) == [("stop", D(1), True)] and stage.exchange.calls == []


LIMIT = Wanted("entry", 1, 1000, "limit", price=599_000)
NEXT = msgspec.structs.replace(LIMIT, price=598_000)


@pytest.mark.parametrize("answer", [Rejected("no_order"), Unknown("timeout"), TimeoutError()])
async def test_a_new_entry_is_not_sent_while_the_old_one_that_could_not_be_taken_away_may_have_filled(stage: Stage, answer: object) -> None:
    mind = Puppet()
    runner = await stage.works(mind)
    mind.next, mind.rests = [LIMIT], {"entry": LIMIT}
    await stage.bar()
    late = stage.exchange.fill("b1-000001", "1", "59900")
    stage.exchange.cancels = [answer]
    mind.next, mind.rests = [NEXT], {"entry": NEXT}
    await stage.bar()
    assert stage.exchange.calls == ["limit buy 1.000", "cancel b1-000001"]
    mind.rests = {}  # the old one was the entry
    await stage.desk.hear(late)
    assert stage.exchange.calls == ["limit buy 1.000", "cancel b1-000001", "stop sell 1.000 reducing"]
    await runner.close()


async def test_an_entry_that_is_not_the_one_that_is_wished_goes_and_none_comes_for_it_without_a_name(stage: Stage) -> None:
    """Its cancelling did not arrive: it is asked for again, and the wish that came meanwhile is over."""
    mind = Puppet()
    runner = await stage.works(mind)
    mind.next, mind.rests, stage.exchange.cancels = [LIMIT], {"entry": LIMIT}, [Unknown("timeout")]
    await stage.bar()
    mind.next, mind.rests = [NEXT], {"entry": NEXT}
    await stage.bar()
    for _ in range(3):
        await stage.round()
    assert [(one.intent, one.price) for one in await stage.rows(Order)] == [("b1:entry@1767225600000", D(59_900))]
    assert stage.exchange.resting == {}
    await runner.close()


async def test_an_entry_filled_in_part_rests_on_with_what_is_left(stage: Stage) -> None:
    mind = Puppet()
    runner = await stage.works(mind)
    mind.next, mind.rests = [LIMIT], {"entry": LIMIT}
    await stage.bar()
    mind.rests = {"entry": msgspec.structs.replace(LIMIT, lots=600)}
    await stage.desk.hear(stage.exchange.fill("b1-000001", "0.4", "59900"))
    assert resting(stage) == [("limit", D(1), False), ("stop", D("0.4"), True)]
    await runner.close()


LINE = Wanted("line1", 1, 1000, "limit", price=590_000)


def told_in(stage: Stage, late: Fill | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fill is told while the exchange is asked to take the order away."""
    cancel = stage.exchange.cancel

    async def filled_meanwhile(client_id: str) -> object:
        nonlocal late
        if late is not None:
            told, late = late, None
            telling.append(asyncio.create_task(stage.desk.hear(told)))
            await asyncio.sleep(0)
        return await cancel(client_id)

    telling: list[asyncio.Task[None]] = []
    monkeypatch.setattr(stage.exchange, "cancel", filled_meanwhile)


@pytest.mark.parametrize("finishes", [True, False])
@pytest.mark.parametrize("whole", ["1", "0.4"])
async def test_what_fills_while_a_bot_that_closes_takes_its_orders_away_is_closed_too(
        stage: Stage, monkeypatch: pytest.MonkeyPatch, whole: str, finishes: bool) -> None:
    mind = Puppet()
    runner = await stage.works(mind)
    mind.rests = {"line1": LINE}
    await runner.poke()
    told_in(stage, stage.exchange.fill("b1-000001", whole, "59000"), monkeypatch)
    mind.rests = {}
    mind.finished = finishes  # type: ignore[attr-defined]
    await (runner.poke() if finishes else runner.stop())
    await until(lambda: any(one.kind == "market" for one in stage.exchange.resting.values()))
    assert not runner.ended.is_set() and mind.position == BTC.lots(D(whole))
    await stage.desk.hear(stage.exchange.fill(stage.exchange.placed[-1].client_id, whole))
    await until(runner.ended.is_set)
    assert stage.exchange.position == 0 and stage.exchange.resting == {}


@pytest.mark.parametrize("flatten", [True, False])
async def test_what_filled_before_it_was_taken_away_and_is_told_later_is_waited_for(stage: Stage, flatten: bool) -> None:
    mind = Puppet()
    runner = await stage.works(mind)
    mind.rests = {"line1": LINE}
    await runner.poke()
    stage.exchange.fill("b1-000001", "0.4", "59000")  # and nobody tells it
    stage.exchange.error = Unreachable("away")
    await runner.stop(flatten=flatten)
    assert not runner.ended.is_set(), "nobody has looked"
    stage.exchange.error = None
    await stage.naps.over(PROOF_AGAIN_S)
    await until(lambda: mind.position == 400)
    if flatten:
        await until(lambda: any(one.kind == "market" for one in stage.exchange.resting.values()))
        await stage.desk.hear(stage.exchange.fill(stage.exchange.placed[-1].client_id, "0.4"))
    await until(runner.ended.is_set)
    assert resting(stage) == ([] if flatten else [("stop", D("0.4"), True)])


async def test_a_bot_that_took_nothing_away_ends_at_once_also_without_an_exchange(stage: Stage) -> None:
    runner = await stage.works(Puppet())
    stage.exchange.error = Unreachable("away")
    await runner.stop()
    assert runner.ended.is_set()


def full(_file: int, _text: bytes) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


async def test_with_a_full_disk_under_its_journal_a_bot_lives_its_stop_and_exit_leave_and_what_adds_risk_waits(
        stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    mind = Puppet()
    runner = await stage.works(mind)
    mind.next = [BUY]
    await stage.bar()
    write = os.write
    monkeypatch.setattr(os, "write", full)
    await stage.desk.hear(stage.exchange.fill("b1-000001", "1"))
    mind.rests = {"line1": LINE}
    mind.next = [BUY]
    await stage.bar()
    assert stage.exchange.calls == ["market buy 1.000", "stop sell 1.000 reducing"] and mind.refusals == [("entry", "journal")]
    mind.next = [SELL]
    await stage.bar()
    assert stage.exchange.calls[2:] == ["market sell 1.000 reducing"] and not runner.ended.is_set()
    monkeypatch.setattr(os, "write", write)
    await stage.bar()
    await stage.bar()
    assert stage.exchange.calls[-1] == "limit buy 1.000" and [row["k"] for row in lines(runner.journal.path)].count("bar") == 5
    await runner.close()
