"""HTTP of the one-bot form: start, stop, what really runs, and its log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from starlette.responses import Response

from haechi.bots import store
from haechi.bots.models import Bot, BotLine
from haechi.bots.schemas import BotAnswer, LineAnswer, LinesPage, OpenOrderAnswer, StartBody
from haechi.bots.service import Bots
from haechi.bots.words import sentence
from haechi.identity.current import CurrentUser, current_user
from haechi.platform.answers import errors
from haechi.platform.clock import instant
from haechi.platform.db import Session
from haechi.platform.house import Reading, TheHouse
from haechi.platform.idempotency import OneAttempt
from haechi.platform.limits import counted
from haechi.platform.paging import Paging, cursor, cut
from haechi.trading.ledger import WALLET, balance_of
from haechi.trading.models import Order

router = APIRouter(prefix="/bot", tags=["bot"])
LOOK = "GET /bot/status"
# One bot or all at once, whichever way; the same request again is not another start.
MayStart = Annotated[Callable[[], Awaitable[None]], Depends(counted("bot_start", 5, 60, known=current_user))]
Accepted = Annotated[str, Header(alias="accept-language", max_length=1000)]


async def bots_of(house: TheHouse) -> Bots:
    return house.part(Bots)


TheBots = Annotated[Bots, Depends(bots_of)]


@router.post("/start", operation_id="bot_start", summary="Start the bot", status_code=201, response_model=BotAnswer,
             responses=errors(401, 409, 422))
async def start(body: StartBody, user: CurrentUser, bots: TheBots, attempt: OneAttempt, may_start: MayStart) -> Response:
    """Start a bot on the paper market. It acts from the next bar that closes."""
    async def work() -> BotAnswer:
        return await told(bots, await bots.start(user.id, body))

    return await attempt.once(user.id, 201, work, look=LOOK, allow=may_start)


@router.post("/stop", operation_id="bot_stop", summary="Stop the bot and close", response_model=BotAnswer,
             responses=errors(401, 404, 409, 422))
async def stop(user: CurrentUser, bots: TheBots, attempt: OneAttempt) -> Response:
    """Cancel its entries, close its position at the next price, then stop. `observed` is `stopping` until that is done."""
    async def work() -> BotAnswer:
        return await told(bots, await bots.stop(user.id))

    return await attempt.once(user.id, 200, work, look=LOOK)


@router.get("/status", operation_id="bot_status", summary="What really runs", responses=errors(401, 404))
async def status(user: CurrentUser, bots: TheBots, session: Reading) -> BotAnswer:
    """The newest bot of yours. Asking changes nothing and restarts nothing."""
    return await answer(session, bots, await store.last_bot_of(session, user.id))


@router.get("/logs", operation_id="bot_logs", summary="Its log", responses=errors(401, 404, 422))
async def logs(user: CurrentUser, session: Reading, paging: Paging, accepted: Accepted = "") -> LinesPage:
    """Newest first; in Korean where the browser prefers it."""
    bot = await store.last_bot_of(session, user.id)
    rows, more = cut(await store.lines_of(session, user.id, bot.id, below=paging.number(), limit=paging.limit + 1), paging.limit)
    language = "ko" if accepted.lower().startswith("ko") else "en"
    return LinesPage(items=[line(row, language) for row in rows], next_cursor=cursor(str(rows[-1].id)) if more else None)


def line(row: BotLine, language: str) -> LineAnswer:
    return LineAnswer(time=instant(row.time_ms), code=row.code, text=sentence(language, row.code, row.facts))


async def told(bots: Bots, bot: Bot) -> BotAnswer:
    """In a session of its own: the work goes on to its end when the request was given up."""
    async with bots.database.reading() as session:
        return await answer(session, bots, bot)


async def answer(session: Session, bots: Bots, bot: Bot) -> BotAnswer:
    orders = await store.open_orders_of(session, bot.user_id, bot.id)
    shown = bots.shown(bot.id) or {"wallet": f"{await balance_of(session, bot.account_id, WALLET):.8f}"}
    return BotAnswer(id=bot.id, strategy=bot.strategy, symbol=bot.symbol, timeframe=bot.timeframe, mode="paper",
                     market=bots.market.tape.label, desired=bot.desired, observed=bot.observed, reason=bot.reason,
                     capital=str(bot.capital), created_at=bot.created_at,
                     open_orders=[open_order(one) for one in orders], **shown)


def open_order(one: Order) -> OpenOrderAnswer:
    return OpenOrderAnswer(role=one.role, side=one.side, kind=one.kind, quantity=str(one.quantity),
                           price=None if one.price is None else str(one.price), trigger=None if one.trigger is None else str(one.trigger),
                           status=one.status)
