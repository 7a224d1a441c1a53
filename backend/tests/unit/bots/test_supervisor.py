"""What runs becomes what is desired, in virtual time: side by side, in turn over people, through faults, restarts and lost leases."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from haechi.bots.models import FAILED, RECOVERING, RUNNING, STARTING, STOPPED, STOPPING, Bot, BotLine, BotState
from haechi.bots.supervisor import ERRANDS_MAX, ERRANDS_OF_ACCOUNT_MAX, Supervisor
from haechi.bots.turns import Turns
from haechi.exchanges.errors import Refused
from haechi.identity.models import User

BAD_KEY = Refused("Bitget refuses the key", details={"word": "key", "kind": "key"})


class FakeRunner:
    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.fault: BaseException | None = None

    def fall(self, fault: BaseException) -> None:
        self.fault = fault
        self.ended.set()


class FakeBots:
    """Launches at once, unless told otherwise: `fails` raises, `holds` waits. Records what it was asked."""

    def __init__(self) -> None:
        self.runners: dict[str, FakeRunner] = {}
        self.launched: list[str] = []
        self.halted: list[tuple[str, bool]] = []
        self.fails: dict[str, BaseException] = {}
        self.holds: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.slow: set[str] = set()
        self.hanging: set[str] = set()
        self.under_way: Counter[str] = Counter()
        self.most = 0
        self.term = 1
        self.withdrawn: list[tuple[str, str]] = []

    async def withdraw(self, account_id, bot_id):
        self.withdrawn.append((account_id, bot_id))

    async def close(self):
        while self.runners:
            self.runners.popitem()[1].ended.set()

    async def launch(self, bot):
        self.launched.append(bot.id)
        self.under_way[bot.account_id] += 1
        self.most = max(self.most, self.under_way.total())
        try:
            if bot.account_id in self.slow:
                self.hanging.add(bot.id)
                await self.holds[bot.account_id].wait()
                self.hanging.discard(bot.id)
            for name in (bot.id, bot.account_id):
                if name in self.fails:
                    raise self.fails[name]
            self.runners[bot.id] = FakeRunner()
        finally:
            self.under_way[bot.account_id] -= 1

    async def halt(self, bot_id, *, flatten):
        self.halted.append((bot_id, flatten))
        self.runners[bot_id].ended.set()


class World:
    def __init__(self, database, clock, rows) -> None:
        self.database, self.clock, self.rows = database, clock, rows
        self.bots, self.alarms, self.leads = FakeBots(), [], True
        self.supervisor = self.another()

    def another(self):
        return Supervisor(self.database, self.clock, self.bots, leads=lambda: self.leads, random=lambda: 1.0,
                          ring=lambda owner, code, **facts: self.alarms.append((owner.bot_id, code, facts["why"])))

    async def add(self, *bots, desired=RUNNING, observed=STARTING, **given):
        """Ids as user/number; each person has one account."""
        person, account, bot = self.rows
        async with self.database.writing() as session:
            for user_id in sorted({one.split("/")[0] for one in bots}):
                if await session.get(type(person("x")), user_id) is None:
                    session.add(person(user_id))
                    await session.flush()
                    session.add(account(f"account-{user_id}", user_id))
                    await session.flush()
            for one in bots:
                user_id = one.split("/")[0]
                session.add(bot(one, user_id, f"account-{user_id}", desired=desired, observed=observed, **given))

    async def set(self, bot_id, **values):
        async with self.database.writing() as session:
            await session.execute(update(Bot).where(Bot.id == bot_id).values(**values))

    async def wished(self, bot_id):
        """It has sent orders before."""
        async with self.database.writing() as session:
            session.add(BotState(bot_id=bot_id, user_id=bot_id.split("/")[0], body="{}", updated_ms=0))

    async def passes(self, times=1, seconds=1.0):
        """Whole passes, every errand that can end ended, and virtual seconds between them."""
        for _ in range(times):
            await self.supervisor.look()
            await self.settled()
            self.clock.advance(timedelta(seconds=seconds))

    async def settled(self):
        """Every errand has ended, or hangs where the test lets it hang."""
        async with asyncio.timeout(60):
            while any(name not in self.bots.hanging for name in self.supervisor.errands):  # noqa: ASYNC110
                await asyncio.sleep(0)

    async def states(self):
        async with self.database.reading() as session:
            return {bot.id: bot.observed for bot in (await session.execute(select(Bot))).scalars()}

    async def one(self, bot_id):
        async with self.database.reading() as session:
            return await session.get_one(Bot, bot_id)

    async def lines(self, bot_id):
        async with self.database.reading() as session:
            return (await session.execute(select(BotLine.code).where(BotLine.bot_id == bot_id).order_by(BotLine.id))).scalars().all()


@pytest.fixture
async def world(database, clock, rows):
    made = World(database, clock, rows)
    yield made
    await made.supervisor.close()


async def test_what_is_wanted_is_launched_once_and_seen_running(world):
    await world.add("mina/1", "mina/2", "jun/1")
    await world.passes(5)
    assert sorted(world.bots.launched) == ["jun/1", "mina/1", "mina/2"]
    assert set((await world.states()).values()) == {RUNNING}


async def test_what_is_not_wanted_is_left_alone(world):
    await world.add("mina/1", desired=STOPPED, observed=STOPPED)
    await world.add("mina/2", desired=RUNNING, observed=FAILED)
    await world.add("mina/3", desired=RUNNING, observed=STARTING, deleted_at=world.clock.now())
    await world.passes(3)
    assert world.bots.launched == []


@pytest.mark.parametrize("flatten", [True, False])
async def test_stopping_says_whether_to_close_and_ends(world, flatten):
    await world.add("mina/1")
    await world.passes(2)
    await world.set("mina/1", desired=STOPPED, observed=STOPPING, flatten=flatten)
    await world.passes(3)
    assert world.bots.halted == [("mina/1", flatten)]
    bot = await world.one("mina/1")
    assert (bot.observed, bot.ended_at is not None) == (STOPPED, True)


async def test_a_stop_that_keeps_may_become_one_that_closes(world):
    await world.add("mina/1")
    await world.passes(2)
    world.bots.halt = halting(world.bots)
    await world.set("mina/1", desired=STOPPED, observed=STOPPING, flatten=False)
    await world.passes(3)
    await world.set("mina/1", flatten=True)
    await world.passes(3)
    assert world.bots.halted == [("mina/1", False), ("mina/1", True)], "each told once"
    assert (await world.one("mina/1")).observed == STOPPING


def halting(bots):
    """Takes its time: the runner has not ended when it has been told."""
    async def halt(bot_id, *, flatten):
        bots.halted.append((bot_id, flatten))
    return halt


async def test_a_stop_goes_on_after_a_crash(world):
    await world.add("mina/1", desired=STOPPED, observed=STOPPING)
    await world.wished("mina/1")
    await world.passes(3)
    assert (world.bots.launched, world.bots.halted) == (["mina/1"], [("mina/1", True)]), "what it left is found by launching it"
    assert (await world.one("mina/1")).observed == STOPPED


async def test_a_bot_that_never_wished_is_stopped_without_being_launched(world):
    await world.add("mina/1", desired=STOPPED, observed=STOPPING)
    await world.passes(2)
    assert world.bots.launched == []
    assert (await world.one("mina/1")).observed == STOPPED


async def test_after_a_restart_what_ran_is_launched_again(world):
    await world.add("mina/1", observed=RUNNING)
    await world.add("mina/2", observed=RECOVERING, attempts=5, retry_ms=world.clock.now_ms() + 10**9)
    await world.passes(2)
    assert sorted(world.bots.launched) == ["mina/1", "mina/2"]


async def test_without_the_lease_nothing_is_done_and_with_it_again_all(world):
    await world.add("mina/1")
    world.leads = False
    await world.passes(3)
    assert world.bots.launched == []
    world.leads = True
    await world.passes(2)
    assert world.bots.launched == ["mina/1"]


@pytest.mark.parametrize("seen", [True, False], ids=["seen_between", "in_one_pass"])
async def test_a_right_that_is_taken_anew_begins_with_no_runner_of_before(world, seen):
    await world.add("mina/1", "mina/2")
    await world.passes(2)
    before = list(world.bots.runners.values())
    await world.set("mina/2", desired=STOPPED, observed=STOPPING)
    if seen:
        world.leads, world.bots.term = False, 0
        await world.passes(1)
        assert all(one.ended.is_set() for one in before) and not world.bots.runners, "another may have them at work now"
    world.leads, world.bots.term = True, 3
    await world.wished("mina/2")
    await world.passes(3)
    assert all(one.ended.is_set() for one in before)
    assert sorted(world.bots.launched) == ["mina/1", "mina/1", "mina/2", "mina/2"], "the second to be stopped"
    assert await world.states() == {"mina/1": RUNNING, "mina/2": STOPPED} and world.alarms == []


async def test_without_a_database_runners_stay_at_work_though_the_right_may_not_be_renewed(world):
    """Their exits leave until another process is known to lead."""
    await world.add("mina/1")
    await world.passes(2)
    world.leads = False
    await world.passes(3)
    runner = world.bots.runners["mina/1"]
    assert not runner.ended.is_set()
    world.leads = True
    await world.passes(2)
    assert world.bots.runners == {"mina/1": runner} and world.bots.launched == ["mina/1"]
    assert await world.states() == {"mina/1": RUNNING}


async def test_one_that_falls_at_every_event_changes_nothing_of_twenty_others(world):
    await world.add(*(f"p{n}/1" for n in range(20)), "mina/1")
    await world.passes(2)
    others = {bot_id: runner for bot_id, runner in world.bots.runners.items() if bot_id != "mina/1"}
    for _ in range(200):
        runner = world.bots.runners["mina/1"]
        if not runner.ended.is_set():
            runner.fall(ZeroDivisionError("at every event"))
        await world.passes(1)
    assert Counter(world.bots.launched) == {bot_id: 1 for bot_id in others} | {"mina/1": 4}, "three tries more, then no more"
    bot = await world.one("mina/1")
    assert (bot.observed, bot.desired) == (FAILED, RUNNING), "its share stays reserved"
    assert bot.reason.startswith("The bot met a fault of ours")
    assert world.alarms == [("mina/1", "bot_failed", "fault")]
    assert world.bots.withdrawn == [("account-mina", "mina/1")], "its entries would fill with nobody looking"
    assert all(world.bots.runners[bot_id] is runner and not runner.ended.is_set() for bot_id, runner in others.items())
    assert Counter((await world.states()).values()) == {RUNNING: 20, FAILED: 1}
    assert "gave_up" in await world.lines("mina/1")


async def test_recovering_waits_longer_each_time_and_is_told(world):
    await world.add("mina/1")
    world.bots.fails["mina/1"] = ConnectionResetError()
    start = world.clock.now_ms()
    seen = []
    for _ in range(40):
        before = len(world.bots.launched)
        await world.passes(1)
        if len(world.bots.launched) > before:
            seen.append((world.clock.now_ms() - start) // 1000 - 1)
    assert len(seen) in (5, 6)
    gaps = [after - before for before, after in zip(seen, seen[1:], strict=False)]
    assert gaps == sorted(gaps) and gaps[-1] >= 8
    bot = await world.one("mina/1")
    assert (bot.observed, bot.reason, bot.attempts >= 5) == (RECOVERING, "The exchange does not answer.", True)
    assert bot.retry_ms > world.clock.now_ms() - 1000
    del world.bots.fails["mina/1"]
    await world.passes(70)
    bot = await world.one("mina/1")
    assert (bot.observed, bot.reason, bot.retry_ms) == (RUNNING, "", 0)
    assert (await world.lines("mina/1")) == ["recovering", "recovering", "recovering", "recovered"], "the 1st, 2nd and 4th try"


async def test_a_dead_key_stops_all_bots_of_its_account_within_ten_seconds_and_three_tries(world):
    await world.add(*(f"mina/{n}" for n in range(10)), *(f"jun/{n}" for n in range(10)))
    await world.passes(15)
    assert len(world.bots.launched) == 20
    world.bots.launched.clear()
    world.bots.fails["account-mina"] = BAD_KEY
    for n in range(2):
        world.bots.runners[f"mina/{n}"].fall(BAD_KEY)
    await world.passes(10)
    states = await world.states()
    assert {states[f"mina/{n}"] for n in range(10)} == {FAILED}
    assert {states[f"jun/{n}"] for n in range(10)} == {RUNNING}
    assert len(world.bots.launched) <= 3 and not any(one.startswith("jun") for one in world.bots.launched)
    assert {bot_id for bot_id, _ in world.bots.halted} >= {f"mina/{n}" for n in range(2, 10)}
    assert {flatten for _, flatten in world.bots.halted} == {False}, "nothing is closed by a key that is dead"
    assert (await world.one("mina/5")).reason == "The exchange does not accept the API key; store a valid one."
    assert sorted(bot_id for bot_id, _, _ in world.alarms) == [f"mina/{n}" for n in range(10)]
    assert world.bots.withdrawn == [], "nor is anything asked with it"
    world.bots.launched.clear()
    await world.passes(60)
    assert world.bots.launched == [], "no try more until somebody starts one"


async def test_a_key_that_never_worked_is_tried_three_times_for_ten_bots(world):
    await world.add(*(f"mina/{n}" for n in range(10)))
    world.bots.fails["account-mina"] = BAD_KEY
    await world.passes(20)
    assert len(world.bots.launched) == 3
    assert set((await world.states()).values()) == {FAILED}
    del world.bots.fails["account-mina"]
    await world.set("mina/3", observed=STARTING)
    await world.passes(2)
    assert (await world.one("mina/3")).observed == RUNNING


async def test_an_account_that_hangs_delays_nobody_else(world):
    await world.add(*(f"a{n}/{k}" for n in range(3) for k in range(10)))
    world.bots.slow |= {"account-a0"}
    await world.passes(4)
    states = await world.states()
    assert {states[f"a{n}/{k}"] for n in (1, 2) for k in range(10)} == {RUNNING}
    assert {states[f"a0/{k}"] for k in range(10)} == {STARTING}
    assert sum(one.startswith("a0/") for one in world.bots.launched) == 1, "one at a time until the account has worked"
    world.bots.holds["account-a0"].set()
    world.bots.hanging.clear()
    await world.passes(6)
    assert set((await world.states()).values()) == {RUNNING}


async def test_a_stop_while_it_starts_is_not_overwritten(world):
    await world.add("mina/1")
    world.bots.slow |= {"account-mina"}
    await world.passes(1)
    await world.set("mina/1", desired=STOPPED, observed=STOPPING)
    world.bots.holds["account-mina"].set()
    world.bots.hanging.clear()
    await world.settled()
    await world.supervisor.news.write()
    assert (await world.one("mina/1")).observed == STOPPING, "seen running, but that is older than the wish"
    await world.passes(3)
    assert (await world.one("mina/1")).observed == STOPPED
    assert world.bots.halted == [("mina/1", True)]


async def test_a_database_that_is_gone_is_waited_for_and_nothing_is_forgotten(world, monkeypatch):
    await world.add("mina/1")
    await world.supervisor.look()
    await world.settled()
    whole = world.database.writing

    def gone():
        raise ConnectionRefusedError("no database")

    monkeypatch.setattr(world.database, "writing", gone)
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            await world.supervisor.look()
    monkeypatch.setattr(world.database, "writing", whole)
    await world.supervisor.look()
    assert (await world.one("mina/1")).observed == RUNNING
    assert world.bots.launched == ["mina/1"]


async def test_three_thousand_bots_of_three_hundred_people_start_in_a_few_passes(world):
    people, each = 300, 10
    await world.add(*(f"p{n:03d}/{k}" for n in range(people) for k in range(each)))
    await world.passes(2)
    assert len(world.bots.launched) == len(set(world.bots.launched)) == people * each
    assert world.bots.most <= ERRANDS_MAX
    firsts = {one.split("/")[0] for one in world.bots.launched[:people]}
    assert len(firsts) > people * 0.8, "everybody has one before somebody has many"
    await world.passes(1)
    assert set((await world.states()).values()) == {RUNNING}


async def test_the_loop_runs_passes_when_woken_and_every_second(world):
    slept: asyncio.Queue[asyncio.Event] = asyncio.Queue()

    async def sleep(seconds):
        assert seconds == 1.0
        over = asyncio.Event()
        slept.put_nowait(over)
        await over.wait()

    world.supervisor.sleep = sleep
    task = asyncio.create_task(world.supervisor.run())
    async with asyncio.timeout(10):
        (await slept.get())
        await world.add("mina/1")
        world.supervisor.wake()
        while not world.bots.launched:  # noqa: ASYNC110
            await asyncio.sleep(0)
        over = await slept.get()
        while not slept.empty():
            over = slept.get_nowait()
        await world.set("mina/1", desired=STOPPED, observed=STOPPING)
        while not world.bots.halted:
            over.set()
            over = await slept.get()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Waits:
    def __init__(self, one: str) -> None:
        self.id, self.user_id, self.account_id = one, one[0], one[0]


def test_turns_are_taken_over_people():
    turns: Turns[Waits] = Turns(100, ERRANDS_OF_ACCOUNT_MAX)
    first = [Waits("a0"), Waits("b0")]
    turns.fill([*first, *(Waits(f"{who}{n}") for who in "ab" for n in range(1, 6))])
    for one in first:
        turns.works(one)
    assert [turns.next().id for _ in range(8)] == ["a0", "b0", "a1", "b1", "a2", "b2", "a3", "b3"]
    assert turns.next() is None, "four of each account are under way"
    turns.done(Waits("b0"))
    assert turns.next().id == "b4"
    turns.doubt(Waits("a0"))
    turns.drop("b")
    assert len(turns) == 2


async def test_a_line_of_a_bot_that_is_gone_with_its_owner_holds_up_nobody(world):
    """It can never be written: with it in the way no bot would be started or stopped again."""
    await world.add("mina/1", "jun/1")
    await world.passes(2)
    world.supervisor.news.say(world.supervisor.up["mina/1"], "recovered")
    async with world.database.writing() as session:
        await session.execute(delete(User).where(User.id == "mina"))
    await world.set("jun/1", desired=STOPPED, observed=STOPPING)
    await world.passes(3)
    assert (await world.one("jun/1")).observed == STOPPED and await world.lines("mina/1") == []


async def test_a_supervisor_whose_passes_fail_is_down(world):
    """Somebody who looks at /health must see that bots are neither started nor stopped."""
    await world.add("mina/1")
    seen, passes = [], asyncio.Semaphore(0)

    async def sleep(_seconds):
        seen.append(world.supervisor.condition()["state"])
        passes.release()
        await (asyncio.sleep(0) if len(seen) < 3 else asyncio.Event().wait())

    async def broken():
        if len(seen) == 1:
            raise ValueError("a line that no table takes")

    world.supervisor.sleep, world.supervisor.news.write = sleep, broken
    task = asyncio.create_task(world.supervisor.run())
    async with asyncio.timeout(30):
        for _ in range(3):
            await passes.acquire()
    task.cancel()
    assert seen == ["up", "down", "up"]
