"""HTTP of grid bots, and of a market's day for their pages."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.responses import Response

from haechi.bots import instances, store
from haechi.bots.grid_schemas import (
    ConfigAnswer,
    CreateGridBody,
    GridOrdersAnswer,
    GridsPage,
    GridStatsAnswer,
    MarketAnswer,
    PlanBody,
    PreviewAnswer,
    PreviewBody,
    plan_answer,
)
from haechi.bots.instance_router import Asking, Id, Language, told
from haechi.bots.instance_schemas import InstanceAnswer, StopBody
from haechi.bots.models import GRID, Bot
from haechi.bots.router import MayStart, TheBots
from haechi.identity.current import CurrentUser
from haechi.markets.feed import Market
from haechi.platform.answers import errors
from haechi.platform.house import Reading, TheHouse
from haechi.platform.idempotency import OneAttempt
from haechi.platform.paging import Paging, cursor, cut

router = APIRouter(prefix="/grid-bot", tags=["grid-bot"])
alias = APIRouter(prefix="/grid", tags=["grid-bot"])
LOOK = "GET /grid-bot"
SymbolPath = Annotated[str, Path(min_length=1, max_length=32, pattern=r"^[A-Za-z0-9_-]+$")]


def grids() -> Any:
    """The module that loads the engine, with the first request that needs it."""
    from haechi.bots import grid_bots

    return grid_bots


@router.get("", operation_id="grid_bots", summary="Your grid bots", responses=errors(401, 422))
async def listed(user: CurrentUser, bots: TheBots, session: Reading, paging: Paging, language: Language) -> GridsPage:
    """Newest first."""
    rows, more = cut((await session.execute(paging.below(store.instances(user.id, kind=GRID), Bot.id))).scalars().all(), paging.limit)
    return GridsPage(items=[told(row, bots, language) for row in rows], next_cursor=cursor(rows[-1].id) if more else None)


@router.post("", operation_id="grid_bot_create", summary="Make a grid bot", status_code=201, response_model=InstanceAnswer,
             responses=errors(401, 404, 409, 422))
async def create(body: CreateGridBody, asked: Asking, house: TheHouse, bots: TheBots, attempt: OneAttempt) -> Response:
    """It does not run yet. Its lines are sized when it starts; see `POST /grid-bot/preview`."""
    async def work() -> InstanceAnswer:
        return told(await grids().create(house, asked, body), bots)

    return await attempt.once(asked.user.id, 201, work, look=LOOK)


@router.post("/preview", operation_id="grid_bot_preview", summary="What a grid comes to", responses=errors(401, 404, 409, 422))
async def preview(body: PreviewBody, user: CurrentUser, house: TheHouse, language: Language) -> PreviewAnswer:
    """Lines, size, what cells earn, the worst case, warnings; with `backtest` also how the same grid would have done lately."""
    found: PreviewAnswer = await grids().previewed(house, user.id, body, language)
    return found


@router.get("/market/{symbol}", operation_id="grid_bot_market", summary="A market's day", responses=errors(404, 409, 422))
async def market(symbol: SymbolPath, house: TheHouse) -> MarketAnswer:
    """Last price and 24 hours, in numbers. No key is needed."""
    from haechi.bots.grid_market import day_of

    return day_of(house.part(Market), symbol)


@alias.get("/market/{symbol}", operation_id="grid_market", summary="A market's day", responses=errors(404, 409, 422))
async def market_alias(symbol: SymbolPath, house: TheHouse) -> MarketAnswer:
    """The same as `GET /grid-bot/market/{symbol}`."""
    return await market(symbol, house)


@router.get("/{id}/config", operation_id="grid_bot_config", summary="Its plan", responses=errors(401, 404, 422))
async def config(id: Id, user: CurrentUser, session: Reading) -> ConfigAnswer:
    """As it was made or changed last."""
    return config_of(await grids().grid_of(session, user.id, id))


@router.post("/{id}/config", operation_id="grid_bot_configure", summary="Change its plan", response_model=ConfigAnswer,
             responses=errors(401, 404, 409, 422))
async def configure(id: Id, body: PlanBody, user: CurrentUser, house: TheHouse, attempt: OneAttempt) -> Response:
    """Also while it runs: the position stays and says where the new grid stands; what cannot be kept is refused with numbers."""
    async def work() -> ConfigAnswer:
        return config_of(await grids().change(house, user.id, id, body))

    return await attempt.once(user.id, 200, work, look=f"{LOOK}/{id}/config")


def config_of(bot: Bot) -> ConfigAnswer:
    return ConfigAnswer(id=bot.id, name=bot.name, symbol=bot.symbol, allocation=f"{bot.allocation:f}", account_id=bot.account_id,
                        desired=bot.desired, observed=bot.observed, plan=plan_answer(bot.spec["grid"]))


@router.get("/{id}/orders", operation_id="grid_bot_orders", summary="Its lines", responses=errors(401, 404, 422))
async def orders(id: Id, user: CurrentUser, bots: TheBots, session: Reading) -> GridOrdersAnswer:
    """Each line: what should be there, and what is."""
    from haechi.bots.grid_told import orders_of

    bot = await grids().grid_of(session, user.id, id)
    return orders_of(await grids().mind_of(session, bots, bot), list(await store.open_orders_of(session, user.id, bot.id)))


@router.post("/{id}/start", operation_id="grid_bot_start", summary="Start a grid bot", response_model=InstanceAnswer,
             responses=errors(401, 404, 409, 422))
async def start(id: Id, asked: Asking, house: TheHouse, bots: TheBots, attempt: OneAttempt, may_start: MayStart) -> Response:
    """Its share of the account is reserved at once; `observed` is `starting` until it is at work."""
    async def work() -> InstanceAnswer:
        await known(house, asked, id)
        return told(await instances.start(house, asked, id), bots)

    return await attempt.once(asked.user.id, 200, work, look=LOOK, allow=may_start)


@router.post("/{id}/stop", operation_id="grid_bot_stop", summary="Stop a grid bot", response_model=InstanceAnswer,
             responses=errors(401, 404, 409, 422))
async def stop(id: Id, asked: Asking, house: TheHouse, bots: TheBots, attempt: OneAttempt,  # noqa: PLR0913
               body: StopBody = StopBody()) -> Response:
    """Its lines are cancelled; with `flatten` what is held is closed."""
    async def work() -> InstanceAnswer:
        await known(house, asked, id)
        return told(await instances.stop(house, asked, id, flatten=body.flatten), bots)

    return await attempt.once(asked.user.id, 200, work, look=LOOK)


async def known(house: TheHouse, asked: Asking, bot_id: str) -> None:
    """Raises NotFound for a bot that is no grid."""
    async with house.database.reading() as session:
        await grids().grid_of(session, asked.user.id, bot_id)


@router.get("/{id}/stats", operation_id="grid_bot_stats", summary="What it has earned", responses=errors(401, 404, 422))
async def stats(id: Id, user: CurrentUser, bots: TheBots, session: Reading) -> GridStatsAnswer:
    """At the last price it heard: total = matched + unmatched − fees − funding."""
    from haechi.bots.grid_told import stats_of

    bot = await grids().grid_of(session, user.id, id)
    return stats_of(bot, await grids().mind_of(session, bots, bot), bots.clock.now_ms())
