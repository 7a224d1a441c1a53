"""The venue's memory on disk: one SQLite file, one transaction a commit. Records are JSON, so that people can look.

WAL with synchronous NORMAL: a crash of the process loses nothing that was answered; a power cut may lose the last moments, never
the order of things.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from haechi.core import layout as at
from haechi.core.matching import Order
from haechi.core.plan import Costs
from haechi.core.units import unscaled
from haechi.venue import past_rows, plans
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
STOPS = ("stop", "stop_limit")


class Snapshot(msgspec.Struct):
    """A member's account: wallet and legs as the engine keeps them, terms, open positions."""

    rows: dict[int, list[int]]  # of the engine's state, where there is more than a mark
    terms: list[tuple[int, int, int]]  # leverage, cross, hedge of each market
    leverages: list[tuple[int, int, int]]
    number: int
    pos_mode: str
    balance: int
    auto_margin: list[tuple[int, int]]
    held: list[ClosedPosition]
    opening: str = ""
    slippage: int = -1
    queued: list[str] = []  # orders that have met no price yet


class Place(msgspec.Struct):
    """How far a market has been played. source: which one; played: instants; marks: where a synthetic stream can be taken up again."""

    source: str
    start_ms: int = 0
    played: int = 0
    marks: dict[str, tuple[int, float, int, float, int]] = {}


class Session(msgspec.Struct):
    """The floor itself: the last id, the books of the house, keys, and where the markets stood."""

    last_id: int
    clearing: Clearing
    keys: list[ApiKey]
    symbols: list[str]
    points: list[int]
    now_ms: int
    grid: list[tuple[str, str]] = []  # tick and lot of each symbol
    place: Place | None = None
    epoch: int = 0
    bars_played: int = 0


class Store:
    """Written and read from the thread of the event loop; a commit takes some ten microseconds a record."""

    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(str(path), isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(SCHEMA + past_rows.SCHEMA)
        self._written: dict[tuple[str, str], str] = {}  # the newest id written, of what is only ever added

    def close(self) -> None:
        self._db.close()

    # ---- write

    def write(self, floor: Floor, names: Iterable[str]) -> None:
        """Members of these names who are no longer there are forgotten. Raises sqlite3.Error: then nothing is written, nothing lost."""
        there = [floor.members[name] for name in names if name in floor.members]
        gone = [(name,) for name in names if name not in floor.members]
        rows = [row for member in there for row in self._rows(member)]
        members = [(member.name, msgspec.json.encode(snapshot(member))) for member in there]
        session = msgspec.json.encode(session_of(floor))
        with self._transaction():
            self._db.executemany("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?)", rows)
            self._db.executemany("INSERT OR REPLACE INTO members VALUES (?, ?)", members)
            self._db.executemany("DELETE FROM records WHERE member = ?", gone)
            self._db.executemany("DELETE FROM members WHERE name = ?", gone)
            self._db.execute("INSERT OR REPLACE INTO floor VALUES ('session', ?)", (session,))
            past_rows.write(self._db, floor)
        past_rows.written(floor)
        for member in there:
            member.dirty.clear()
            for kind, added in lists_of(member):
                if added:
                    self._written[member.name, kind] = identity(added[-1])
        for (name,) in gone:
            for kind in KINDS:
                self._written.pop((name, kind), None)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def _rows(self, member: Member) -> list[tuple[str, str, str, bytes]]:
        rows = []
        for kind, record_id in member.dirty:
            record = (member.orders if kind == "order" else member.plans).get(record_id)
            if record is not None:
                rows.append((member.name, kind, record_id, msgspec.json.encode(record)))
        for kind, added in lists_of(member):
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
        return rows

    # ---- read

    def session(self) -> Session | None:
        found = self._db.execute("SELECT body FROM floor WHERE name = 'session'").fetchone()
        return None if found is None else msgspec.json.decode(found[0], type=Session)

    def snapshots(self) -> dict[str, Snapshot]:
        found = self._db.execute("SELECT name, body FROM members").fetchall()
        return {name: msgspec.json.decode(body, type=Snapshot) for name, body in found}

    def replace(self, session: Session, members: Mapping[str, tuple[Snapshot, list[Bill]]]) -> None:
        """Everything, by this."""
        bills = [(name, "bill", bill.bill_id, msgspec.json.encode(bill)) for name, (_, kept) in members.items() for bill in kept]
        with self._transaction():
            self._db.execute("DELETE FROM records")
            self._db.execute("DELETE FROM bars")
            self._db.executemany("INSERT INTO records VALUES (?, ?, ?, ?)", bills)
            self._db.executemany("UPDATE members SET body = ? WHERE name = ?",
                                 [(msgspec.json.encode(one), name) for name, (one, _) in members.items()])
            self._db.execute("INSERT OR REPLACE INTO floor VALUES ('session', ?)", (msgspec.json.encode(session),))

    def order(self, name: str, client_id: str) -> OrderRecord | None:
        """An order of before what is kept in memory."""
        found = self._db.execute("SELECT body FROM records WHERE member = ? AND kind = 'order' AND json_extract(body, '$.client_oid') = ? "
                                 "ORDER BY id DESC LIMIT 1", (name, client_id)).fetchone()
        return None if found is None else msgspec.json.decode(found[0], type=OrderRecord)

    def all_of(self, name: str, kind: str) -> list[Any]:
        """Every record of a kind, oldest first."""
        found = self._db.execute("SELECT body FROM records WHERE member = ? AND kind = ? ORDER BY id", (name, kind))
        return [msgspec.json.decode(body, type=KINDS[kind]) for (body,) in found]

    def restore(self, floor: Floor) -> None:
        """Members, records and keys as they were; open orders wait for the next price."""
        session = self.session()
        if session is None:
            return
        if session.symbols != [one.symbol for one in floor.instruments]:
            raise ValueError(f"this state belongs to the markets {', '.join(session.symbols)}: begin with another state file")
        floor.last_id, floor.clearing, floor.now_ms = session.last_id, session.clearing, session.now_ms
        floor.place, floor.epoch, floor.venue.bars_played = session.place, session.epoch, session.bars_played
        floor.keys = {key.key: key for key in session.keys}
        for market, point in zip(floor.markets, session.points, strict=True):
            market.point = point
        past_rows.restore(self._db, floor)
        for name, kept in self.snapshots().items():
            self._member(floor, name, kept)

    def _member(self, floor: Floor, name: str, kept: Snapshot) -> None:
        account = floor.venue.admit(name, Costs(slippage=floor.slippage, capital=unscaled(1)))
        account.now_ms = floor.now_ms
        for r, row in kept.rows.items():
            account.machine.state[r] = row
        for market in floor.markets:
            account.closes(market.m, market.point)
        if kept.slippage >= 0:
            account.plans[:, at.SLIPPAGE] = kept.slippage
        for m, (leverage, cross, hedge) in enumerate(kept.terms):
            account.plans[m, [at.LEVERAGE, at.CROSS, at.HEDGE]] = leverage, cross, hedge
        account.leverages = {(m, leg): figure for m, leg, figure in kept.leverages}
        account.start_numbers(kept.number)
        member = Member(name, floor, account)
        member.pos_mode, member.balance_now = kept.pos_mode, kept.balance
        member.auto_margin = {(m, leg): True for m, leg in kept.auto_margin}
        member.held = {(one.m, one.leg): one for one in kept.held}
        member.opening = kept.opening
        self._records(member, set(kept.queued))
        floor.members[name] = member

    def _records(self, member: Member, queued: set[str]) -> None:
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
            rest(member, order, queued=order.order_id in queued)
        for plan in [one for one in member.plans.values() if one.open]:
            plans.rest(member, plan)


def lists_of(member: Member) -> tuple[tuple[str, list[Any]], ...]:
    return ("fill", member.fills), ("bill", member.bills), ("closed", member.closed)


def rest(member: Member, record: OrderRecord, *, queued: bool = False) -> None:
    """An open order goes back into the account, in its old turn. queued: it had met no price yet."""
    order = Order(member.account.number(), record.client_oid, record.side, record.left, kind_of(record), record.price,
                  record.trigger if record.kind in STOPS else 0, record.closes, record.leg)
    member.order_numbers[order.number] = record
    member.resting[record.order_id] = order
    waits = queued or kind_of(record) == "market"
    (member.account.queued if waits else member.account.orders)[record.m].append(order)


def kind_of(record: OrderRecord) -> str:
    """As what the account holds it: what is filled in part rests as a plain limit."""
    if record.kind in STOPS and not record.filled:
        return record.kind
    if not record.price:
        return "market"
    return "post_only" if record.force == "post_only" and not record.filled else "limit"


def identity(record: Any) -> str:
    """The record's own number."""
    if isinstance(record, FillRecord):
        return record.trade_id
    return record.bill_id if isinstance(record, Bill) else str(record.position_id)


def snapshot(member: Member) -> Snapshot:
    account = member.account
    terms = [(int(plan[at.LEVERAGE]), int(plan[at.CROSS]), int(plan[at.HEDGE])) for plan in account.plans]
    state = account.machine.state
    used = (np.delete(state, [at.MARK, at.BAR], axis=1) != 0).any(axis=1)
    used[0] = True
    waiting = {id(order) for orders in account.queued for order in orders}
    queued = [record_id for record_id, order in member.resting.items() if id(order) in waiting]
    rows = {int(r): state[r].tolist() for r in np.flatnonzero(used)}
    return Snapshot(rows, terms, [(m, leg, figure) for (m, leg), figure in account.leverages.items()],
                    account.last_number, member.pos_mode, member.balance_now, [key for key, on in member.auto_margin.items() if on],
                    list(member.held.values()), member.opening, int(account.plans[0, at.SLIPPAGE]), queued)


def session_of(floor: Floor) -> Session:
    return Session(floor.last_id, floor.clearing, list(floor.keys.values()), [one.symbol for one in floor.instruments],
                   [market.point for market in floor.markets], floor.now_ms, [(str(one.tick), str(one.lot)) for one in floor.instruments],
                   floor.place, floor.epoch, floor.venue.bars_played)
