"""Use cases of /bot-instances: each one transaction that changes what is desired; the supervisor does the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import delete as delete_rows
from sqlalchemy import select

from haechi.bots import store
from haechi.bots.allocation import ENDED, reserve, room_for_one, within_leverage
from haechi.bots.instance_schemas import CreateBody, RefusedAnswer, UpdateBody
from haechi.bots.listing import listing_of
from haechi.bots.models import GRID, INSTANCE, RUNNING, STARTING, STOPPED, STOPPING, Bot, BotLine, BotState
from haechi.bots.service import Bots
from haechi.errors import BadInput, Conflict, HaechiError, NotFound
from haechi.identity.audit import Act, record
from haechi.identity.models import User
from haechi.platform.db import Session
from haechi.platform.house import House
from haechi.platform.ids import new_id
from haechi.platform.points import reached
from haechi.trading.ledger import holdings_of
from haechi.trading.models import Account


@dataclass(frozen=True)
class Asked:
    """Who asks, and from where: for the audit."""

    user: User
    address: str


async def checked(house: House, user_id: str, body: CreateBody) -> tuple[dict[str, Any], str, str, str]:
    """What is asked for, as a spec, and its strategy's name, symbol and timeframe. Raises BadInput, and Conflict leverage_limit."""
    from haechi.bots import starting  # the engine loads with the first bot
    from haechi.markets.timeframes import NAMES

    await asyncio.to_thread(starting.warm)
    wish = starting.Wish.of(body.wish(), await listing_of(house, user_id, body.account_id, body.symbol))
    within_leverage(wish.mind.leverage)
    spec = wish.spec
    return msgspec.to_builtins(spec), wish.mind.name[:64], spec.instrument.symbol, NAMES[spec.timeframe_ms]


async def account_of(session: Session, house: House, user_id: str, account_id: str | None) -> Account:
    """The one that is named, else the person's own paper account. Raises NotFound."""
    if account_id is None:
        from haechi.trading.accounts import default_account

        return await default_account(session, user_id, house.clock)
    query = select(Account).where(Account.user_id == user_id, Account.id == account_id, Account.closed_at.is_(None))
    found = (await session.execute(query)).scalar_one_or_none()
    if found is None:
        raise NotFound("There is no such account.")
    return found


async def create(house: House, asked: Asked, body: CreateBody) -> Bot:
    """Raises BadInput, NotFound (account), Conflict (bot_limit, leverage_limit)."""
    spec, strategy, symbol, timeframe = await checked(house, asked.user.id, body)
    now, user_id = house.clock.now(), asked.user.id
    async with house.database.writing() as session:
        await room_for_one(session, user_id)
        account = await account_of(session, house, user_id, body.account_id)
        bot = Bot(id=new_id(house.clock.now_ms()), user_id=user_id, account_id=account.id, strategy=strategy, symbol=symbol,
                  timeframe=timeframe, spec=spec, capital=Decimal(0), desired=STOPPED, observed=STOPPED, reason="",
                  name=body.name or f"{strategy} {symbol}"[:64], origin=INSTANCE, allocation=body.allocation, created_at=now, ended_at=None)
        session.add(bot)
        await session.flush()
        say(session, house, bot, "created", strategy=strategy, symbol=symbol, timeframe=timeframe, percent=f"{body.allocation:f}")
    return bot


async def update(house: House, user_id: str, bot_id: str, body: UpdateBody) -> Bot:
    """Raises BadInput, NotFound, Conflict (bot_running, grid, position_open, orders_open).

    All but the name wants a bot that is not wanted and holds nothing: a share, a memory and a position belong to what it was.
    """
    given = body.model_dump(exclude_unset=True, exclude_none=True)
    if not given:
        raise BadInput("Nothing was named that is to change.")
    async with house.database.reading() as session:
        bot = await store.instance_of(session, user_id, bot_id)
        refuse_change(bot, given)
    made = await checked(house, user_id, merged(bot, given)) if given.keys() - {"name", "allocation"} else None
    async with house.database.writing() as session:
        bot = await store.instance_of(session, user_id, bot_id)
        refuse_change(bot, given)
        if given.keys() - {"name"}:
            await refuse_while_holding(session, bot)
            await session.execute(delete_rows(BotState).where(BotState.user_id == user_id, BotState.bot_id == bot.id))
        if made is not None:
            bot.account_id = (await account_of(session, house, user_id, given.get("account_id", bot.account_id))).id
            bot.spec, bot.strategy, bot.symbol, bot.timeframe = made
        bot.name, bot.allocation = given.get("name", bot.name), given.get("allocation", bot.allocation)
        say(session, house, bot, "changed", fields=", ".join(given))
    return bot


def refuse_change(bot: Bot, given: dict[str, Any]) -> None:
    if given.keys() <= {"name"}:
        return
    if bot.desired != STOPPED or not has_ended(bot):
        raise Conflict("While the bot runs, or is wanted to, only its name can change; stop it first.", code="bot_running",
                       details={"observed": bot.observed})
    if bot.kind == GRID and given.keys() - {"name", "allocation"}:
        raise Conflict("A grid is changed by POST /grid-bot/{id}/config.", code="grid")


def merged(bot: Bot, given: dict[str, Any]) -> CreateBody:
    """The bot as it would be asked for now, with what changes."""
    spec = bot.spec
    there = {"strategy": spec["strategy"], "symbol": bot.symbol, "timeframe": bot.timeframe, "params": spec["params"],
             "overrides": spec["overrides"], "allocation": bot.allocation, "account_id": bot.account_id}
    return CreateBody(**(there | {name: value for name, value in given.items() if name != "name"}))


async def delete(house: House, asked: Asked, bot_id: str) -> None:
    """Softly: its orders, fills and lines stay. Raises NotFound, Conflict (bot_running, position_open, orders_open)."""
    async with house.database.writing() as session:
        bot = await store.instance_of(session, asked.user.id, bot_id)
        if not has_ended(bot):
            raise Conflict("The bot runs; stop it before you delete it.", code="bot_running", details={"observed": bot.observed})
        await refuse_while_holding(session, bot)
        bot.desired, bot.deleted_at = STOPPED, house.clock.now()
        await record(session, Act("bot.deleted", actor=asked.user.id, subject=bot.id, address=asked.address), house.clock.now())


async def refuse_while_holding(session: Session, bot: Bot) -> None:
    """Raises Conflict position_open, orders_open: what it left would belong to nobody, or to another plan."""
    close = "stop it with flatten" if bot.desired == RUNNING else "start it and stop it with flatten"
    held = (await holdings_of(session, bot.account_id)).quantity(bot.id, bot.symbol)
    if held:
        by_hand = "" if bot.desired == RUNNING else f", or close that by POST /order/close/{bot.account_id}:{bot.symbol}:{bot.id}"
        raise Conflict(f"The bot still holds {held:f} of {bot.symbol}; {close}{by_hand}.", code="position_open",
                       details={"symbol": bot.symbol, "quantity": f"{held:f}"})
    orders = [one.id for one in await store.open_orders_of(session, bot.user_id, bot.id)]
    if orders:
        raise Conflict(f"Orders of the bot rest at the exchange, or it is not known what became of them: {len(orders)}; {close}.",
                       code="orders_open", details={"orders": ", ".join(orders[:10])})


def has_ended(bot: Bot) -> bool:
    return bot.observed in ENDED


# ---- start and stop


async def start(house: House, asked: Asked, bot_id: str) -> Bot:
    """Raises NotFound, Conflict (killed, bot_running, and those of allocation.reserve)."""
    async with house.database.writing() as session:
        bot = await store.instance_of(session, asked.user.id, bot_id)
        house.part(Bots).refuse_while_killed(bot.user_id, bot.id)
        await _begin(session, house, asked, bot)
        reached("allocated")
    wake(house)
    return bot


async def start_all(house: House, asked: Asked) -> tuple[list[str], list[RefusedAnswer]]:
    """As many as may, oldest first; why the others may not. Raises Conflict killed."""
    begun, refused = [], []
    async with house.database.writing() as session:
        house.part(Bots).refuse_while_killed(asked.user.id)
        for bot in await _instances(session, asked.user.id):
            if bot.desired == RUNNING and not has_ended(bot):
                continue
            try:
                house.part(Bots).refuse_while_killed(bot.user_id, bot.id)
                await _begin(session, house, asked, bot)
                begun.append(bot.id)
            except HaechiError as error:
                refused.append(RefusedAnswer(id=bot.id, code=error.code, message=error.message))
    wake(house)
    return begun, refused


async def _begin(session: Session, house: House, asked: Asked, bot: Bot) -> None:
    """Reserved, desired, told to audit and log: one transaction. Nothing is changed before the last refusal."""
    if not has_ended(bot):
        raise Conflict(f"The bot is {bot.observed} already.", code="bot_running", details={"observed": bot.observed})
    await reserve(session, bot.user_id, bot.account_id, bot.id, bot.allocation)
    now = house.clock.now()
    before, bot.desired, bot.observed, bot.reason = bot.desired, RUNNING, STARTING, ""
    bot.attempts = bot.retry_ms = 0
    bot.started_at, bot.ended_at = now, None
    change = {"desired": {"before": before, "after": RUNNING}, "allocation": f"{bot.allocation:f}"}
    await record(session, Act("bot.started", actor=asked.user.id, subject=bot.id, address=asked.address, details=change), now)
    say(session, house, bot, "start_wished", percent=f"{bot.allocation:f}")


async def stop(house: House, asked: Asked, bot_id: str, *, flatten: bool) -> Bot:
    """Raises NotFound, Conflict bot_stopped. Asked again with flatten while it stops, it closes after all."""
    async with house.database.writing() as session:
        bot = await store.instance_of(session, asked.user.id, bot_id)
        await _end(session, house, asked, bot, flatten=flatten)
    wake(house)
    return bot


async def stop_all(house: House, asked: Asked, *, flatten: bool) -> list[str]:
    """Every one that runs, or is wanted to."""
    async with house.database.writing() as session:
        running = [bot for bot in await _instances(session, asked.user.id) if bot.desired == RUNNING or not has_ended(bot)]
        for bot in running:
            await _end(session, house, asked, bot, flatten=flatten)
    wake(house)
    return [bot.id for bot in running]


async def _end(session: Session, house: House, asked: Asked, bot: Bot, *, flatten: bool) -> None:
    """The row is the job: whoever leads carries it out, after a crash too."""
    if bot.desired == STOPPED and has_ended(bot):
        raise Conflict("The bot does not run.", code="bot_stopped", details={"observed": bot.observed})
    before, bot.desired, bot.observed = bot.desired, STOPPED, STOPPING
    bot.flatten, bot.retry_ms, bot.attempts = flatten or (before == STOPPED and bot.flatten), 0, 0
    change = {"desired": {"before": before, "after": STOPPED}, "flatten": bot.flatten}
    await record(session, Act("bot.stopped", actor=asked.user.id, subject=bot.id, address=asked.address, details=change), house.clock.now())
    say(session, house, bot, "stop_flatten" if bot.flatten else "stop_keep")


async def _instances(session: Session, user_id: str) -> Sequence[Bot]:
    found: Sequence[Bot] = (await session.execute(store.instances(user_id).order_by(Bot.id))).scalars().all()
    return found


def say(session: Session, house: House, bot: Bot, code: str, **facts: str) -> None:
    session.add(BotLine(user_id=bot.user_id, bot_id=bot.id, time_ms=house.clock.now_ms(), code=code, facts=facts))


def wake(house: House) -> None:
    """A process that only answers HTTP has no supervisor: the one that leads looks every second."""
    supervisor = house.part(Bots).supervisor
    if supervisor is not None:
        supervisor.wake()
