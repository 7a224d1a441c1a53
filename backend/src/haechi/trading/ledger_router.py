"""HTTP of the books: the ledger, its CSV, the equity history, profit and loss, and the check."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from haechi.errors import BadInput
from haechi.identity.current import CurrentUser
from haechi.platform.answers import errors
from haechi.platform.db import Database
from haechi.platform.house import Reading, TheHouse
from haechi.platform.paging import Paging, cursor, cut, unusable
from haechi.trading import equity, ledger_csv
from haechi.trading import ledger_store as store
from haechi.trading.ledger_check import check
from haechi.trading.ledger_schemas import (
    BookingAnswer,
    CheckAnswer,
    EquityAnswer,
    EquityHistoryAnswer,
    LedgerPage,
    PnlAnswer,
    PnlLine,
)
from haechi.trading.statements import Asked, statement, total

router = APIRouter(prefix="/account", tags=["account"])
ID_MAX = 2**31 - 1
POINTS_MAX = 2_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ID = r"^[A-Za-z0-9_-]{0,32}$"
AccountId = Annotated[str | None, Query(pattern=ID, description="One of your accounts.")]
BotId = Annotated[str | None, Query(pattern=ID, description="One owner: a bot's id, empty for what was done by hand, or `external`.")]
Symbol = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
Kind = Annotated[Literal["fill", "funding", "liquidation", "deposit", "movement", "adopted"] | None, Query()]
Since = Annotated[AwareDatetime | None, Query(alias="from", description="From this time on.")]
Until = Annotated[AwareDatetime | None, Query(alias="to", description="Before this time.")]
Language = Annotated[str, Header(alias="accept-language", max_length=1000)]


def ms(given: AwareDatetime | None) -> int | None:
    """Exact, also far from 1970."""
    if given is None:
        return None
    try:
        whole = given.astimezone(UTC)
    except OverflowError:
        raise BadInput("from and to are times of this age; give one between the years 1 and 9999 in UTC.") from None
    since = whole - EPOCH
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


async def asked_for(user: CurrentUser, session: Reading, account_id: AccountId = None, bot_id: BotId = None,  # noqa: PLR0913
                    symbol: Symbol = None, kind: Kind = None, since: Since = None, until: Until = None) -> store.Filter:
    if account_id is not None:
        await store.own_account(session, user.id, account_id)
    return store.Filter(user.id, account_id, bot_id, None if symbol is None else symbol.upper(), kind, ms(since), ms(until))


Filtered = Annotated[store.Filter, Depends(asked_for)]


@router.get("/ledger", operation_id="account_ledger", summary="Every booking", responses=errors(401, 404, 422))
async def ledger(asked: Filtered, session: Reading, paging: Paging) -> LedgerPage:
    """The last booked first, each with its postings and the account's money after it."""
    below = None if paging.after is None else number_of(paging.after)
    rows, more = cut(await store.bookings_of(session, asked, below=below, limit=paging.limit + 1), paging.limit)
    entries = await store.entries_of(session, asked.user_id, rows)
    return LedgerPage(items=[BookingAnswer.of(row, entries[row.id]) for row in rows],
                      next_cursor=cursor(str(rows[-1].id)) if more else None)


def number_of(after: str) -> int:
    if not after.isdecimal() or len(after) > len(str(ID_MAX)) or int(after) > ID_MAX:
        raise unusable()
    return int(after)


@router.get("/ledger.csv", operation_id="account_ledger_csv", summary="Every booking as CSV", response_class=StreamingResponse,
            responses=errors(401, 404, 422) | {200: {"description": "One row a booking, oldest first; the first row names the columns.",
                                                     "content": {"text/csv": {"schema": {"type": "string"}}}}})
async def ledger_as_csv(asked: Filtered, house: TheHouse, accepted: Language = "") -> StreamingResponse:
    """Columns: time, account, bot, kind, symbol, side, quantity, price, the change of each book, the wallet after it, order and
    exchange id."""
    language = "ko" if accepted.lower().startswith("ko") else "en"
    return StreamingResponse(lines(house.database, asked, language), media_type="text/csv; charset=utf-8",
                             headers={"content-disposition": 'attachment; filename="ledger.csv"'})


async def lines(database: Database, asked: store.Filter, language: str) -> AsyncIterator[str]:
    yield ledger_csv.header(language)
    async for part in store.all_bookings(database, asked):
        yield "".join(ledger_csv.row(booking, entries) for booking, entries in part)


@router.get("/ledger/check", operation_id="account_ledger_check", summary="The books against themselves", responses=errors(401, 404, 422))
async def checked(user: CurrentUser, session: Reading, account_id: AccountId = None) -> CheckAnswer:
    """Reads every booking of an account (the newest where none is named) and tells the first difference."""
    account_id = await chosen(session, user.id, account_id)
    if account_id is None:
        return CheckAnswer(holds=True, bookings=0, difference=None)
    return CheckAnswer.of(await check(session, user.id, account_id))


@router.get("/equity", operation_id="account_equity", summary="The equity history", responses=errors(401, 404, 422))
async def equity_history(user: CurrentUser, session: Reading, account_id: AccountId = None, bot_id: BotId = None,  # noqa: PLR0913
                         since: Since = None, until: Until = None,
                         points: Annotated[int, Query(ge=1, le=POINTS_MAX)] = 500) -> EquityHistoryAnswer:
    """Of an account (the newest where none is named), or of one bot in it: evenly thinned to `points`."""
    account_id = await chosen(session, user.id, account_id)
    if account_id is None:
        return EquityHistoryAnswer(account_id=None, bot_id=bot_id or "", points=[])
    rows = await equity.history(session, user.id, account_id, bot_id or "", since_ms=ms(since), until_ms=ms(until), points=points)
    return EquityHistoryAnswer(account_id=account_id, bot_id=bot_id or "", points=[EquityAnswer.of(row) for row in rows])


async def chosen(session: Reading, user_id: str, account_id: str | None) -> str | None:
    """The account that is named, if it is theirs, else their newest."""
    if account_id is None:
        return await store.newest_account(session, user_id)
    return (await store.own_account(session, user_id, account_id)).id


@router.get("/pnl", operation_id="account_pnl", summary="Profit and loss", responses=errors(401, 404, 422))
async def pnl(user: CurrentUser, session: Reading, by: Literal["bot", "day", "symbol"] = "day", account_id: AccountId = None,  # noqa: PLR0913
              bot_id: BotId = None, symbol: Symbol = None, since: Since = None, until: Until = None,
              tz: Annotated[str | None, Query(max_length=64, description="A time zone for the days, as Asia/Seoul.")] = None) -> PnlAnswer:
    """What was won and paid, by bot, day or symbol. Days are UTC's; with `tz` those of a time zone, over at most 31 days."""
    if account_id is not None:
        await store.own_account(session, user.id, account_id)
    asked = Asked(user.id, account_id, bot_id, None if symbol is None else symbol.upper(), ms(since), ms(until))
    found = await statement(session, asked, by, None if tz is None else zone_of(tz))
    return PnlAnswer(by=by, lines=[PnlLine.of(line) for line in found], total=PnlLine.of(total(found)))


def zone_of(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadInput("tz is no time zone we know; give one like Asia/Seoul.") from None
