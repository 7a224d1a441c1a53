"""HTTP of bots: a person's up to ten, each with its share of an account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Header, Path, Query
from pydantic import AwareDatetime
from starlette.responses import Response

from haechi.bots import instances, store
from haechi.bots.figures import ZERO, Figures, figures_of, open_now, steps_of
from haechi.bots.instance_schemas import (
    CreateBody,
    CutAnswer,
    DecisionAnswer,
    InstanceAnswer,
    InstancesPage,
    KindName,
    PartAnswer,
    RefusalAnswer,
    RuleAnswer,
    StartedAnswer,
    State,
    StatsAnswer,
    StopBody,
    SummaryAnswer,
    UpdateBody,
    WhyAnswer,
)
from haechi.bots.instances import Asked
from haechi.bots.models import Bot
from haechi.bots.router import MayStart, TheBots, line
from haechi.bots.schemas import LinesPage
from haechi.bots.service import Bots
from haechi.bots.words import sentence
from haechi.core.holdings import WALLET
from haechi.identity.current import CurrentUser
from haechi.identity.origins import From
from haechi.platform.answers import errors
from haechi.platform.clock import instant
from haechi.platform.house import Reading, TheHouse
from haechi.platform.idempotency import OneAttempt
from haechi.platform.ids import ID_CHARS
from haechi.platform.paging import Paging, cursor, cut
from haechi.trading.ledger import balance_of

if TYPE_CHECKING:  # they load the engine
    from haechi.bots.why import Why
    from haechi.core.language import Explained

router = APIRouter(prefix="/bot-instances", tags=["bot-instances"])
LOOK = "GET /bot-instances"
REFUSALS_SHOWN = 50

Id = Annotated[str, Path(pattern=f"^[0-9a-f]{{{ID_CHARS}}}$")]
Bar = Annotated[AwareDatetime | None, Query(description="A bar, by the time it opened; as `time` of a decision says it.")]


async def asking(user: CurrentUser, origin: From) -> Asked:
    return Asked(user, origin.address)


async def language_of(accepted: Annotated[str, Header(alias="accept-language", max_length=1000)] = "") -> str:
    return "ko" if accepted.lower().startswith("ko") else "en"


Asking = Annotated[Asked, Depends(asking)]
Language = Annotated[str, Depends(language_of)]


def told(bot: Bot, bots: Bots, language: str = "en") -> InstanceAnswer:
    return InstanceAnswer.of(bot, instant(bot.retry_ms) if bot.retry_ms else None, bots.shown(bot.id), language)


@router.get("", operation_id="instances", summary="Your bots", responses=errors(401, 422))
async def listed(user: CurrentUser, bots: TheBots, session: Reading, paging: Paging, language: Language,  # noqa: PLR0913
                 observed: State | None = None, symbol: Annotated[str | None, Query(max_length=32)] = None,
                 account: Annotated[str | None, Query(max_length=32)] = None, kind: KindName | None = None) -> InstancesPage:
    """Newest first."""
    query = store.instances(user.id, observed=observed, symbol=symbol and symbol.upper(), account_id=account, kind=kind)
    rows, more = cut((await session.execute(paging.below(query, Bot.id))).scalars().all(), paging.limit)
    return InstancesPage(items=[told(row, bots, language) for row in rows], next_cursor=cursor(rows[-1].id) if more else None)


@router.post("", operation_id="instance_create", summary="Make a bot", status_code=201, response_model=InstanceAnswer,
             responses=errors(401, 404, 409, 422))
async def create(body: CreateBody, asked: Asking, house: TheHouse, bots: TheBots, attempt: OneAttempt) -> Response:
    """It is checked as if it started now, and does not run yet."""
    async def work() -> InstanceAnswer:
        return told(await instances.create(house, asked, body), bots)

    return await attempt.once(asked.user.id, 201, work, look=LOOK)


@router.get("/summary", operation_id="instances_summary", summary="All your bots in numbers", responses=errors(401))
async def summary(user: CurrentUser, bots: TheBots, session: Reading) -> SummaryAnswer:
    """From the ledger; open profit from the bots that run."""
    rows = (await session.execute(store.instances(user.id))).scalars().all()
    made = [(await _figures(session, bots, bot), bots.shown(bot.id)) for bot in rows]
    wallets = [await balance_of(session, account_id, WALLET) for account_id in sorted({bot.account_id for bot in rows})]
    open_profit = sum((open_now(shown)[0] or ZERO for _, shown in made), ZERO)
    return SummaryAnswer(bots=len(rows), states=dict(Counter(bot.observed for bot in rows)), equity=money(sum(wallets, open_profit)),
                         pnl=money(sum((one.net for one, _ in made), ZERO)), today=money(sum((one.today for one, _ in made), ZERO)))


@router.post("/start-all", operation_id="instances_start_all", summary="Start all your bots", response_model=StartedAnswer,
             responses=errors(401, 409, 422))
async def start_all(asked: Asking, house: TheHouse, attempt: OneAttempt, may_start: MayStart) -> Response:
    """Oldest first, as many as have room; `refused` says why the others do not start. Counts as one start."""
    async def work() -> StartedAnswer:
        changed, refused = await instances.start_all(house, asked)
        return StartedAnswer(changed=changed, refused=refused)

    return await attempt.once(asked.user.id, 200, work, look=LOOK, allow=may_start)


@router.post("/stop-all", operation_id="instances_stop_all", summary="Stop all your bots", response_model=StartedAnswer,
             responses=errors(401, 409, 422))
async def stop_all(asked: Asking, house: TheHouse, attempt: OneAttempt, body: StopBody = StopBody()) -> Response:
    """Each as by its own stop."""
    async def work() -> StartedAnswer:
        return StartedAnswer(changed=await instances.stop_all(house, asked, flatten=body.flatten))

    return await attempt.once(asked.user.id, 200, work, look=LOOK)


@router.get("/{id}", operation_id="instance", summary="One bot", responses=errors(401, 404, 422))
async def one(id: Id, user: CurrentUser, bots: TheBots, session: Reading, language: Language) -> InstanceAnswer:
    """What is desired of it and what really is."""
    return told(await store.instance_of(session, user.id, id), bots, language)


@router.put("/{id}", operation_id="instance_update", summary="Change a bot", response_model=InstanceAnswer,
            responses=errors(401, 404, 409, 422))
async def update(id: Id, body: UpdateBody, user: CurrentUser, house: TheHouse, bots: TheBots, attempt: OneAttempt) -> Response:
    """Checked like a new one. While it runs, is wanted to, holds something or has orders, only its name can change."""
    async def work() -> InstanceAnswer:
        return told(await instances.update(house, user.id, id, body), bots)

    return await attempt.once(user.id, 200, work, look=LOOK)


@router.delete("/{id}", operation_id="instance_delete", summary="Delete a bot", status_code=204, response_class=Response,
               responses=errors(401, 404, 409, 422))
async def delete(id: Id, asked: Asking, house: TheHouse) -> None:
    """Only one that is stopped, holds nothing and has no order at the exchange. Its orders, fills and entries in the ledger stay."""
    await instances.delete(house, asked, id)


@router.post("/{id}/start", operation_id="instance_start", summary="Start a bot", response_model=InstanceAnswer,
             responses=errors(401, 404, 409, 422))
async def start(id: Id, asked: Asking, house: TheHouse, bots: TheBots, attempt: OneAttempt, may_start: MayStart) -> Response:
    """Its share of the account is reserved at once; `observed` is `starting` until it is at work."""
    async def work() -> InstanceAnswer:
        return told(await instances.start(house, asked, id), bots)

    return await attempt.once(asked.user.id, 200, work, look=LOOK, allow=may_start)


@router.post("/{id}/stop", operation_id="instance_stop", summary="Stop a bot", response_model=InstanceAnswer,
             responses=errors(401, 404, 409, 422))
async def stop(id: Id, asked: Asking, house: TheHouse, bots: TheBots, attempt: OneAttempt,  # noqa: PLR0913
               body: StopBody = StopBody()) -> Response:
    """Entries are cancelled; with `flatten` what is held is closed. `observed` is `stopping` until that is done, over restarts too."""
    async def work() -> InstanceAnswer:
        return told(await instances.stop(house, asked, id, flatten=body.flatten), bots)

    return await attempt.once(asked.user.id, 200, work, look=LOOK)


@router.get("/{id}/stats", operation_id="instance_stats", summary="What it has earned", responses=errors(401, 404, 422))
async def stats(id: Id, user: CurrentUser, bots: TheBots, session: Reading) -> StatsAnswer:
    """From the ledger, exactly; what is open now from the bot itself."""
    bot = await store.instance_of(session, user.id, id)
    made, shown = await _figures(session, bots, bot), bots.shown(bot.id)
    unrealized, exposure = open_now(shown)
    return StatsAnswer(
        trades=made.trades, won=made.won, win_rate=f"{Decimal(made.won) / made.trades:.4f}" if made.trades else None, pnl=money(made.net),
        realized=money(made.realized), fees=money(made.fees), funding=money(made.funding), today=money(made.today),
        unrealized=None if unrealized is None else money(unrealized), drawdown=money(made.drawdown),
        exposure=None if exposure is None else f"{exposure:.4f}", position=f"{made.held:f}", equity=shown.get("equity"))


async def _figures(session: Reading, bots: Bots, bot: Bot) -> Figures:
    return figures_of(await steps_of(session, bot), bots.clock.now_ms())


def money(amount: Decimal) -> str:
    return f"{amount:.8f}"


@router.get("/{id}/why", operation_id="instance_why", summary="Why it did what it did", responses=errors(401, 404, 422))
async def why(id: Id, user: CurrentUser, bots: TheBots, session: Reading, paging: Paging, language: Language,
              bar: Bar = None) -> WhyAnswer:
    """Per bar which rules held and what stood against an order; refusals are kept over restarts. With `bar`, that one with the values of
    every part of its rules."""
    bot = await store.instance_of(session, user.id, id)
    rows = await store.refusals_of(session, user.id, bot.id, min(paging.limit, REFUSALS_SHOWN))
    refusals = [RefusalAnswer(time=instant(row.time_ms), role=row.facts.get("role", ""), reason=row.facts.get("reason", ""),
                              text=sentence(language, row.code, row.facts)) for row in rows]
    runner = bots.runners.get(bot.id)
    if runner is None:
        return WhyAnswer(decisions=[], refusals=refusals)
    if bar is None:
        return WhyAnswer(decisions=[decision(one) for one in runner.whys.shown(paging.limit)], refusals=refusals)
    one = runner.whys.of(round(bar.timestamp() * 1000))
    return WhyAnswer(decisions=[] if one is None else [decision(one, runner.hearing.explained(one.ts))], refusals=refusals)


def decision(one: Why, rules: Iterable[Explained] = ()) -> DecisionAnswer:
    wished = [{"role": wish.role, "side": "buy" if wish.side > 0 else "sell", "kind": wish.kind, "lots": wish.lots} for wish in one.wished]
    cuts = [CutAnswer(role=cut.role, rule=cut.rule, asked=cut.asked, allowed=cut.allowed) for cut in one.cut]
    return DecisionAnswer(time=instant(one.ts), close=str(one.close), held=one.held, position_lots=one.position, wished=wished,
                          against=one.against, cut=cuts, rules=[rule(found) for found in rules])


def rule(found: Explained) -> RuleAnswer:
    return RuleAnswer(rule=found.rule, holds=found.holds,
                      parts=[PartAnswer(text=part.text, value=part.value, depth=part.depth) for part in found.parts])


@router.get("/{id}/logs", operation_id="instance_logs", summary="Its log", responses=errors(401, 404, 422))
async def logs(id: Id, user: CurrentUser, session: Reading, paging: Paging, language: Language) -> LinesPage:
    """Newest first; in Korean where the browser prefers it."""
    bot = await store.instance_of(session, user.id, id)
    rows, more = cut(await store.lines_of(session, user.id, bot.id, below=paging.number(), limit=paging.limit + 1), paging.limit)
    return LinesPage(items=[line(row, language) for row in rows], next_cursor=cursor(str(rows[-1].id)) if more else None)
