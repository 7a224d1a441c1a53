"""The venue's memory on disk: one SQLite file, one transaction a commit. Records are JSON, so that people can look.

WAL with synchronous NORMAL: a crash of the process loses nothing that was answered; a power cut may lose the last moments, never
the order of things.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from haechi.core import layout as at
from haechi.core.matching import Order
from haechi.core.plan import Costs
from haechi.core.units import unscaled
from haechi.venue import plans
from haechi.venue.clearing import Clearing
from haechi.venue.member import Member
from haechi.venue.records import ApiKey, Bill, ClosedPosition, FillRecord, OrderRecord, PlanRecord

if TYPE_CHECKING:
    from haechi.venue.floor import Floor

SCHEMA = """
CREATE TABLE IF NOT EXISTS floor (name TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS members (name TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS records (member TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
                                    PRIMARY KEY (member, kind, id)) WITHOUT ROWID;
"""
KINDS: dict[str, type[Any]] = {"order": OrderRecord, "plan": PlanRecord, "fill": FillRecord, "bill": Bill, "closed": ClosedPosition}
KEPT = 5000


class Snapshot(msgspec.Struct):
    """A member's account: wallet and legs as the engine keeps them, terms, open positions."""

    state: list[list[int]]
    terms: list[tuple[int, int, int]]  # leverage, cross, hedge of each market
    leverages: list[tuple[int, int, int]]
    number: int
    pos_mode: str
    balance: int
    auto_margin: list[tuple[int, int]]
    held: list[ClosedPosition]


class Session(msgspec.Struct):
    """The floor itself: the last id, the books of the house, keys, and where the markets stood."""

    last_id: int
    clearing: Clearing
    keys: list[ApiKey]
    symbols: list[str]
    points: list[int]
    now_ms: int


class Store:
    """Written and read from the thread of the event loop; a commit takes some ten microseconds a record."""

    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(str(path), isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(SCHEMA)
        self._written: dict[tuple[str, str], str] = {}  # the newest id written, of what is only ever added

    def close(self) -> None:
        self._db.close()

    # ---- write

    def write(self, floor: Floor, names: Iterable[str]) -> None:
        rows: list[tuple[str, str, str, bytes]] = []
        members: list[tuple[str, bytes]] = []
        for name in names:
            member = floor.members[name]
            rows += self._rows(member)
            members.append((name, msgspec.json.encode(snapshot(member))))
        session = msgspec.json.encode(session_of(floor))
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?)", rows)
        self._db.executemany("INSERT OR REPLACE INTO members VALUES (?, ?)", members)
        self._db.execute("INSERT OR REPLACE INTO floor VALUES ('session', ?)", (session,))
        self._db.execute("COMMIT")

    def _rows(self, member: Member) -> list[tuple[str, str, str, bytes]]:
        rows = []
        for kind, record_id in member.dirty:
            record = (member.orders if kind == "order" else member.plans).get(record_id)
            if record is not None:
                rows.append((member.name, kind, record_id, msgspec.json.encode(record)))
        member.dirty.clear()
        for kind, added in (("fill", member.fills), ("bill", member.bills), ("closed", member.closed)):
            rows += self._added(member.name, kind, added)
        return rows

    def _added(self, name: str, kind: str, records: list[Any]) -> list[tuple[str, str, str, bytes]]:
        last, rows = int(self._written.get((name, kind), "0")), []
        for record in reversed(records):
            record_id = identity(record)
            if int(record_id) <= last and kind != "closed":
                break
            if kind == "closed" and record_id == self._written.get((name, kind)):
                break
            rows.append((name, kind, record_id, msgspec.json.encode(record)))
        if rows:
            self._written[name, kind] = identity(records[-1])
        return rows

    # ---- read

    def restore(self, floor: Floor) -> None:
        """Members, records and keys as they were; open orders wait for the next price."""
        found = self._db.execute("SELECT body FROM floor WHERE name = 'session'").fetchone()
        if found is None:
            return
        session = msgspec.json.decode(found[0], type=Session)
        if session.symbols != [one.symbol for one in floor.instruments]:
            raise ValueError(f"this state belongs to the markets {', '.join(session.symbols)}: begin with another state file")
        floor.last_id, floor.clearing, floor.now_ms = session.last_id, session.clearing, session.now_ms
        floor.keys = {key.key: key for key in session.keys}
        for market, point in zip(floor.markets, session.points, strict=True):
            market.point = point
        for name, body in self._db.execute("SELECT name, body FROM members").fetchall():
            self._member(floor, name, msgspec.json.decode(body, type=Snapshot))

    def _member(self, floor: Floor, name: str, kept: Snapshot) -> None:
        floor.venue.open_account(name, Costs(slippage=floor.slippage, capital=unscaled(1)))
        account = floor.venue.accounts[name]
        account.machine.state[:] = np.array(kept.state, dtype=np.int64)
        for m, (leverage, cross, hedge) in enumerate(kept.terms):
            account.plans[m, [at.LEVERAGE, at.CROSS, at.HEDGE]] = leverage, cross, hedge
        account.leverages = {(m, leg): figure for m, leg, figure in kept.leverages}
        account.start_numbers(kept.number)
        member = Member(name, floor, account)
        member.pos_mode, member.balance_now = kept.pos_mode, kept.balance
        member.auto_margin = {(m, leg): True for m, leg in kept.auto_margin}
        member.held = {(one.m, one.leg): one for one in kept.held}
        self._records(member)
        floor.members[name] = member

    def _records(self, member: Member) -> None:
        for kind, shape in KINDS.items():
            found = self._db.execute("SELECT body FROM (SELECT id, body FROM records WHERE member = ? AND kind = ? ORDER BY id DESC "
                                     "LIMIT ?) ORDER BY id", (member.name, kind, KEPT)).fetchall()
            records = [msgspec.json.decode(body, type=shape) for (body,) in found]
            if kind in ("order", "plan"):
                kept = member.orders if kind == "order" else member.plans
                for record in records:
                    kept[record.order_id] = record
                    member.by_client[record.client_oid] = record.order_id
            else:
                getattr(member, {"fill": "fills", "bill": "bills", "closed": "closed"}[kind]).extend(records)
                if records:
                    self._written[member.name, kind] = identity(records[-1])
        for order in [one for one in member.orders.values() if one.open]:
            rest(member, order)
        for plan in [one for one in member.plans.values() if one.open]:
            plans.rest(member, plan)


def rest(member: Member, record: OrderRecord) -> None:
    """An open order goes back into the account, in its old turn."""
    kind = "post_only" if record.force == "post_only" and not record.filled else "limit"
    order = Order(member.account.number(), record.client_oid, record.side, record.left, kind if record.price else "market", record.price,
                  0, record.closes, record.leg)
    member.order_numbers[order.number] = record
    member.resting[record.order_id] = order
    (member.account.orders if record.price else member.account.queued)[record.m].append(order)


def identity(record: Any) -> str:
    """The record's own number."""
    if isinstance(record, FillRecord):
        return record.trade_id
    return record.bill_id if isinstance(record, Bill) else str(record.position_id)


def snapshot(member: Member) -> Snapshot:
    account = member.account
    terms = [(int(plan[at.LEVERAGE]), int(plan[at.CROSS]), int(plan[at.HEDGE])) for plan in account.plans]
    return Snapshot(account.machine.state.tolist(), terms, [(m, leg, figure) for (m, leg), figure in account.leverages.items()],
                    account.last_number, member.pos_mode, member.balance_now, [key for key, on in member.auto_margin.items() if on],
                    list(member.held.values()))


def session_of(floor: Floor) -> Session:
    return Session(floor.last_id, floor.clearing, list(floor.keys.values()), [one.symbol for one in floor.instruments],
                   [market.point for market in floor.markets], floor.now_ms)
