"""Start a bot, stop it, know it: desired state in the database, what really runs in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from haechi.bots import store
from haechi.bots.models import FAILED, RUNNING, STOPPED, STOPPING, Bot, BotLine
from haechi.bots.schemas import StartBody
from haechi.core.risk import Limits
from haechi.errors import Conflict
from haechi.identity.service import Identity
from haechi.markets.feed import Market
from haechi.platform.clock import Clock
from haechi.platform.db import Database, Session
from haechi.platform.house import House
from haechi.trading.kill_switch import refuse_while_killed

if TYPE_CHECKING:
    from haechi.bots.runner import Runner

RESTARTED = "The server restarted and the paper market began anew."

log = structlog.get_logger(__name__)


class Bots:
    """The part of the house that runs bots."""

    name = "bots"

    def __init__(self, database: Database, clock: Clock, market: Market, folder: Path, *, limits: Limits | None = None) -> None:
        self.database, self.clock, self.market, self.folder = database, clock, market, folder
        self.limits = limits or Limits()
        self.runners: dict[str, Runner] = {}

    def condition(self) -> dict[str, Any]:
        return {"state": "up", "running": sum(not runner.ended.is_set() for runner in self.runners.values())}

    # ---- start

    async def start(self, user_id: str, body: StartBody) -> Bot:
        """Raises BadInput for a strategy, symbol or figure that cannot be used, Conflict while a bot runs."""
        from haechi.bots import starting  # the engine loads with the first bot

        await asyncio.to_thread(starting.warm)
        wish = starting.Wish.of(body, self.market.tape)
        async with self.database.writing() as session:
            await refuse_while_killed(session)
            if await store.running_of(session, user_id) is not None:
                raise Conflict("A bot is running already; stop it first.")
            bot = await starting.saved(session, user_id, wish, self.clock)
        runner = await starting.begun(bot, wish, self)
        self.runners[bot.id] = runner
        await self._stop_if_killed_meanwhile(bot)
        await self._observe(bot, RUNNING)
        await self.say(bot.user_id, bot.id, "started", strategy=bot.strategy, symbol=bot.symbol, timeframe=bot.timeframe)
        return bot

    async def _stop_if_killed_meanwhile(self, bot: Bot) -> None:
        """The switch was turned on after we looked and before it could see this runner. Raises Conflict."""
        try:
            async with self.database.reading() as session:
                await refuse_while_killed(session)
        except Conflict:
            await self._stop_if_running(bot.id)
            raise

    # ---- stop

    async def stop(self, user_id: str) -> Bot:
        """Close what is held at the next price, then stop. Raises NotFound, and Conflict when nothing runs."""
        async with self.database.reading() as session:
            bot = await store.last_bot_of(session, user_id)
        return await self.stop_one(bot)

    async def stop_one(self, bot: Bot) -> Bot:
        """This one, whoever asks. Raises Conflict when it does not run."""
        runner = self.runner_of(bot)
        await self._observe(bot, STOPPING, desired=STOPPED)
        await self.say(bot.user_id, bot.id, "stopping")
        await runner.stop()
        async with self.database.reading() as session:
            return await session.get_one(Bot, bot.id)

    def runner_of(self, bot: Bot) -> Runner:
        """Raises Conflict when it does not run."""
        runner = self.runners.get(bot.id)
        if runner is None or runner.ended.is_set():
            raise Conflict("The bot is not running.")
        return runner

    async def stop_all(self) -> tuple[int, int]:
        """Every bot of everybody, side by side -> how many were told to stop, how many could not be. One that fails holds up no other."""
        running = [bot_id for bot_id, runner in self.runners.items() if not runner.ended.is_set()]
        for bot_id in running:
            self.runners[bot_id].halted = "platform"  # at once: the gate refuses new risk while the stops are on their way
        told = await asyncio.gather(*(self._stop_if_running(bot_id) for bot_id in running), return_exceptions=True)
        failed = [(bot_id, fault) for bot_id, fault in zip(running, told, strict=True) if isinstance(fault, Exception)]
        for bot_id, fault in failed:
            log.error("bot_not_stopped", bot_id=bot_id, exc_info=fault)
        return len(running) - len(failed), len(failed)

    async def _stop_if_running(self, bot_id: str) -> None:
        async with self.database.reading() as session:
            bot = await session.get_one(Bot, bot_id)
        with suppress(Conflict):  # it ended by itself meanwhile
            await self.stop_one(bot)

    async def ended(self, user_id: str, bot_id: str, account_id: str, runner: Runner) -> None:
        """A runner came to its end, by wish or by fault."""
        failed = runner.fault is not None
        self.runners.pop(bot_id, None)
        if not failed:
            self.market.venue.close_account(account_id)
        async with self.database.writing() as session:
            bot = await session.get_one(Bot, bot_id)
            bot.observed, bot.ended_at = (FAILED if failed else STOPPED), self.clock.now()
            bot.reason = "The bot met a fault; its orders stay at the venue." if failed else ""
        await self.say(user_id, bot_id, "failed" if failed else "stopped")

    async def _observe(self, bot: Bot, observed: str, **values: str) -> None:
        async with self.database.writing() as session:
            row = await session.get_one(Bot, bot.id)
            if row.observed != STOPPED:
                row.observed = observed
            for name, value in values.items():
                setattr(row, name, value)
        bot.observed = observed

    async def leave(self, session: Session, user_id: str) -> Callable[[], Awaitable[None]]:
        """Before a person is deleted; the journals go afterwards. Raises Conflict while a bot of theirs runs."""
        if await store.running_of(session, user_id) is not None:
            raise Conflict("A bot of yours runs: stop it first, and wait until its position is closed.", code="bots_running")
        journals = [self.folder / f"{bot_id}.jsonl" for bot_id in await store.ids_of(session, user_id)]

        async def clear_away() -> None:
            for path in journals:
                path.unlink(missing_ok=True)

        return clear_away

    # ---- what it says

    async def say(self, user_id: str, bot_id: str, code: str, **facts: str) -> None:
        async with self.database.writing() as session:
            session.add(BotLine(user_id=user_id, bot_id=bot_id, time_ms=self.clock.now_ms(), code=code, facts=facts))

    def shown(self, bot_id: str) -> dict[str, Any]:
        """What the mind of a running bot knows; nothing of one that has ended."""
        runner = self.runners.get(bot_id)
        return {} if runner is None else dict(runner.mind.shown())

    async def close(self) -> None:
        for runner in list(self.runners.values()):
            await runner.close()


@asynccontextmanager
async def open_bots(house: House) -> AsyncIterator[Bots]:
    bots = Bots(house.database, house.clock, house.part(Market), house.settings.haechi_var.resolve() / "journals")
    house.part(Identity).accounts.leaving.append(bots.leave)
    async with house.database.writing() as session:
        await store.end_all(session, RESTARTED, ended_at=house.clock.now())
    try:
        yield bots
    finally:
        await bots.close()
