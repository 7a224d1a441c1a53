"""What two exits closed too much is taken back, once, when the exchange has shown that it is so; and nothing else is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal as D
from pathlib import Path

import pytest
from desk_stage import B1, LOST_AFTER, MANUAL, SYMBOL, Listening, Puppet, Stage, entry, leave, staged, stop

from haechi.core.risk import Refused
from haechi.exchanges.port import Liquidated, Rejected
from haechi.trading.desk_over import beyond
from haechi.trading.models import Order
from haechi.trading.owner import Owner
from haechi.trading.scribe import nothing
from haechi.trading.working import Ticket


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as made:
        yield made


async def over_closed(stage: Stage, owner: Owner = B1) -> None:
    """A stop and an exit of the same position have both filled."""
    await stage.held(owner=owner)
    names = [await stage.sent(stop(), owner), await stage.sent(leave(), owner)]
    for name in names:
        await stage.desk.hear(stage.exchange.fill(name, "1"))


def repairs(stage: Stage) -> list[tuple[str, D, bool]]:
    return [(one.side, one.quantity, one.reduce_only) for one in stage.exchange.placed if one.kind == "market"][2:]


@pytest.mark.parametrize("owner", [B1, MANUAL], ids=["bot", "by hand"])
async def test_it_is_taken_back_after_the_exchange_has_shown_it(stage: Stage, owner: Owner) -> None:
    stage.desk.attach(Listening(B1))
    await over_closed(stage, owner)
    assert "over_closed" in stage.alarms() and "over_closed" in stage.desk.doubts() and repairs(stage) == []
    await stage.round(1)
    assert repairs(stage) == [("buy", D(1), True)]
    await stage.desk.hear(stage.exchange.fill(stage.exchange.placed[-1].client_id, "1"))
    await stage.round(1)
    await stage.desk.watch.once(evidence=False)
    assert stage.desk.holdings.symbols() == [] and stage.exchange.position == 0 and len(repairs(stage)) == 1
    assert "over_closed" not in stage.alarms() and stage.desk.doubts() == ()


async def test_the_stop_that_stands_under_it_stays_until_it_is_taken_back(stage: Stage) -> None:
    """Its bot holds nothing any more and wants no stop; its account still holds what was closed too much."""
    async def rests(*wanted: Ticket) -> list[tuple[str, str]]:
        await stage.desk.rests.converge(B1, {one.role: one for one in wanted}, also=lambda: nothing)
        return [(one.role, one.order.side) for one in stage.desk.orders.of("b1") if one.order.kind == "stop"]

    await over_closed(stage)
    of_before = stop(side="buy", trigger="62000")  # of a position that its bot had until a moment ago
    assert await rests(of_before) == [("stop", "buy")]
    assert await rests(stop(side="buy", trigger="61900")) == [("stop", "buy")]  # one that is replaced goes
    assert await rests() == [("stop", "buy")]
    await stage.round(1)
    assert repairs(stage) == [("buy", D(1), True)]
    await stage.desk.hear(stage.exchange.fill(stage.exchange.placed[-1].client_id, "1"))
    assert stage.desk.over.found == {} and await rests() == []


@pytest.mark.parametrize("owner", [B1, MANUAL], ids=["bot", "by hand"])
async def test_a_crash_before_it_was_taken_back_changes_nothing(stage: Stage, owner: Owner) -> None:
    await over_closed(stage, owner)
    await stage.again()  # the first round of the new desk has taken it back when it is open
    assert repairs(stage) == [("buy", D(1), True)]
    await stage.again()
    assert len(repairs(stage)) == 1  # it is on its way
    await stage.desk.hear(stage.exchange.fill(stage.exchange.placed[-1].client_id, "1"))
    await stage.again()
    assert stage.desk.over.found == {} and len(repairs(stage)) == 1


async def test_a_fill_that_is_only_late_is_no_reason(stage: Stage) -> None:
    """The exit is told before the entry it closes: for a moment the books show the other side."""
    name, exit_id = await stage.sent(entry()), ""
    bought = stage.exchange.fill(name, "1")
    stage.exchange.hidden.add(bought.trade_id)
    stage.desk.holdings.apply(bought, "b1")  # so that the gate lets the exit pass
    exit_id = await stage.sent(leave())
    stage.desk.holdings = type(stage.desk.holdings)()
    sold = stage.exchange.fill(exit_id, "1")
    await stage.desk.hear(sold)
    assert stage.desk.over.found == {("b1", SYMBOL): D(-1)}
    await stage.round(1)
    assert repairs(stage) == [] and len(stage.exchange.placed) == 2
    stage.exchange.hidden.clear()
    await stage.round(1)
    assert stage.desk.over.found == {} and len(stage.exchange.placed) == 2 and stage.desk.holdings.symbols() == []


async def test_a_repair_of_unknown_fate_is_not_sent_again_and_a_refused_one_is(stage: Stage) -> None:
    stage.exchange.answers = []
    await over_closed(stage)
    stage.exchange.answers = [(Rejected("busy"), False), LOST_AFTER]
    for _ in range(4):
        await stage.round(1)
    assert len(repairs(stage)) == 2
    await stage.desk.hear(stage.exchange.fill(stage.exchange.placed[-1].client_id, "1"))
    await stage.round(1)
    assert len(repairs(stage)) == 2 and stage.exchange.position == 0


async def test_new_risk_waits_for_it_and_other_exits_do_not(stage: Stage) -> None:
    await stage.held("2", MANUAL)
    await over_closed(stage)
    answers = await stage.desk.send(MANUAL, [entry(), leave()])
    assert isinstance(answers[0], Refused) and answers[0].rule == "doubt" and not isinstance(answers[1], Refused)


async def test_where_the_net_position_is_the_others_it_is_no_reduce_only_order(stage: Stage) -> None:
    """Netted: the exchange sees what all hold together."""
    await stage.held("3", MANUAL)
    await over_closed(stage)
    await stage.round(1)
    assert repairs(stage)[-1] == ("buy", D(1), False)


async def test_where_it_is_new_risk_for_the_exchange_it_waits_for_a_kill_switch(stage: Stage) -> None:
    await stage.held("3", MANUAL)
    await over_closed(stage)
    before, stage.killed = len(await stage.rows(Order)), "user"
    for _ in range(3):
        await stage.round(1)
    assert len(await stage.rows(Order)) == before and stage.desk.doubts() == ("over_closed",)
    stage.killed = ""
    await stage.round(1)
    assert repairs(stage)[-1] == ("buy", D(1), False)


async def test_a_kill_switch_does_not_hold_up_what_reduces_for_the_exchange_too(stage: Stage) -> None:
    await over_closed(stage)
    stage.killed = "user"
    await stage.round(1)
    assert repairs(stage) == [("buy", D(1), True)]


@pytest.mark.parametrize("how", ["by hand", "liquidated", "half by hand"])
async def test_what_went_another_way_is_not_taken_back(stage: Stage, how: str) -> None:
    """The person has bought at the exchange what was sold too much, or the exchange has."""
    await over_closed(stage)
    if how == "liquidated":
        stage.exchange.trade("", "buy", "1")
        stage.exchange.fills.pop()
        await stage.desk.hear(Liquidated("l1", SYMBOL, "buy", D(1), D(60_000), D(0), stage.clock.now_ms()))
    else:
        await stage.desk.hear(stage.exchange.trade("", "buy", "1" if how == "by hand" else "0.4"))
    for _ in range(2):
        await stage.round(1)
    left = {("b1", SYMBOL): D("-0.6")} if how == "half by hand" else {}
    assert stage.desk.over.found == left and repairs(stage) == [("buy", D("0.6"), True)] * len(left)
    await stage.desk.watch.once(evidence=False)
    assert ("over_closed" in stage.alarms()) == bool(left)


async def test_a_bot_that_comes_to_work_says_what_it_remembers(stage: Stage) -> None:
    """An entry that filled afterwards hides it in the books; the bot's mind has it."""
    await over_closed(stage)
    other = await stage.sent(entry(side="sell"))
    assert "doubt" in other  # nothing new is sent; one that was on its way fills all the same
    stage.desk.over.found.clear()
    sold = await stage.sent(entry(side="sell"))
    await stage.desk.hear(stage.exchange.fill(sold, "1"))
    await stage.again()
    assert stage.desk.over.found == {}
    stage.desk.over.remembered("b1", SYMBOL, D(-1))
    await stage.round(1)
    assert repairs(stage)[-1] == ("buy", D(1), True)


async def test_a_stopping_bot_waits_for_it(stage: Stage) -> None:
    mind = Puppet()
    mind.excess = -1000
    runner = await stage.works(mind)
    await runner.stop(flatten=False)
    assert not runner.ended.is_set()
    mind.excess = 0
    await runner.stop(flatten=False)
    assert runner.ended.is_set()


@pytest.mark.parametrize(("held", "change", "reduces", "over"), [
    ("-1", "-1", True, "-1"), ("-0.4", "-1", True, "-0.4"), ("-1.4", "-1", True, "-1"), ("0", "-1", True, "0"), ("1", "-1", True, "0"),
    ("2", "1", True, "1"), ("-1", "-1", False, "0")])
def test_what_of_a_fill_went_too_far(held: str, change: str, reduces: bool, over: str) -> None:
    assert beyond(D(held), D(change), reduces=reduces) == D(over)
