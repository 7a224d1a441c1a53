"""A person's accounts: paper, demo, live; opened, closed, and how bots share them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import select

from haechi.errors import Conflict, NotFound, NotPermitted
from haechi.platform.clock import Clock
from haechi.platform.db import Session
from haechi.platform.ids import new_id
from haechi.trading.keys import ExchangeKey, accounts_with, key_of
from haechi.trading.models import EXCLUSIVE, LIVE, OPEN, PAPER, SENT, UNKNOWN, Account, Booking, Order

ACCOUNTS_MAX = 20  # open ones of a person
CAPITAL = Decimal(10_000)
DEFAULT_NAME = "Paper"
CHECK_LIFE = timedelta(hours=24)
USABLE = ("ok", "warn")
MUST_NOT = ("withdraw", "account_mode", "key")  # checks of a key that end its use wherever they are bad


async def accounts_of(session: Session, user_id: str) -> Sequence[Account]:
    """Oldest first, closed ones included."""
    return (await session.execute(select(Account).where(Account.user_id == user_id).order_by(Account.id))).scalars().all()


async def account_of(session: Session, user_id: str, account_id: str) -> Account:
    """Raises NotFound, for another's too."""
    query = select(Account).where(Account.user_id == user_id, Account.id == account_id)
    found = (await session.execute(query)).scalar_one_or_none()
    if found is None:
        raise NotFound("There is no such account.")
    return found


async def own_account(session: Session, user_id: str) -> Account | None:
    """The paper account named Paper; None before it was needed."""
    query = select(Account).where(Account.user_id == user_id, Account.mode == PAPER, Account.name == DEFAULT_NAME,
                                  Account.closed_at.is_(None)).order_by(Account.id).limit(1)
    return (await session.execute(query)).scalar_one_or_none()


async def default_account(session: Session, user_id: str, clock: Clock) -> Account:
    """The paper account named Paper, made when it is first needed: needs a writing session."""
    found = await own_account(session, user_id)
    return found or await added(session, user_id, clock, mode=PAPER, name=DEFAULT_NAME)


async def added(session: Session, user_id: str, clock: Clock, *, mode: str, name: str, isolation: str = EXCLUSIVE,  # noqa: PLR0913
                key_id: str | None = None, capital: Decimal = CAPITAL) -> Account:
    """Raises Conflict when there are too many. capital: of paper; 0 for others, whose exchange knows."""
    alive = [one for one in await accounts_of(session, user_id) if one.closed_at is None]
    if len(alive) >= ACCOUNTS_MAX:
        raise Conflict(f"You have {ACCOUNTS_MAX} accounts; close one first.", code="too_many_accounts")
    row = Account(id=new_id(clock.now_ms()), user_id=user_id, mode=mode, name=name, isolation=isolation, key_id=key_id,
                  capital=capital if mode == PAPER else Decimal(0), created_at=clock.now())
    session.add(row)
    await session.flush()
    return row


async def key_for(session: Session, user_id: str, key_id: str | None, mode: str) -> ExchangeKey:
    """The key a demo or live account is to be opened with. Raises NotFound, Conflict."""
    if key_id is None:
        raise Conflict(f"A {mode} account needs a key: save one with POST /account/keys and name it as key_id.", code="no_key")
    key = await key_of(session, user_id, key_id)
    if key.mode != mode:
        raise Conflict(f"This key is for {key.mode}, the account would be {mode}.", code="key_mode")
    if await accounts_with(session, user_id, key_id):
        raise Conflict("An account with this key is open already: two desks on one account would not know of each other.",
                       code="key_in_use")
    check_usable(key)
    return key


def check_usable(key: ExchangeKey) -> None:
    """Raises Conflict when the last check of the key found what must not be."""
    found = (key.last_check or {}).get("checks", [])
    bad = next((one["name"] for one in found if one["state"] == "bad" and one["name"] in MUST_NOT), None)
    if bad is not None:
        raise Conflict("The last check of this key found that it may not be used; look with GET /account/keys.", code=bad)


def may_go_live(key: ExchangeKey, *, has_2fa: bool, now: datetime) -> None:
    """Raises NotPermitted or Conflict with what is missing. Live money wants a key whose last check is good and less than a day old, and
    the second factor. Evidence from back-tests is meant to be the third condition: that gate is not built, nothing here asks for it."""
    if not has_2fa:
        raise NotPermitted("Live accounts want the second factor: turn it on with POST /auth/2fa/setup.", code="two_factor_needed")
    if key.mode != LIVE:
        raise Conflict("This is no key of a live account.", code="key_mode")
    state = (key.last_check or {}).get("state")
    if key.checked_at is None or now - key.checked_at > CHECK_LIFE:
        raise Conflict("The key was not checked within a day: POST /account/keys/{id}/check first.", code="key_unchecked")
    if state not in USABLE:
        raise Conflict("The last check of this key is not good; mend what it names, then check again.", code="key_not_good")


async def left_open(session: Session, account_id: str) -> str:
    """'' or a sentence: orders that may still fill, or positions by our books."""
    query = select(Order.id).where(Order.account_id == account_id, Order.status.in_((SENT, OPEN, UNKNOWN))).limit(1)
    if (await session.execute(query)).first() is not None:
        return "Orders of it are still open: cancel them first."
    held: dict[str, Decimal] = {}
    rows = await session.execute(select(Booking.symbol, Booking.side, Booking.quantity).where(Booking.account_id == account_id))
    for symbol, side, quantity in rows.all():
        if side:
            held[symbol] = held.get(symbol, Decimal(0)) + (quantity if side == "buy" else -quantity)
    symbols = sorted(symbol for symbol, lots in held.items() if lots)
    return f"It holds {', '.join(symbols)}: close the positions first." if symbols else ""


async def set_isolation(account: Account, isolation: str, in_use: str) -> None:
    """Only while nothing runs: whose part of a position is whose must not change under a bot. Raises Conflict."""
    if account.closed_at is not None:
        raise Conflict("This account is closed.", code="account_closed")
    if account.isolation != isolation and in_use:
        raise Conflict(f"The account is in use. {in_use}", code="account_in_use")
    account.isolation = isolation


async def close(account: Account, in_use: str, now: datetime) -> None:
    """Raises Conflict while something runs. Closing again changes nothing."""
    if account.closed_at is None and in_use:
        raise Conflict(f"The account is in use. {in_use}", code="account_in_use")
    account.closed_at = account.closed_at or now
