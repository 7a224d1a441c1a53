"""HTTP of accounts: opened, listed, closed; their balance and positions as the exchange says."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import select

from haechi.errors import BadInput, Conflict
from haechi.exchanges.errors import Refused, Unreachable
from haechi.exchanges.port import Exchange, Position
from haechi.identity.audit import Act, record
from haechi.identity.current import Current, CurrentUser, is_fresh, stale
from haechi.identity.origins import From
from haechi.platform.answers import errors
from haechi.platform.db import Session
from haechi.platform.house import House, Reading, TheHouse
from haechi.trading import accounts
from haechi.trading.account_schemas import (
    AccountAnswer,
    AccountBody,
    AccountsAnswer,
    BalanceAnswer,
    Id,
    IsolationBody,
    PositionAnswer,
    PositionsAnswer,
    money,
)
from haechi.trading.connections import Connections
from haechi.trading.models import LIVE, PAPER, Account, Order

router = APIRouter(prefix="/account", tags=["account"])
Wanted = Annotated[Id | None, Query(description="Without it: your default paper account, made when there is none.")]


@router.get("/list", operation_id="account_list", summary="Your accounts", responses=errors(401))
async def account_list(user: CurrentUser, session: Reading) -> AccountsAnswer:
    """Closed ones too: what was traded there stays."""
    return AccountsAnswer(items=[AccountAnswer.of(one) for one in await accounts.accounts_of(session, user.id)])


@router.post("", operation_id="account_open", summary="Open an account", status_code=201, responses=errors(401, 403, 404, 409, 422))
async def account_open(body: AccountBody, found: Current, house: TheHouse, origin: From) -> AccountAnswer:
    """Paper at once; demo and live with a key of yours. Live wants the second factor, a fresh proof and a key checked within a day."""
    user, signed_in = found
    if body.mode == PAPER and body.key_id is not None or body.mode != PAPER and body.capital is not None:
        raise BadInput("A paper account has capital and no key; demo and live have a key, and their exchange knows the money.")
    if body.mode == LIVE and not is_fresh(user, signed_in, house):
        raise stale()
    async with house.database.writing() as session:
        if body.mode != PAPER:
            key = await accounts.key_for(session, user.id, body.key_id, body.mode)
            if body.mode == LIVE:
                accounts.may_go_live(key, has_2fa=user.has_2fa, now=house.clock.now())
        row = await accounts.added(session, user.id, house.clock, mode=body.mode, name=body.name, isolation=body.isolation,
                                   key_id=body.key_id, capital=body.capital or accounts.CAPITAL)
        details = {"mode": row.mode, "key": row.key_id}
        await record(session, Act("account.opened", user.id, row.id, origin.address, details), house.clock.now())
        return AccountAnswer.of(row)


@router.post("/{id}/close", operation_id="account_close", summary="Close an account", responses=errors(401, 404, 409, 422))
async def account_close(id: str, user: CurrentUser, house: TheHouse, origin: From) -> AccountAnswer:  # noqa: A002 - the path's name
    """Refused while something runs, rests or is held there. Its past stays readable."""
    connections = house.part(Connections)
    async with house.database.writing() as session:
        row = await accounts.account_of(session, user.id, id)
        await accounts.close(row, await connections.in_use(session, row.id), house.clock.now())
        await record(session, Act("account.closed", user.id, row.id, origin.address), house.clock.now())
        answer = AccountAnswer.of(row)
    await connections.close_of(row.id)
    return answer


@router.put("/{id}/isolation", operation_id="account_isolation", summary="How bots share an account", responses=errors(401, 404, 409, 422))
async def account_isolation(id: str, body: IsolationBody, user: CurrentUser, house: TheHouse, origin: From) -> AccountAnswer:  # noqa: A002
    """exclusive: one bot a symbol; netted: several on the same side. Only while nothing runs, rests or is held there."""
    async with house.database.writing() as session:
        row = await accounts.account_of(session, user.id, id)
        before = row.isolation
        await accounts.set_isolation(row, body.isolation, await house.part(Connections).in_use(session, row.id))
        details = {"before": before, "after": row.isolation}
        await record(session, Act("account.isolation", user.id, row.id, origin.address, details), house.clock.now())
        return AccountAnswer.of(row)


# ---- as the exchange says

@router.get("/balance", operation_id="account_balance", summary="Balance", responses=errors(401, 404, 409, 422))
async def account_balance(user: CurrentUser, house: TheHouse, account_id: Wanted = None) -> BalanceAnswer:
    """503 while the exchange cannot be asked: what is not known is not shown as zero."""
    account, exchange = await looked_at(house, user.id, account_id)
    told = await exchange.balance()
    return BalanceAnswer(account_id=account.id, mode=account.mode, wallet=money(told.wallet), equity=money(told.equity),
                         available=money(told.available))


@router.get("/positions", operation_id="account_positions", summary="Positions", responses=errors(401, 404, 409, 422))
async def account_positions(user: CurrentUser, house: TheHouse, account_id: Wanted = None) -> PositionsAnswer:
    """`unrealised` is at the last closed minute; `leverage` that of our last order there."""
    account, exchange = await looked_at(house, user.id, account_id)
    found = [one for one in await exchange.positions() if one.quantity]
    async with house.database.reading() as session:
        items = [await shown(one, account, exchange, session, house) for one in found]
    return PositionsAnswer(account_id=account.id, mode=account.mode, items=items)


async def looked_at(house: House, user_id: str, account_id: str | None) -> tuple[Account, Exchange]:
    """The account and its exchange. Raises NotFound, Conflict, Refused, Unreachable."""
    async with house.database.reading() as session:
        own = account_id is None
        account = await (accounts.own_account(session, user_id) if own else accounts.account_of(session, user_id, account_id or ""))
    if account is None:  # asking makes none
        raise Conflict("You have no paper account yet: it is made with your first bot or order, or by POST /account.", code="no_account")
    return account, await house.part(Connections).look_at(account)


async def shown(one: Position, account: Account, exchange: Exchange, session: Session, house: House) -> PositionAnswer:
    owners = house.part(Connections).owners(account.id, one.symbol)
    won, stop = await unrealised(one, exchange), one.liquidation
    return PositionAnswer(id=f"{account.id}:{one.symbol}", symbol=one.symbol, quantity=format(one.quantity, "f"),
                          entry=format(one.entry, "f"), liquidation=None if stop is None else format(stop, "f"),
                          unrealised=None if won is None else money(won), leverage=await leverage_of(session, account, one.symbol),
                          owners={owner: format(part, "f") for owner, part in owners.items()})


async def unrealised(one: Position, exchange: Exchange) -> Decimal | None:
    """None while the price is not known."""
    try:
        bars = await exchange.bars(one.symbol, 1)
    except (Unreachable, Refused):
        return None
    return (bars[-1].close - one.entry) * one.quantity if bars else None


async def leverage_of(session: Session, account: Account, symbol: str) -> int | None:
    query = select(Order.leverage).where(Order.account_id == account.id, Order.user_id == account.user_id, Order.symbol == symbol,
                                         Order.leverage > 0).order_by(Order.created_ms.desc()).limit(1)
    return (await session.execute(query)).scalar_one_or_none()
