"""Start a bot, stop it, know it: desired state in the database, what really runs in memory."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import delete, insert, select, update

from haechi.bots import store
from haechi.bots.allocation import HOLDING
from haechi.bots.models import FAILED, FORM, RUNNING, STOP_AND_CLOSE, STOPPED, STOPPING, Bot, BotLine, BotState
from haechi.bots.news import Due
from haechi.bots.schemas import StartBody
from haechi.bots.supervisor import Supervisor, supervising
from haechi.errors import Conflict
from haechi.identity.service import Identity
from haechi.markets.feed import Market
from haechi.platform.clock import Clock
from haechi.platform.db import Database, Session
from haechi.platform.house import House
from haechi.trading.connections import Connections
from haechi.trading.desks import Desks
from haechi.trading.kill_switch import Kills
from haechi.trading.scribe import Unwritten

if TYPE_CHECKING:
    from haechi.bots.runner import Runner
    from haechi.bots.signals import SignalHub

INSERT_LINE = insert(BotLine.__table__)  # type: ignore[arg-type]
FELL = "The bot met a fault; its orders stay at the venue."

log = structlog.get_logger(__name__)


class Bots:
    """The part of the house that runs bots. `supervisor` makes what runs equal what is desired; without one, only `start` starts."""

    name = "bots"

    def __init__(self, database: Database, clock: Clock, market: Market, desks: Desks, folder: Path, *, kills: Kills | None = None,
                 in_thread: Callable[[Callable[[], None]], Awaitable[None]] = asyncio.to_thread) -> None:
        self.database, self.clock, self.market, self.desks, self.folder, self.kills = database, clock, market, desks, folder, kills
        self.runners: dict[str, Runner] = {}
        self.supervisor: Supervisor | None = None
        self._in_thread = in_thread
        self._hub: SignalHub | None = None
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def hub(self) -> SignalHub:
        """What strategies say, for all bots of the process."""
        if self._hub is None:
            from haechi.bots.signals import SignalHub  # the engine loads with the first bot

            self._hub = SignalHub()
        return self._hub

    def condition(self) -> dict[str, Any]:
        running = sum(not runner.ended.is_set() for runner in self.runners.values())
        return {"state": "up"} | (self.supervisor.condition() if self.supervisor is not None else {}) | {"running": running}

    def refuse_while_killed(self, user_id: str, bot_id: str = "") -> None:
        """Raises Conflict, code `killed`."""
        if self.kills is not None:
            self.kills.refuse_while_killed(user_id, bot_id)

    # ---- what the supervisor calls

    @property
    def term(self) -> int:
        return self.desks.lease.epoch

    async def launch(self, bot: Bot) -> None:
        """At work when this returns; one that is, is left alone. Raises what stands in the way."""
        from haechi.bots import starting

        async with self._locks[bot.id]:
            there = self.runners.get(bot.id)
            if there is not None and not there.ended.is_set():
                return
            await self._in_thread(starting.warm)
            await starting.begun(bot, self)

    async def halt(self, bot_id: str, *, flatten: bool) -> None:
        """Ask it to stop; its `ended` is set when it has."""
        runner = self.runners.get(bot_id)
        if runner is not None:
            await runner.stop(flatten=flatten)

    async def withdraw(self, account_id: str, bot_id: str) -> None:
        """What of it could still take on risk, where its desk is open."""
        desk = self.desks.open.get(account_id)
        if desk is not None:
            await desk.withdraw(bot_id=bot_id)

    # ---- the one-bot form

    async def start(self, user_id: str, body: StartBody) -> Bot:
        """Raises BadInput for a strategy, symbol or figure that cannot be used, Conflict while a bot runs."""
        from haechi.bots import starting

        await self._in_thread(starting.warm)
        wish = starting.Wish.of(body, self.market.tape)
        async with self.database.writing() as session:
            self.refuse_while_killed(user_id)
            if await store.running_of(session, user_id) is not None:
                raise Conflict("A bot is running already; stop it first.")
            bot = await starting.saved(session, user_id, wish, self.clock)
        await self.begin(bot)
        return bot

    async def begin(self, bot: Bot) -> None:
        """A bot whose rows are saved. One that cannot start has failed, and its reason is in its row."""
        try:
            await self.launch(bot)
        except Exception as fault:
            why = getattr(fault, "message", type(fault).__name__)
            await self._observe(bot.id, FAILED, desired=STOPPED, reason=f"It could not start: {why}"[:200], ended_at=self.clock.now())
            raise
        if self.supervisor is not None:
            self.supervisor.up[bot.id] = Due(bot.id, bot.user_id, bot.account_id, RUNNING)
        await self._stop_if_killed_meanwhile(bot)
        await self._observe(bot.id, RUNNING)
        bot.observed = RUNNING
        await self.say(bot.user_id, bot.id, "started", strategy=bot.strategy, symbol=bot.symbol, timeframe=bot.timeframe)

    async def _stop_if_killed_meanwhile(self, bot: Bot) -> None:
        """The switch was turned on after we looked and before it could see this runner. Raises Conflict."""
        try:
            self.refuse_while_killed(bot.user_id, bot.id)
        except Conflict:
            await self._stop_if_running(bot.id)
            raise

    async def stop(self, user_id: str) -> Bot:
        """Close what is held at the next price, then stop. Raises NotFound, and Conflict when nothing runs."""
        async with self.database.reading() as session:
            bot = await store.last_bot_of(session, user_id)
        return await self.stop_one(bot)

    async def stop_one(self, bot: Bot) -> Bot:
        """This one, whoever asks. Raises Conflict when it has ended. One that is being started again is stopped by the supervisor."""
        self.refuse_if_ended(bot)
        await self._observe(bot.id, STOPPING, desired=STOPPED, flatten=True)
        await self.say(bot.user_id, bot.id, "stopping")
        if bot.id not in self.runners and self.supervisor is not None:
            self.supervisor.wake()
        elif self.supervisor is not None:
            self.supervisor.told[bot.id] = True
        await self.halt(bot.id, flatten=True)
        async with self.database.reading() as session:
            return await session.get_one(Bot, bot.id)

    def refuse_if_ended(self, bot: Bot) -> None:
        """Raises Conflict for a bot that neither runs nor is on its way to."""
        runner = self.runners.get(bot.id)
        alive = runner is not None and not runner.ended.is_set()
        if not alive and (self.supervisor is None or bot.observed in (STOPPED, FAILED)):
            raise Conflict("The bot is not running.")

    async def stop_all(self) -> tuple[int, int]:
        """Every bot of everybody, side by side -> how many were told to stop, how many could not be. One that fails holds up no other.

        Also those that do not run now but are wanted: they would start under the switch, and trade when it goes off.
        """
        running = [bot_id for bot_id, runner in self.runners.items() if not runner.ended.is_set()]
        told = await asyncio.gather(*(self._stop_if_running(bot_id) for bot_id in running), return_exceptions=True)
        failed = [(bot_id, fault) for bot_id, fault in zip(running, told, strict=True) if isinstance(fault, Exception)]
        for bot_id, fault in failed:
            log.error("bot_not_stopped", bot_id=bot_id, exc_info=fault)
        waiting = await self._stop_wanted(but=running)
        return len(running) - len(failed) + waiting, len(failed)

    async def _stop_wanted(self, *, but: list[str]) -> int:
        """By their rows; the supervisor does it. How many were wanted."""
        async with self.database.writing() as session:
            found = (await session.execute(select(Bot.id, Bot.user_id, Bot.desired).where(HOLDING, Bot.id.not_in(but)))).all()
            await session.execute(update(Bot).where(Bot.id.in_([one.id for one in found])).values(STOP_AND_CLOSE))
        wanted = [one for one in found if one.desired == RUNNING]
        for one in wanted:
            await self.say(one.user_id, one.id, "stopping")
        if self.supervisor is not None:
            self.supervisor.wake()
        return len(wanted)

    async def _stop_if_running(self, bot_id: str) -> None:
        async with self.database.reading() as session:
            bot = await session.get_one(Bot, bot_id)
        with suppress(Conflict):  # it ended by itself meanwhile
            await self.stop_one(bot)

    # ---- its end

    async def ended(self, bot: Bot, runner: Runner) -> None:
        """A runner came to its end, by wish or by fault. A fault is the supervisor's to judge, where there is one."""
        if self.runners.get(bot.id) is runner:
            self.runners.pop(bot.id)
        if runner.fault is not None and self.supervisor is not None:
            self.supervisor.fell(bot.id, runner.fault)
            await self.say(bot.user_id, bot.id, "failed")
            return
        failed = runner.fault is not None
        over = str(getattr(runner.mind, "ended_by", "") or "") if not failed else ""
        if over and self.supervisor is not None:
            self.supervisor.told[bot.id] = True  # by its own plan: it is not to be started again
            self.supervisor.up.pop(bot.id, None)  # its row is written here, with the reason
        flat = not failed and not runner.mind.position and not runner.desk.holdings.quantity(bot.id, runner.symbol)
        values = {"desired": STOPPED, "reason": f"Its plan ended: {over}."} if over else {"reason": FELL if failed else ""}
        self._write_end(bot, values | {"observed": FAILED if failed else STOPPED, "ended_at": self.clock.now()}, forget=flat)
        await self.say(bot.user_id, bot.id, "failed" if failed else "stopped")
        await self.desks.scribe.caught_up()
        if flat and bot.origin == FORM:
            await self.desks.close_desk(bot.account_id)  # the account has had its day
        if self.supervisor is not None:
            self.supervisor.wake()

    def _write_end(self, bot: Bot, values: dict[str, Any], *, forget: bool) -> None:
        """As soon as it can be, and never over a later start. forget: it holds nothing, so the next start begins anew; that and its row
        are one commit, for a plan that has ended must not be found running and without a memory."""
        same = (Bot.user_id == bot.user_id, Bot.id == bot.id, Bot.started_at == bot.started_at)

        async def work(session: Session) -> None:
            done = await session.execute(update(Bot).where(*same).values(**values))
            if forget and done.rowcount:  # type: ignore[attr-defined]
                await session.execute(delete(BotState).where(BotState.user_id == bot.user_id, BotState.bot_id == bot.id))

        try:
            self.desks.scribe.later(work)
        except Unwritten:
            log.exception("end_unwritten", bot_id=bot.id)

    async def _observe(self, bot_id: str, observed: str, **values: Any) -> None:
        async with self.database.writing() as session:
            row = await session.get_one(Bot, bot_id)
            if row.observed not in (STOPPED, FAILED) or observed in (STOPPED, FAILED):
                row.observed = observed
            for name, value in values.items():
                setattr(row, name, value)

    async def leave(self, session: Session, user_id: str) -> Callable[[], Awaitable[None]]:
        """Before a person is deleted; the journals go afterwards. Raises Conflict while a bot of theirs runs."""
        if await store.holding_of(session, user_id) is not None:
            raise Conflict("A bot of yours runs: stop it first, and wait until its position is closed.", code="bots_running")
        journals = [path for bot_id in await store.ids_of(session, user_id) for path in self.folder.glob(f"{bot_id}.*")]
        desks = [desk.account_id for desk in self.desks.open.values() if desk.user_id == user_id]

        async def clear_away() -> None:
            for account_id in desks:
                await self.desks.close_desk(account_id)
            for path in journals:
                path.unlink(missing_ok=True)

        return clear_away

    # ---- what it says

    async def say(self, user_id: str, bot_id: str, code: str, **facts: str) -> None:
        """A line of its log, when it can be written: nothing waits for it."""
        row = {"user_id": user_id, "bot_id": bot_id, "time_ms": self.clock.now_ms(), "code": code, "facts": facts}

        async def work(session: Session) -> None:
            await session.execute(INSERT_LINE, row)

        with suppress(Unwritten):
            self.desks.scribe.later(work)

    def shown(self, bot_id: str) -> dict[str, Any]:
        """What the mind of a running bot knows; nothing of one that has ended."""
        runner = self.runners.get(bot_id)
        return {} if runner is None else dict(runner.mind.shown())

    async def close(self) -> None:
        """The process, or its right to trade, ends: nothing is sent any more, what rests stays, every bot goes on with the next start."""
        while self.runners:
            await self.runners.popitem()[1].close()


@asynccontextmanager
async def open_bots(house: House) -> AsyncIterator[Bots]:
    desks, kills = house.part(Desks), house.part(Kills)
    bots = Bots(house.database, house.clock, house.part(Market), desks, house.settings.haechi_var.resolve() / "journals", kills=kills)
    house.part(Identity).accounts.leaving.append(bots.leave)
    bots.supervisor = Supervisor(house.database, house.clock, bots, leads=lambda: desks.lease.held, ring=desks.alarms.ring)
    house.part(Connections).uses.append(store.use_of)
    desks.office.key_refused = bots.supervisor.account_failed
    async with supervising(bots.supervisor):
        try:
            yield bots
        finally:
            await bots.close()
