"""Makes what runs equal what is desired, for all bots of this process, as long as it is the one that may trade.

The rows say what is desired and what was last observed; stopping is as durable as its row. Whoever starts or stops a bot only
changes its row and calls `wake`. One bot's errand waits for nobody else's: launches run side by side, taken in turn over people,
and an account that has not yet worked gets one at a time.
"""

from __future__ import annotations

import asyncio
import random as chance
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import msgspec
import structlog
from sqlalchemy import update

from haechi.bots.models import FAILED, RECOVERING, RUNNING, STARTING, STOPPED, STOPPING, Bot, BotState
from haechi.bots.news import DIFFERS, Due, News, differing, of_account
from haechi.bots.recovery import Troubles
from haechi.bots.turns import Turns
from haechi.platform.clock import Clock
from haechi.platform.db import Database
from haechi.platform.points import reached
from haechi.trading.lease import LeaseLost
from haechi.trading.owner import Owner
from haechi.trading.scribe import away

PASS_S = 1
ERRANDS_MAX = 256
ERRANDS_OF_ACCOUNT_MAX = 4  # once the account has worked; one at a time before
ERRAND_S_MAX = 60

log = structlog.get_logger(__name__)
Ring = Callable[..., None]


class AtWork(Protocol):
    """A runner, as far as it is looked at here."""

    @property
    def ended(self) -> asyncio.Event: ...

    @property
    def fault(self) -> BaseException | None: ...


class Launcher(Protocol):
    """What bots/service.py does for a supervisor."""

    @property
    def runners(self) -> Mapping[str, AtWork]: ...

    @property
    def term(self) -> int:
        """The number of the right to trade that this process has, 0 when another has it. Each new right has another."""
        ...

    async def launch(self, bot: Bot) -> None:
        """Returns when the runner is at work on a reconciled desk; whatever it raises is classified."""
        ...

    async def halt(self, bot_id: str, *, flatten: bool) -> None:
        """Asks the runner to stop; it has stopped when its `ended` is set."""
        ...

    async def withdraw(self, account_id: str, bot_id: str) -> None:
        """Take away what of it could still take on risk, where its desk is open."""
        ...

    async def close(self) -> None:
        """Every runner ends where it stands and is forgotten; nothing is sent, what rests stays."""
        ...


class Supervisor:
    """leads: whether this process may trade. ring: tells an alarm (Owner, code, key=, facts). sleep, random: injected by tests."""

    def __init__(self, database: Database, clock: Clock, bots: Launcher, *, leads: Callable[[], bool], ring: Ring | None = None,
                 sleep: Callable[[float], Awaitable[None]] = asyncio.sleep, random: Callable[[], float] = chance.random) -> None:
        self.database, self.clock, self.bots, self.leads, self.ring, self.sleep = database, clock, bots, leads, ring, sleep
        self.news, self.troubles = News(database, clock), Troubles(clock, random)
        self.turns: Turns[Due] = Turns(ERRANDS_MAX, ERRANDS_OF_ACCOUNT_MAX)
        self.leading, self.term = False, 0
        self.failing = ""  # what its last pass failed by
        self.up: dict[str, Due] = {}  # what this process has launched and not seen end
        self.told: dict[str, bool] = {}  # whom it told to stop, and whether to close
        self.errands: dict[str, asyncio.Task[None]] = {}
        self._faults: dict[str, BaseException] = {}
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """A row has changed: look now."""
        self._woken.set()

    def fell(self, bot_id: str, error: BaseException) -> None:
        """A runner came to its end by a fault; told by bots/service.py, which has forgotten it."""
        self._faults[bot_id] = error
        self.wake()

    def account_failed(self, user_id: str, account_id: str, error: BaseException) -> None:
        """What a desk found out for all its bots at once: the exchange no longer takes the key. Other errors are each bot's own."""
        if self.leading and self.troubles.of_account(error):
            self._trouble(Due("", user_id, account_id, RUNNING), error)

    def condition(self) -> dict[str, Any]:
        """down while its passes fail: then nothing is started, stopped or started again."""
        return {"state": "down" if self.failing else "up", "waiting": len(self.turns), "under_way": len(self.errands)}

    # ---- the loop

    async def run(self) -> None:
        """For ever. A pass that fails (the database is gone) is done again in the next."""
        while True:
            try:
                await self.look()
                self.failing = ""
            except Exception as fault:
                self.failing = type(fault).__name__
                log.error("supervisor_pass_failed", error=type(fault).__name__, exc_info=None if away(fault) else fault)
            await self._rest()

    async def _rest(self) -> None:
        waiting = [asyncio.ensure_future(self.sleep(PASS_S)), asyncio.ensure_future(self._woken.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
        self._woken.clear()

    async def look(self) -> None:
        """One pass: what has ended or fallen, what was observed is written, what is not as desired is sent for."""
        if self.bots.term != self.term:
            await self._end_term()
        if not self.leads():
            await self.stand_down()
            return
        if not self.leading:
            await self._take_over()
        self._notice()
        await self.news.write()
        await self._gather_due()
        self._send_out()

    async def _end_term(self) -> None:
        """Another process leads, or has led: what runs here knows nothing of what it did, and its desks are closed."""
        term = self.bots.term
        await self.stand_down()
        await self.bots.close()
        self.term = term

    async def _take_over(self) -> None:
        """Another process, or an earlier life of this one, was in charge: nothing it said it ran runs here."""
        async with self.database.writing() as session:
            await session.execute(update(Bot).where(Bot.desired == RUNNING, Bot.observed == RUNNING).values(observed=STARTING))
            await session.execute(update(Bot).where(DIFFERS).values(attempts=0, retry_ms=0))
        self.leading = True

    async def stand_down(self) -> None:
        """Nothing more is begun. Who is at work stays: exits leave until another process is known to lead. What was not written is the
        next leader's to find out."""
        self.leading = False
        for task in (under_way := list(self.errands.values())):
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        for kept in (self.up, self.told, self.errands, self._faults):
            kept.clear()
        self.news.clear()
        self.troubles.clear()
        self.turns.clear()

    async def _gather_due(self) -> None:
        async with self.database.reading() as session:
            found = await differing(session, self.clock.now_ms())
        unwritten = self.news.unwritten()  # what ended while we looked: its row is older than what we know
        self.turns.fill(one for one, flatten in found if one.id not in self.errands and one.id not in unwritten
                        and not self.troubles.waits(one.account_id)
                        and not (one.desired == STOPPED and self.told.get(one.id) in (flatten, True)))  # told already: it will end

    # ---- errands

    def _send_out(self) -> None:
        while (one := self.turns.next()) is not None:
            task = self.errands[one.id] = asyncio.create_task(self._errand(one))
            task.add_done_callback(lambda _done, one=one: self._done(one))  # type: ignore[misc]

    def _done(self, one: Due) -> None:
        self.errands.pop(one.id, None)
        self.turns.done(one)
        if self.leading:
            self._send_out()
            if not self.turns:
                self.wake()

    async def _errand(self, one: Due) -> None:
        """By its row as it is now: it may have changed since it was found. Every error is this bot's own."""
        try:
            async with self.database.reading() as session:
                bot, state = await session.get(Bot, one.id), await session.get(BotState, one.id)
            if bot is None or bot.deleted_at is not None:
                return
            one = msgspec.structs.replace(one, desired=bot.desired)
            async with asyncio.timeout(ERRAND_S_MAX):
                await (self._launch(bot, one) if bot.desired == RUNNING else self._halt(bot, one, knows=state is not None))
        except LeaseLost:
            log.warning("lease_lost", bot_id=one.id)
        except Exception as error:
            self._trouble(one, error)

    async def _launch(self, bot: Bot, one: Due) -> None:
        self.told.pop(bot.id, None)
        if self._alive(bot.id) is None:
            self._faults.pop(bot.id, None)
            await self.bots.launch(bot)
            reached("launched")
        self.up[bot.id] = one
        self.turns.works(one)
        self.troubles.over(one.account_id)
        self.news.observe(one, RUNNING)
        if bot.observed == RECOVERING:
            self.news.say(one, "recovered")

    async def _halt(self, bot: Bot, one: Due, *, knows: bool) -> None:
        """Also of a bot that does not run: what it left at the exchange is found by launching it. knows: it has wished before."""
        if self._alive(bot.id) is None:
            if not knows or bot.id in self.told:
                self.told.pop(bot.id, None)
                self.news.observe(one, STOPPED)
                return
            await self.bots.launch(bot)
        self.up[bot.id] = one
        await self.bots.halt(bot.id, flatten=bot.flatten)
        self.told[bot.id] = bot.flatten

    def _alive(self, bot_id: str) -> AtWork | None:
        runner = self.bots.runners.get(bot_id)
        return None if runner is None or runner.ended.is_set() else runner

    # ---- what became of them

    def _notice(self) -> None:
        """Runners that came to their end: by wish, by a fault, or without a word: those start anew."""
        for bot_id in [one for one in self.up if one not in self.errands and self._alive(one) is None]:
            told, runner = self.told.pop(bot_id, None), self.bots.runners.get(bot_id)
            one = msgspec.structs.replace(self.up.pop(bot_id), desired=RUNNING if told is None else STOPPED)
            fault = self._faults.pop(bot_id, None) or (None if runner is None else runner.fault)
            if fault is not None:
                self._trouble(one, fault)
            else:
                self.news.observe(one, STARTING if told is None else STOPPED)

    def _trouble(self, one: Due, error: BaseException) -> None:
        """Its own, or its whole account's when the exchange no longer takes the key."""
        whole = self.troubles.of_account(error)
        trouble = self.troubles.met(one.account_id if whole else one.id, error)
        log.warning("bot_in_trouble", bot_id=one.id, account_id=one.account_id, kind=trouble.kind, attempt=trouble.attempt,
                    retry=trouble.retry, exc_info=error)
        if whole:
            self.turns.doubt(one)
        if trouble.retry and one.id:
            observed = RECOVERING if one.desired == RUNNING else STOPPING
            self.news.observe(one, observed, trouble.reason, trouble.attempt, self.clock.now_ms() + trouble.backoff_ms)
            if trouble.attempt & (trouble.attempt - 1) == 0:  # the 1st, 2nd, 4th, 8th …: a log is read by people
                self.news.say(one, "recovering", why=trouble.kind, attempt=str(trouble.attempt), seconds=f"{trouble.backoff_ms / 1000:.0f}")
        elif not trouble.retry and whole:
            self._fail_account(one, trouble.kind, trouble.reason)
        elif not trouble.retry:
            self._give_up(one, trouble.kind, trouble.reason)
            self._beside(f"entries {one.id}", self._withdraw(one))

    def _give_up(self, one: Due, kind: str, reason: str) -> None:
        """Its state stays, and what makes its position smaller; its share of the account too while it is desired to run."""
        self.news.observe(one, FAILED, reason)
        self.news.say(one, "gave_up", why=kind, reason=reason)
        if self.ring is not None:
            self.ring(Owner(one.user_id, one.account_id, one.id), "bot_failed", key=one.id, why=kind)

    def _beside(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = self.errands[name] = asyncio.create_task(work)
        task.add_done_callback(lambda _done: self.errands.pop(name, None))

    async def _withdraw(self, one: Due) -> None:
        """Nobody looks after its entries and lines any more: they would fill all the same."""
        try:
            async with asyncio.timeout(ERRAND_S_MAX):
                await self.bots.withdraw(one.account_id, one.id)
        except Exception:
            log.exception("entries_not_withdrawn", bot_id=one.id)

    def _fail_account(self, one: Due, kind: str, reason: str) -> None:
        self.turns.drop(one.account_id)
        name = f"account {one.account_id}"
        if name not in self.errands:
            self._beside(name, self._end_account(one, kind, reason))

    async def _end_account(self, one: Due, kind: str, reason: str) -> None:
        """All its bots at once: those at work are told to end and keep what they hold; none is tried again."""
        try:
            async with self.database.reading() as session:
                found = await of_account(session, one.user_id, one.account_id)
            gone = {bot_id for bot_id, observed in self.news.unwritten().items() if observed == FAILED}
            for bot in found:
                self.up.pop(bot.id, None)
                self.told.pop(bot.id, None)
                if bot.id not in gone:
                    self._give_up(bot, kind, reason)
            await asyncio.gather(*(self._end(bot.id) for bot in found if self._alive(bot.id) is not None))
        except Exception:
            log.exception("account_not_ended", account_id=one.account_id)
        self.wake()

    async def _end(self, bot_id: str) -> None:
        try:
            async with asyncio.timeout(ERRAND_S_MAX):
                await self.bots.halt(bot_id, flatten=False)
        except Exception:
            log.exception("bot_not_halted", bot_id=bot_id)

    async def close(self) -> None:
        """The last news are written, so that the next start knows them."""
        with suppress(Exception):
            await self.news.write()
        await self.stand_down()


@asynccontextmanager
async def supervising(supervisor: Supervisor) -> AsyncIterator[Supervisor]:
    """While the block runs, the supervisor does."""
    task = asyncio.create_task(supervisor.run())
    try:
        yield supervisor
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await supervisor.close()
