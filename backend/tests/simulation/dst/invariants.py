"""The judge of a run. It shares nothing with the system: it reads the venue's own records, the history that the venue's side wrote,
and the database by plain SQL. Each rule raises `Broken` with its name and figures.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from haechi.venue.floor import Floor
from haechi.venue.member import Member
from haechi.venue.records import PublicTrade

from .history import History, Request

STOP_MS, STOP_FAULT_MS, STOP_BLIND_MS = 3_000, 10_000, 30_000
KILLED_MS, BLIND_MS, STALE_MS = 1_000, 1_500, 150_000
RESOLVED_MS = 120_000
OF_SYMBOL = frozenset({"naked", "no_stop", "stop_refused", "unknown_order", "over_closed"})
OF_ACCOUNT = frozenset({"unreachable", "key", "channel", "stream_stale", "order_missing", "books_differ", "unbooked", "without_database"})
READ_FIRST = frozenset({"orders", "positions", "fills"})
FORCED = frozenset({"liquidation", "market_risk"})
HAND, FUNDING, TRANSFERS = "hand-", "contract_settle_fee", ("trans_from_exchange", "trans_to_exchange")
SCALE = 10**8
ZERO = Decimal(0)


class Broken(AssertionError):
    """An invariant does not hold."""


def fail(rule: str, words: str) -> None:
    raise Broken(f"{rule}: {words}")


@dataclass
class Watched:
    """An account that is judged. stopped: markets on which its bot's plan has a stop. since_ms: venue events before it are not ours.
    bot_id: its only bot, '' where there are several: then what they were wished to do is not judged."""

    member: Member
    account_id: str
    stopped: set[int] = field(default_factory=set)
    since_ms: int = 0
    bot_id: str = ""


Trouble = Callable[[str, int], tuple[bool, bool, int]]  # member, since -> any fault, a blinding one, until when nothing can be written


class Judge:
    """now in ms; trouble: what faults there were since a moment. Cheap rules in `step`, all of them in `rest`."""

    def __init__(self, floor: Floor, history: History, database: Path, accounts: Iterable[Watched], now: Callable[[], int],
                 trouble: Trouble) -> None:
        self.floor, self.history, self.now, self.trouble = floor, history, now, trouble
        self.accounts = {one.member.name: one for one in accounts}
        self.sql = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
        self.naked: dict[tuple[str, int], int] = {}
        self.naked_ms: list[int] = []  # how long each position went without its whole stop
        self.judged = 0
        self._soon = False
        self._told: set[str] = set()
        floor.listen(self)

    def close(self) -> None:
        self.floor.unlisten(self)
        self.sql.close()

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.sql.execute(query, values).fetchall()

    def doubts(self, member: str, before_ms: int) -> int:
        """Orders of this member whose outcome has been unknown since before then, by the table."""
        query = "SELECT count(*) FROM orders WHERE account_id = ? AND status = 'unknown' AND updated_ms < ?"
        return int(self.rows(query, self.accounts[member].account_id, before_ms)[0][0])

    # ---- Sink of the floor: what changes is looked at when the moment is over

    def member(self, member: Member, what: str, record: object) -> None:
        if what in ("fill", "order", "plan", "position") and not self._soon:
            self._soon = True
            asyncio.get_running_loop().call_soon(self._look)

    def market(self, m: int) -> None:
        """Prices alone change nothing that is judged here."""

    def traded(self, trade: PublicTrade) -> None:
        """Nor does the tape."""

    def barred(self, m: int, bar: object) -> None:
        """Nor do bars."""

    def _look(self) -> None:
        self._soon = False
        for one in self.accounts.values():
            for m in one.stopped:
                key, open_lots = (one.member.name, m), self.uncovered(one.member, m)
                if open_lots and key not in self.naked:
                    self.naked[key] = self.now()
                elif not open_lots and key in self.naked:
                    self.naked_ms.append(self.now() - self.naked.pop(key))

    def uncovered(self, member: Member, m: int) -> int:
        """Lots of the bots' part of a position that no reducing stop at the venue covers."""
        net, mine = member.account.lots(m), parts(member, m)[0]
        need = min(abs(net), abs(mine)) if net * mine > 0 else 0
        covered = sum(plan.lots for plan in member.open_plans(m) if plan.closes and (plan.side < 0) == (net > 0))
        return max(need - covered, 0)

    # ---- at every step

    def step(self) -> None:
        self.stop_or_alarm()
        self.no_risk_while_doubtful()

    def rest(self, last_fault_ms: int) -> None:
        """Everything. last_fault_ms: when the last fault ended."""
        self.step()
        self.all_is_well(last_fault_ms)
        self.one_order_per_intent(whole=True)
        self.allocations()
        self.resolved(last_fault_ms)
        for one in self.accounts.values():
            self.orders_agree(one)
            self.positions_agree(one)
            self.booked_once(one)
            self.books_balance(one)
            self.wallet_agrees(one)
            self.as_desired(one, last_fault_ms)

    # ---- I1

    def one_order_per_intent(self, *, whole: bool) -> None:
        """whole: every order is to be in the table by now."""
        for one in self.accounts.values():
            member = one.member
            ours = [order.client_oid for order in member.orders.values() if order.entered == "API" and order.client_oid not in member.plans]
            ours += [plan.client_oid for plan in member.plans.values()]
            ours = [name for name in ours if not name.startswith(HAND)]
            twice = [name for name, count in Counter(ours).items() if count > 1]
            if twice:
                fail("I1", f"{member.name}: more than one order at the venue under {twice}")
            known = {row[0]: row[1] for row in self.rows("SELECT id, origin FROM orders WHERE account_id = ?", one.account_id)}
            if whole and set(ours) - set(known):
                fail("I1", f"{member.name}: orders at the venue that no table has: {sorted(set(ours) - set(known))}")
            wrong = [name for name, origin in known.items() if name.startswith(HAND) and origin != "external"]
            if wrong:
                fail("I1", f"{member.name}: made by hand, and taken for ours: {wrong}")
        intents = self.rows("SELECT intent, count(*) FROM orders WHERE intent IS NOT NULL GROUP BY account_id, intent HAVING count(*) > 1")
        if intents:
            fail("I1", f"more than one order for an intent: {intents}")
        meddled = [entry for entry in self.history.cancels if entry[1].startswith(HAND)]
        if meddled:
            fail("I1", f"the house cancelled what a person had made by hand: {meddled}")

    # ---- I2

    def orders_agree(self, one: Watched) -> None:
        there = sorted([self._name(one.member, order.client_oid) for order in one.member.open_orders()]
                       + [plan.client_oid for plan in one.member.open_plans()])
        here = sorted(row[0] for row in self.rows("SELECT id FROM orders WHERE account_id = ? AND status IN ('open', 'sent', 'unknown')",
                                                  one.account_id))
        if there != here:
            fail("I2", f"{one.member.name}: resting at the venue {there}, in the table {here}")

    @staticmethod
    def _name(member: Member, client_oid: str) -> str:
        plan = member.plans.get(client_oid)
        return plan.client_oid if plan is not None else client_oid

    def positions_agree(self, one: Watched) -> None:
        here: dict[str, Decimal] = defaultdict(Decimal)
        for symbol, side, quantity in self.rows("SELECT symbol, side, quantity FROM bookings WHERE account_id = ? AND kind IN "
                                                "('fill', 'liquidation', 'adopted')", one.account_id):
            here[symbol] += Decimal(quantity) if side == "buy" else -Decimal(quantity)
        for m, instrument in enumerate(self.floor.instruments):
            there = instrument.quantity(one.member.account.lots(m))
            if here[instrument.symbol] != there:
                fail("I2", f"{one.member.name}: {instrument.symbol} {there} at the venue, {here[instrument.symbol]} in the books")

    def wallet_agrees(self, one: Watched) -> None:
        last = self.rows("SELECT balance FROM ledger_entries WHERE account_id = ? AND book = 'wallet' ORDER BY id DESC LIMIT 1", one.account_id)
        here = Decimal(last[0][0]) if last else ZERO
        there = Decimal(one.member.balance_now) / SCALE
        if here != there:
            fail("I2", f"{one.member.name}: wallet {there} at the venue, {here} in the ledger")
        fees = sum((Decimal(fill.fee) for fill in self._fills(one)), ZERO) / SCALE
        funding = -sum((Decimal(bill.amount) for bill in one.member.bills if bill.business == FUNDING and bill.time_ms >= one.since_ms), ZERO) / SCALE
        for book, due in (("fees", fees), ("funding", funding)):
            paid = sum((Decimal(row[0]) for row in self.rows("SELECT amount FROM ledger_entries WHERE account_id = ? AND book = ?",
                                                             one.account_id, book)), ZERO)
            if paid != due:
                fail("I2", f"{one.member.name}: {book} {due} at the venue, {paid} in the ledger")

    @staticmethod
    def _fills(one: Watched) -> list[Any]:
        return [fill for fill in one.member.fills if fill.time_ms >= one.since_ms]

    # ---- I3

    def allocations(self) -> None:
        taken: dict[str, Decimal] = defaultdict(Decimal)
        for account_id, percent in self.rows("SELECT account_id, allocation FROM bots WHERE desired = 'running'"):
            taken[account_id] += Decimal(percent)
        over = {account_id: percent for account_id, percent in taken.items() if percent > 100}
        if over:
            fail("I3", f"more than the whole of an account is allocated: {over}")

    # ---- I4

    def stop_or_alarm(self) -> None:
        """Time does not count while the house is down."""
        for (name, m), since in self.naked.items():
            up = max([since, *[one for one in self.history.starts if one > since]])
            if len(self.history.stops) >= len(self.history.starts):
                continue  # it is down now
            limit = self._limit(name, up)
            symbol = self.floor.instruments[m].symbol
            if self.now() - up > limit and not self._alarmed(self.accounts[name].account_id, symbol, max(since, self.now() - limit)):
                fail("I4", f"{name}: {symbol} has {self.uncovered(self.accounts[name].member, m)} lots without "
                           f"a stop for {self.now() - up} ms, {limit} ms are allowed, and no alarm says so")

    def all_is_well(self, last_fault_ms: int) -> None:
        """Long after the last fault an alarm is no excuse: what bots hold has its stop, and nothing rings that says otherwise. What a
        bot that has failed left behind is its owner's to see to."""
        if self.now() < last_fault_ms + RESOLVED_MS:
            return
        observed: dict[str, str] = dict(self.rows("SELECT account_id, observed FROM bots"))
        for one in self.accounts.values():
            state = observed.get(one.account_id, "running")
            bare = [(self.floor.instruments[m].symbol, self.now() - since) for (name, m), since in self.naked.items() if name == one.member.name]
            right = set() if one.stopped else {"no_stop"} if state == "running" else {"no_stop", "naked"}  # its plan has none
            if any(bots * hand < 0 for bots, hand in (parts(one.member, m) for m in one.stopped)):
                right.add("naked")  # the person holds the other side: no stop of the bot's whole part can rest there
            ringing = [row for row in self.rows("SELECT code, key, facts FROM alarms WHERE account_id = ? AND cleared_ms IS NULL", one.account_id)
                       if row[0] in (OF_SYMBOL | OF_ACCOUNT) - right]
            if state != "failed" and (bare or ringing):
                fail("I4", f"{one.member.name}: {self.now() - last_fault_ms} ms after the last fault there is no stop for {bare} (symbol, ms), "
                           f"and there ring {ringing}")

    def _limit(self, name: str, since: int) -> int:
        any_fault, blinding, unwritable_until = self.trouble(name, since)
        limit = STOP_BLIND_MS if blinding else STOP_FAULT_MS if any_fault else STOP_MS
        return limit + max(0, unwritable_until - since)

    def _alarmed(self, account_id: str, symbol: str, since: int) -> bool:
        """Since then: of this symbol, or that nothing can be seen or sent at all."""
        ringing = self.rows("SELECT code, key || facts FROM alarms WHERE account_id = ? AND (cleared_ms IS NULL OR cleared_ms >= ?)",
                            account_id, since)
        return any(code in OF_ACCOUNT or (code in OF_SYMBOL and symbol in about) for code, about in ringing)

    # ---- I5

    def no_risk_while_doubtful(self) -> None:
        """By what the venue's side wrote down when the order was sent."""
        while self.judged < len(self.history.requests):
            one = self.history.requests[self.judged]
            if not one.accepted and self.now() - one.ms < 90_000:
                return  # it may still be carried out
            self.judged += 1
            why = doubt(one)
            if one.accepted and one.opens and why:
                fail("I5", f"{one.member}: {one.client_id} ({one.side} {one.quantity} {one.symbol}) took on risk although {why}")

    # ---- I6, I7

    def booked_once(self, one: Watched) -> None:
        booked: dict[str, list[tuple[str, Decimal]]] = defaultdict(list)
        for exchange_id, bot_id, quantity in self.rows("SELECT exchange_id, bot_id, quantity FROM bookings WHERE account_id = ? AND kind IN "
                                                       "('fill', 'liquidation', 'funding', 'movement')", one.account_id):
            booked[exchange_id].append((bot_id, Decimal(quantity)))
        booked.pop("opening", None)
        there = {fill.trade_id: self.floor.instruments[fill.m].quantity(fill.lots) for fill in self._fills(one)}
        bills = {bill.bill_id for bill in one.member.bills if bill.time_ms >= one.since_ms and bill.business in (FUNDING, *TRANSFERS)}
        lost, invented = (set(there) | bills) - set(booked), set(booked) - set(there) - bills
        if lost or invented:
            fail("I6", f"{one.member.name}: not in the books {sorted(lost)}, only in the books {sorted(invented)}")
        for exchange_id, parts in booked.items():
            owners = [owner for owner, _ in parts]
            if len(set(owners)) < len(owners) or exchange_id in there and sum((part for _, part in parts), ZERO) != there[exchange_id]:
                fail("I6", f"{one.member.name}: {exchange_id} is booked as {parts}, the venue has {there.get(exchange_id)}")

    def books_balance(self, one: Watched) -> None:
        sums: dict[int, Decimal] = defaultdict(Decimal)
        running: dict[str, Decimal] = defaultdict(Decimal)
        for booking, book, amount, balance in self.rows("SELECT booking_id, book, amount, balance FROM ledger_entries WHERE account_id = ? "
                                                        "ORDER BY id", one.account_id):
            sums[booking] += Decimal(amount)
            running[book] += Decimal(amount)
            if running[book] != Decimal(balance):
                fail("I7", f"{one.member.name}: booking {booking} says the book {book} stands at {balance}, its entries say {running[book]}")
        odd = {booking: total for booking, total in sums.items() if total}
        if odd:
            fail("I7", f"{one.member.name}: postings that do not sum to zero: {odd}")

    # ---- I10

    def resolved(self, last_fault_ms: int) -> None:
        if self.now() < last_fault_ms + RESOLVED_MS:
            return
        left = self.rows("SELECT id, status FROM orders WHERE status IN ('sent', 'unknown')")
        if left:
            fail("I10", f"{self.now() - last_fault_ms} ms after the last fault nobody knows what became of {left}")

    # ---- I11

    def as_desired(self, one: Watched, last_fault_ms: int) -> None:
        """A bot does what its owner wished last, or has failed, or says why it does not yet and when it tries again. One that stopped leaves nothing that could open a position;
        one that stopped and was to close holds nothing and left nothing at all."""
        if self.now() < last_fault_ms + RESOLVED_MS:
            return
        query = "SELECT symbol, desired, observed, flatten, reason != '' AND retry_ms > ? FROM bots WHERE id = ?"
        for symbol, desired, observed, flatten, tries in self.rows(query, self.now(), one.bot_id):
            if observed not in (desired, "failed") and not (observed == "recovering" and tries):
                fail("I11", f"{one.member.name}: its bot is to be {desired}, and is {observed} {self.now() - last_fault_ms} ms after the last fault")
            if observed != "stopped":
                continue
            left = self.rows("SELECT id FROM orders WHERE bot_id = ? AND status IN ('open', 'sent', 'unknown') AND (? OR NOT reduce_only)",
                             one.bot_id, flatten)
            held = parts(one.member, next(m for m, there in enumerate(self.floor.instruments) if there.symbol == symbol))[0]
            if left or flatten and held:
                fail("I11", f"{one.member.name}: its bot has stopped{' and closed' if flatten else ''}, yet holds {held} lots, and there "
                            f"rest {left}")


def parts(member: Member, m: int) -> tuple[int, int]:
    """Signed lots of bots and of the person's hand, who share one net position. What an order of a bot did is the bot's alone. The hand,
    and what the exchange does by force, closes the hand's part first, then the bots', and only what is left opens something."""
    bots, hand = 0, 0
    for fill in member.fills:
        if fill.m != m:
            continue
        signed = fill.side * fill.lots
        if fill.client_oid.startswith(HAND) or member.orders[fill.order_id].source in FORCED:
            own = closed_of(hand, signed)
            of_bots = closed_of(bots, signed - own)
            bots, hand = bots + of_bots, hand + signed - of_bots
        else:
            bots += signed
    return bots, hand


def closed_of(held: int, signed: int) -> int:
    """What of a signed change closes what is held."""
    return max(signed, -held) if held > 0 > signed else min(signed, -held) if held < 0 < signed else 0


def doubt(one: Request) -> str:
    """Why this order may not have taken on risk, '' if it might."""
    if one.killed_ms > KILLED_MS:
        return f"the kill switch was on for {one.killed_ms} ms"
    if one.blind_ms > BLIND_MS:
        return f"the account was blind for {one.blind_ms} ms"
    if one.stale_ms > STALE_MS:
        return f"the newest thing heard of the market was {one.stale_ms} ms old"
    if one.doubts:
        return f"{one.doubts} orders were of unknown outcome"
    missing = READ_FIRST - one.reads
    return f"nobody had read {sorted(missing)} since the start" if missing else ""


def isolated(before: list[tuple[str, ...]], after: list[tuple[str, ...]], who: str) -> None:
    """I8: what another user did and met is the same with and without somebody's fault."""
    if before != after:
        k = next((k for k, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after)))
        fail("I8", f"{who} is touched by another's fault, from its step {k} on: {before[k:k + 1]} became {after[k:k + 1]}")
