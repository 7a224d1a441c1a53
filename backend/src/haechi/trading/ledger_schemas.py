"""Answers of /account/ledger, /account/equity and /account/pnl. Money is text, times are ISO 8601 UTC."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from haechi.platform.clock import instant
from haechi.platform.paging import Page
from haechi.trading.ledger_check import Check
from haechi.trading.models import Booking, Entry, EquityPoint
from haechi.trading.statements import Line


class PostingAnswer(BaseModel):
    """book: wallet, capital, realized, liquidation, fees, funding or netting. balance: the book's running total in the account."""

    book: str
    amount: str
    balance: str


class BookingAnswer(BaseModel):
    """One owner's part of what the exchange reported. bot_id: empty for what was done by hand, `external` for what is not ours.

    wallet: the account's money after it. The amounts of the postings sum to zero.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "id": 7, "time": "2026-01-01T00:00:00Z", "account_id": "019ab0c4d5e6a1b2c3d4e5f60718293a", "bot_id": "", "kind": "fill",
        "exchange_id": "1234567890", "order_id": "h-019ab0c4", "symbol": "BTCUSDT", "side": "sell", "quantity": "0.01", "price": "60000",
        "wallet": "10011.64", "postings": [{"book": "wallet", "amount": "11.64", "balance": "10011.64"},
                                           {"book": "realized", "amount": "-12", "balance": "-12"},
                                           {"book": "fees", "amount": "0.36", "balance": "0.36"}]}]})

    id: int
    time: datetime
    account_id: str
    bot_id: str
    kind: str
    exchange_id: str
    order_id: str
    symbol: str
    side: str
    quantity: str
    price: str
    wallet: str
    postings: list[PostingAnswer]

    @classmethod
    def of(cls, row: Booking, entries: list[Entry]) -> BookingAnswer:
        return cls(id=row.id, time=instant(row.time_ms), account_id=row.account_id, bot_id=row.bot_id, kind=row.kind,
                   exchange_id=row.exchange_id, order_id=row.order_id, symbol=row.symbol, side=row.side, quantity=f"{row.quantity:f}",
                   price=f"{row.price:f}", wallet=f"{row.wallet:f}",
                   postings=[PostingAnswer(book=one.book, amount=f"{one.amount:f}", balance=f"{one.balance:f}") for one in entries])


LedgerPage = Page[BookingAnswer]


class EquityAnswer(BaseModel):
    time: datetime
    equity: str
    wallet: str
    unrealised: str

    @classmethod
    def of(cls, row: EquityPoint) -> EquityAnswer:
        return cls(time=instant(row.time_ms), equity=f"{row.equity:f}", wallet=f"{row.wallet:f}", unrealised=f"{row.unrealised:f}")


class EquityHistoryAnswer(BaseModel):
    """Oldest first. account_id is null while there is no account."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "account_id": "019ab0c4d5e6a1b2c3d4e5f60718293a", "bot_id": "",
        "points": [{"time": "2026-01-01T00:00:00Z", "equity": "10012.5", "wallet": "10010", "unrealised": "2.5"}]}]})

    account_id: str | None
    bot_id: str
    points: list[EquityAnswer]


class PnlLine(BaseModel):
    """key: a bot's id, a day or a symbol. What was paid is negative; net is the sum of the four."""

    key: str
    realized: str
    fees: str
    funding: str
    liquidation: str
    net: str
    bookings: int

    @classmethod
    def of(cls, line: Line) -> PnlLine:
        return cls(key=line.key, realized=f"{line.realized:f}", fees=f"{line.fees:f}", funding=f"{line.funding:f}",
                   liquidation=f"{line.liquidation:f}", net=f"{line.net:f}", bookings=line.bookings)


class PnlAnswer(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{
        "by": "day", "lines": [{"key": "2026-01-01", "realized": "12", "fees": "-0.36", "funding": "-0.1", "liquidation": "0",
                                "net": "11.54", "bookings": 3}],
        "total": {"key": "total", "realized": "12", "fees": "-0.36", "funding": "-0.1", "liquidation": "0", "net": "11.54",
                  "bookings": 3}}]})

    by: str
    lines: list[PnlLine]
    total: PnlLine


class CheckAnswer(BaseModel):
    """holds: every booking sums to zero, every balance continues the one before, every day is the sum of its postings.

    rule of the first difference: postings, balance, owner_balance, wallet or day.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"holds": True, "bookings": 120, "difference": None}]})

    holds: bool
    bookings: int
    difference: dict[str, str] | None

    @classmethod
    def of(cls, found: Check) -> CheckAnswer:
        one = found.difference
        told = None if one is None else {"rule": one.rule, "booking": str(one.booking), "book": one.book,
                                         "expected": f"{one.expected:f}", "found": f"{one.found:f}"}
        return cls(holds=one is None, bookings=found.bookings, difference=told)
