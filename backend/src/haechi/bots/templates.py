"""Use cases of templates: shown, saved with the figures of a back-test, and made into bots."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import delete, select

from haechi.bots import instances
from haechi.bots.grid_market import bars_of, instrument_at, last_bars
from haechi.bots.grid_schemas import CreateGridBody
from haechi.bots.instance_schemas import CreateBody
from haechi.bots.listing import listing_of, recent
from haechi.bots.models import Bot
from haechi.bots.shipped_templates import CAPITAL, SHIPPED, figures_shipped
from haechi.bots.template_models import Template
from haechi.bots.template_schemas import GridTemplate, Plan, SaveTemplateBody, TemplateAnswer, TrendTemplate, UseTemplateBody
from haechi.core.language import LanguageError
from haechi.errors import BadInput, Conflict, NotFound
from haechi.markets.feed import Market
from haechi.platform.db import Session
from haechi.platform.house import House

TEMPLATES_MAX = 100
TRIAL_BARS = 5000
READ: TypeAdapter[GridTemplate | TrendTemplate] = TypeAdapter(Plan)


async def listed(session: Session, language: str) -> list[TemplateAnswer]:
    """The shipped ones, then those that were saved, by name."""
    rows = (await session.execute(select(Template).order_by(Template.name).limit(TEMPLATES_MAX))).scalars().all()
    return [shipped(name, language) for name in SHIPPED] + [told(row, language) for row in rows]


def shipped(name: str, language: str) -> TemplateAnswer:
    title, about, plan = SHIPPED[name]
    return TemplateAnswer(name=name, kind=plan.kind, title=title[language], about=about[language], shipped=True,
                          figures=figures_shipped()[name], plan=plan.model_dump(mode="json"))


def told(row: Template, language: str) -> TemplateAnswer:
    return TemplateAnswer(name=row.name, kind=row.kind, title=row.title[language], about=row.about[language], shipped=False, plan=row.plan,
                          figures=row.figures)


async def plan_of(session: Session, name: str) -> GridTemplate | TrendTemplate:
    """Raises NotFound."""
    if name in SHIPPED:
        return SHIPPED[name][2]
    return READ.validate_python((await saved(session, name)).plan)


async def saved(session: Session, name: str) -> Template:
    row = await session.get(Template, name)
    if row is None:
        raise NotFound("There is no such template.")
    return row


async def tried(house: House, body: SaveTemplateBody) -> dict[str, Any]:
    """Its figures on the last candles of the market this server plays. Raises NotFound, Conflict no_price, BadInput, UnitError."""
    from haechi.bots.template_trial import trial

    market = house.part(Market)
    one = instrument_at(market.tape, body.symbol)
    bars = bars_of(one, market.tape.timeframe_ms, last_bars(market, one, TRIAL_BARS))
    try:
        return await asyncio.to_thread(trial, body.plan, one, bars, market.tape.label, CAPITAL)
    except LanguageError as error:
        raise BadInput(str(error)) from None


async def save(session: Session, house: House, body: SaveTemplateBody, figures: dict[str, Any]) -> Template:
    """A new one, or in place of one of this name. Raises Conflict for a name that is shipped, or when there are too many."""
    if body.name in SHIPPED:
        raise Conflict(f"{body.name} comes with the software; choose another name.", code="template_shipped")
    names = (await session.execute(select(Template.name))).scalars().all()
    if body.name not in names and len(names) >= TEMPLATES_MAX:
        raise Conflict(f"There are {TEMPLATES_MAX} templates; delete one first.", code="too_many_templates")
    row = Template(name=body.name, kind=body.plan.kind, title=body.title.model_dump(), about=body.about.model_dump(),
                   plan=body.plan.model_dump(mode="json"), figures=figures, saved_at=house.clock.now())
    return await session.merge(row)


async def remove(session: Session, name: str) -> None:
    """Raises NotFound. Bots made of it stay."""
    await saved(session, name)
    await session.execute(delete(Template).where(Template.name == name))


async def use(house: House, asked: instances.Asked, name: str, body: UseTemplateBody) -> Bot:
    """A bot that does not run yet. Raises NotFound, BadInput, UnitError, Conflict."""
    async with house.database.reading() as session:
        plan = await plan_of(session, name)
    common: dict[str, Any] = {"name": body.name or f"{name} {body.symbol.upper()}"[:64], "symbol": body.symbol,
                              "allocation": body.allocation, "account_id": body.account_id}
    if isinstance(plan, TrendTemplate):
        made = CreateBody(strategy=plan.strategy, timeframe=plan.timeframe, params=plan.params, overrides=plan.overrides, **common)
        return await instances.create(house, asked, made)
    return await _grid(house, asked, plan, body, common)


async def _grid(house: House, asked: instances.Asked, plan: GridTemplate, body: UseTemplateBody, common: dict[str, Any]) -> Bot:
    from haechi.bots.grid_bots import create
    from haechi.bots.template_trial import grid_plan

    there = await listing_of(house, asked.user.id, body.account_id, body.symbol)
    one = instrument_at(there, body.symbol)
    stood, = await recent(house, asked.user.id, body.account_id, one, 1)
    found = grid_plan(plan, one, one.price(stood.close), body.investment)
    fields = {name: getattr(found, name) for name in found.__struct_fields__ if name not in ("quantity", "take_profit", "trigger")}
    return await create(house, asked, CreateGridBody(**fields, **common))
