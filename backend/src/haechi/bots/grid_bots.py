"""Use cases of grid bots: made, changed while they run, and told. Start and stop are those of every bot (instances.py)."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import select

from haechi.bots import instances, store
from haechi.bots.allocation import room_for_one, within_leverage
from haechi.bots.grid_market import instrument_at
from haechi.bots.grid_mind import GridMind, GridSpec
from haechi.bots.grid_preview import SLIPPAGE, bars_wanted, plan_of, preview, rows_wanted
from haechi.bots.grid_schemas import CreateGridBody, PlanBody, PreviewAnswer, PreviewBody
from haechi.bots.listing import listing_of, recent
from haechi.bots.models import GRID, INSTANCE, STOPPED, Bot, BotState
from haechi.bots.service import Bots
from haechi.core.grid_plan import GridPlan, all_lines
from haechi.core.instrument import Instrument
from haechi.core.plan import Costs
from haechi.errors import BadInput, NotFound
from haechi.markets.timeframes import NAMES
from haechi.platform.db import Session
from haechi.platform.house import House
from haechi.platform.ids import new_id

if TYPE_CHECKING:
    from haechi.bots.runner import Runner


async def create(house: House, asked: instances.Asked, body: CreateGridBody) -> Bot:
    """Raises BadInput, NotFound (market, account), Conflict (bot_limit, leverage_limit, no_price)."""
    now, user_id = house.clock.now(), asked.user.id
    there = await listing_of(house, asked.user.id, body.account_id, body.symbol)
    one = instrument_at(there, body.symbol)
    plan = await planned(house, user_id, body.account_id, body, one)
    spec = await asyncio.to_thread(of_plan, plan, there.timeframe_ms, one)
    within_leverage(body.leverage)
    async with house.database.writing() as session:
        await room_for_one(session, user_id)
        account = await instances.account_of(session, house, user_id, body.account_id)
        bot = Bot(id=new_id(house.clock.now_ms()), user_id=user_id, account_id=account.id, strategy=GRID, symbol=one.symbol, kind=GRID,
                  timeframe=NAMES[spec.timeframe_ms], spec=msgspec.to_builtins(spec), capital=Decimal(0), desired=STOPPED, observed=STOPPED,
                  reason="", name=body.name or f"grid {one.symbol}", origin=INSTANCE, allocation=body.allocation, created_at=now,
                  ended_at=None)
        session.add(bot)
        await session.flush()
        instances.say(session, house, bot, "created", strategy=GRID, symbol=bot.symbol, timeframe=bot.timeframe,
                      percent=f"{bot.allocation:f}")
    return bot


async def planned(house: House, user_id: str, account_id: str | None, body: PlanBody, one: Instrument) -> GridPlan:
    """Its range, where it is auto, of the bars of the market its account trades on. Raises UnitError, and as listing.recent."""
    wanted = bars_wanted(body)
    rows = await recent(house, user_id, account_id, one, wanted) if wanted else []
    return await asyncio.to_thread(plan_of, body, rows, one)


async def previewed(house: House, user_id: str, body: PreviewBody, language: str) -> PreviewAnswer:
    """On the market of its account. Raises as create, and UnitError where the grid could not be started."""
    there = await listing_of(house, user_id, body.account_id, body.symbol)
    one = instrument_at(there, body.symbol)
    rows = await recent(house, user_id, body.account_id, one, rows_wanted(body))
    return await asyncio.to_thread(preview, body, there, one, rows, language)


def of_plan(plan: GridPlan, timeframe_ms: int, one: Instrument) -> GridSpec:
    """The capital is known at the start. Raises UnitError; whether the money is enough is told by a preview, and at the start."""
    all_lines(plan, one)
    spec = GridSpec(plan, one, Costs(slippage=SLIPPAGE), timeframe_ms)
    GridMind(spec)
    return spec


async def grid_of(session: Session, user_id: str, bot_id: str) -> Bot:
    """Raises NotFound, for a bot that is no grid too."""
    bot = await store.instance_of(session, user_id, bot_id)
    if bot.kind != GRID:
        raise NotFound("There is no such bot.")
    return bot


def spec_of(bot: Bot) -> GridSpec:
    """Raises BadInput where another version wrote it."""
    try:
        return msgspec.convert(bot.spec, GridSpec)
    except msgspec.ValidationError as error:
        raise BadInput(f"the bot was saved by another version: {error}") from None


async def change(house: House, user_id: str, bot_id: str, body: PlanBody) -> Bot:
    """Its plan, also while it runs: then the position stays and says where the new grid stands.

    Raises NotFound, and BadInput or UnitError, with numbers, for what a running grid cannot become.
    """
    within_leverage(body.leverage)
    async with house.database.reading() as session:
        bot = await grid_of(session, user_id, bot_id)
    old = spec_of(bot)
    plan = await planned(house, user_id, bot.account_id, body, old.instrument)
    await asyncio.to_thread(of_plan, plan, old.timeframe_ms, old.instrument)
    async with house.database.writing() as session:
        bot = await grid_of(session, user_id, bot_id)
        spec = spec_of(bot)
        bot.spec = msgspec.to_builtins(msgspec.structs.replace(spec, grid=plan))
        instances.say(session, house, bot, "changed", fields="plan")
        await session.flush()
        runner = take_over(house, bot_id, plan)  # last: what it refuses is rolled back
    if runner is not None:
        await runner.poke()
    return bot


def take_over(house: House, bot_id: str, plan: GridPlan) -> Runner | None:
    """The running mind goes on under the new plan. One of another process reads it when it is restored."""
    runner = house.part(Bots).runners.get(bot_id)
    if runner is not None and isinstance(runner.mind, GridMind):
        runner.mind = runner.mind.edited(plan)
        return runner
    return None


async def mind_of(session: Session, bots: Bots, bot: Bot) -> GridMind | None:
    """The running one, or the one that was saved last; None: it has not been at work."""
    runner = bots.runners.get(bot.id)
    if runner is not None and isinstance(runner.mind, GridMind):
        return runner.mind
    query = select(BotState.body).where(BotState.user_id == bot.user_id, BotState.bot_id == bot.id)
    body = (await session.execute(query)).scalar_one_or_none()
    saved = "" if body is None else json.loads(body)["mind"]
    return GridMind.restored(spec_of(bot), saved) if saved else None
