"""The ledger as CSV: one row a booking, oldest first. Columns as in COLUMNS; Korean headers for who reads Korean."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from haechi.platform.clock import instant
from haechi.trading.ledger import BOOKS, ZERO
from haechi.trading.models import Booking, Entry

# column -> English and Korean header. Amounts are of the booking; wallet_after is the account's money after it.
COLUMNS = {
    "time": ("Time (UTC)", "시각 (UTC)"), "account_id": ("Account", "계좌"), "bot_id": ("Bot", "봇"), "kind": ("Kind", "종류"),
    "symbol": ("Symbol", "종목"), "side": ("Side", "방향"), "quantity": ("Quantity", "수량"), "price": ("Price", "가격"),
    "wallet": ("Wallet change", "지갑 증감"), "capital": ("Capital", "자본"), "realized": ("Realized", "실현 손익"),
    "liquidation": ("Liquidation", "강제 청산"), "fees": ("Fees", "수수료"), "funding": ("Funding", "펀딩비"),
    "netting": ("Netting", "상계"),
    "wallet_after": ("Wallet after", "지갑 잔액"), "order_id": ("Order", "주문"), "exchange_id": ("Exchange id", "거래소 번호"),
}
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def header(language: str) -> str:
    """With a byte-order mark: spreadsheets then read Korean as Korean."""
    place = 1 if language == "ko" else 0
    return "\ufeff" + line(names[place] for names in COLUMNS.values())


def row(booking: Booking, entries: Iterable[Entry]) -> str:
    amounts = {one.book: one.amount for one in entries}
    numbers = {"quantity": booking.quantity, "price": booking.price, "wallet_after": booking.wallet,
               **{name: amounts.get(name, ZERO) for name in BOOKS}}
    texts = {"time": instant(booking.time_ms).isoformat(), "account_id": booking.account_id, "bot_id": booking.bot_id, "kind": booking.kind,
             "symbol": booking.symbol, "side": booking.side, "order_id": booking.order_id, "exchange_id": booking.exchange_id}
    return line(f"{numbers[name]:f}" if name in numbers else safe(texts[name]) for name in COLUMNS)


def safe(text: str) -> str:
    """What a spreadsheet would run as a formula becomes text."""
    return f"'{text}" if text.startswith(FORMULA) else text


def line(cells: Iterable[str]) -> str:
    made = io.StringIO()
    csv.writer(made, lineterminator="\r\n").writerow(cells)
    return made.getvalue()
