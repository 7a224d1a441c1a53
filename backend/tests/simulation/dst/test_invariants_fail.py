"""Each rule of the judge, shown failing: a small true history that it accepts, and one thing planted that it must not."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from haechi.exchanges.port import Accepted, NewOrder

from . import inline_sqlite
from .faults import Faults
from .faulty_exchange import FaultyExchange
from .history import History
from .invariants import READ_FIRST, RESOLVED_MS, Broken, Judge, Watched, isolated, parts
from .scenario import START_MS, Random
from .virtual_loop import NeverRests, VirtualClock, VirtualLoop, WaitsForEver, run
from .world import World

SCALE = Decimal(10**8)


class Stage:
    """One member with a bought position, its stop and a resting line at the venue, and books that say the same."""

    def __init__(self) -> None:
        self.clock = VirtualClock(asyncio.get_running_loop(), START_MS)
        self.history = History()
        self.world = World("planted", self.clock, self.history)
        self.path = inline_sqlite.fresh("planted", inline_sqlite.template(VirtualLoop))
        self.sql = sqlite3.connect(self.path, isolation_level=None)

    async def open(self) -> None:
        await self.world.warm()
        self.member = self.world.join("anna", Decimal(10_000))
        await asyncio.sleep(1)
        watched = Watched(self.member, "acc", {0}, self.clock.now_ms(), "b")
        self.judge = Judge(self.world.floor, self.history, self.path, [watched], self.clock.now_ms, lambda name, since: (False, False, 0))
        self.port = FaultyExchange(self.world, "anna", Faults([], "anna", Random(1), lambda: 0), "planted")
        self.port.reads = set(READ_FIRST)
        self.history.starts.append(self.clock.now_ms())
        await self.port.bars("BTCUSDT", 1)
        self.market = self.world.instruments[0].price(self.world.points[0])
        await self.place("b-1", "buy", "0.01", "market")
        await self.place("b-2", "sell", "0.01", "stop", trigger=self.market - 300, reduce_only=True)
        await self.place("b-3", "buy", "0.01", "limit", price=self.market - 500)
        self.write_books()

    async def place(self, name: str, side: str, quantity: str, kind: str, *, price: Decimal | None = None, trigger: Decimal | None = None,
                    reduce_only: bool = False) -> None:
        order = NewOrder(name, "BTCUSDT", side, Decimal(quantity), kind, price, trigger, reduce_only)
        assert isinstance(await self.port.place(order), Accepted)

    def insert(self, table: str, **values: Any) -> None:
        self.sql.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})", list(values.values()))

    def order(self, name: str, status: str, **more: Any) -> None:
        self.insert("orders", **{"id": name, "user_id": "u", "account_id": "acc", "bot_id": "b", "symbol": "BTCUSDT", "role": "x", "side": "buy",
                                 "kind": "market", "quantity": "0.01", "reduce_only": 0, "status": status, "reason": "", "exchange_id": "",
                                 "origin": "bot", "filled": "0", "created_ms": 0, "updated_ms": 0, **more})

    def booking(self, exchange_id: str, kind: str, amounts: dict[str, Decimal], *, bot_id: str = "b", quantity: str = "0", side: str = "") -> None:
        self.insert("bookings", user_id="u", account_id="acc", bot_id=bot_id, exchange_id=exchange_id, kind=kind, order_id="", symbol="BTCUSDT",
                    side=side, quantity=quantity, price="0", time_ms=0)
        number = self.sql.execute("SELECT max(id) FROM bookings").fetchone()[0]
        for book, amount in amounts.items():
            before = self.sql.execute("SELECT balance FROM ledger_entries WHERE book = ? ORDER BY id DESC LIMIT 1", [book]).fetchone()
            self.insert("ledger_entries", booking_id=number, user_id="u", account_id="acc", book=book, amount=str(amount),
                        balance=str(amount + Decimal(before[0] if before else 0)), time_ms=0)

    def write_books(self) -> None:
        self.order("b-1", "filled")
        self.order("b-2", "open")
        self.order("b-3", "open")
        self.booking("opening", "movement", {"wallet": Decimal(10_000), "capital": Decimal(-10_000)})
        for fill in self.member.fills:
            fee = fill.fee / SCALE
            self.booking(fill.trade_id, "fill", {"wallet": -fee, "fees": fee}, quantity="0.01", side="buy")

    async def judged(self) -> None:
        await asyncio.sleep(0.01)
        self.judge.rest(START_MS)


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    stage = Stage()
    try:
        await stage.open()
        yield stage
    finally:
        stage.judge.close()
        stage.port.close()
        stage.sql.close()
        inline_sqlite.forget(stage.path)


def judged_after(plant: Callable[[Stage], Any]) -> None:
    async def play() -> None:
        async with staged() as stage:
            await stage.judged()  # true as it stands
            done = plant(stage)
            if asyncio.iscoroutine(done):
                await done
            await stage.judged()

    inline_sqlite.template(VirtualLoop)  # has a loop of its own
    run(play)


def test_the_true_history_is_accepted() -> None:
    judged_after(lambda stage: None)


# ---- one planted thing each

async def sent_twice(stage: Stage) -> None:
    stage.world.floor.duplicate_policy = "new"
    await stage.place("b-3", "buy", "0.01", "limit", price=stage.market - 500)


async def unknown_to_the_table(stage: Stage) -> None:
    await stage.place("b-9", "buy", "0.01", "limit", price=stage.market - 500)


def one_intent_twice(stage: Stage) -> None:
    stage.sql.execute("DROP INDEX IF EXISTS uq_orders_account_id_intent")
    stage.sql.executescript("CREATE TABLE plain AS SELECT * FROM orders; DROP TABLE orders; ALTER TABLE plain RENAME TO orders")
    for name in ("b-7", "b-8"):
        stage.order(name, "rejected", intent="entry@5")


def taken_for_ours(stage: Stage) -> None:
    stage.order("hand-1", "filled")


async def hand_order_cancelled(stage: Stage) -> None:
    stage.port.counter.by_hand(0, 1, 10, stage.world.points[0] - 9_000)
    name = stage.member.open_orders(0)[-1].client_oid
    stage.order(name, "canceled", origin="external")
    await stage.port.cancel(name)


def order_forgotten(stage: Stage) -> None:
    stage.sql.execute("UPDATE orders SET status = 'canceled' WHERE id = 'b-3'")


def position_differs(stage: Stage) -> None:
    stage.sql.execute("UPDATE bookings SET quantity = '0.009' WHERE kind = 'fill'")


def wallet_differs(stage: Stage) -> None:
    stage.booking("adopted:1", "adopted", {"wallet": Decimal("0.00000001"), "capital": Decimal("-0.00000001")})


def fees_differ(stage: Stage) -> None:
    stage.booking("adopted:1", "adopted", {"fees": Decimal("0.00000001"), "realized": Decimal("-0.00000001")})


def fill_lost(stage: Stage) -> None:
    stage.port.counter.by_hand(0, 1, 10)


def fill_twice(stage: Stage) -> None:
    for owner, side in (("b2", "buy"), ("b3", "sell")):  # the position agrees all the same
        stage.booking(stage.member.fills[0].trade_id, "fill", {}, bot_id=owner, quantity="0.01", side=side)


def fill_invented(stage: Stage) -> None:
    stage.booking("9", "funding", {})


def transfer_lost(stage: Stage) -> None:
    stage.world.touch()
    stage.member.transfer(Decimal(50))


def odd_posting(stage: Stage) -> None:
    stage.booking("adopted:2", "adopted", {"realized": Decimal(1)})


def odd_balance(stage: Stage) -> None:
    stage.sql.execute("UPDATE ledger_entries SET balance = '1' WHERE book = 'fees'")


def bot(stage: Stage, **given: Any) -> None:
    stage.insert("bots", **{"id": "b", "user_id": "u", "account_id": "acc", "strategy": "s", "symbol": "BTCUSDT", "timeframe": "1m", "spec": "{}",
                            "capital": "1", "desired": "running", "observed": "running", "reason": "", "allocation": "10",
                            "created_at": "2026-01-01", **given})


def too_much_allocated(stage: Stage) -> None:
    for name, percent in (("x", "60"), ("y", "40.00000001")):
        bot(stage, id=name, allocation=percent)


async def stop_taken_away(stage: Stage) -> None:
    await stage.port.cancel("b-2")
    await asyncio.sleep(3.1)
    stage.judge.step()


async def stop_too_small(stage: Stage) -> None:
    await stage.place("b-1b", "buy", "0.005", "market")
    await asyncio.sleep(3.1)
    stage.judge.step()


def never_resolved(stage: Stage) -> Any:
    stage.order("b-6", "unknown")
    return asyncio.sleep(RESOLVED_MS / 1000)


def long_after(**given: Any) -> Callable[[Stage], Any]:
    """A bot with such a row, long after the last fault."""
    async def plant(stage: Stage) -> None:
        bot(stage, **given)
        await asyncio.sleep(RESOLVED_MS / 1000)

    return plant


async def stopped_and_left_a_line(stage: Stage) -> None:
    await long_after(desired="stopped", observed="stopped", flatten=False)(stage)


async def closed_and_left_its_stop(stage: Stage) -> None:
    await stage.port.cancel("b-3")
    stage.sql.execute("UPDATE orders SET status = 'canceled' WHERE id = 'b-3'")
    stage.sql.execute("UPDATE orders SET reduce_only = 1 WHERE id = 'b-2'")
    await long_after(desired="stopped", observed="stopped")(stage)


def ring(stage: Stage, code: str) -> None:
    stage.insert("alarms", user_id="u", account_id="acc", bot_id="b", code=code, key=f"acc:{code}:b:BTCUSDT", facts="{}", raised_ms=0)


async def alarm_that_lasts(stage: Stage) -> None:
    ring(stage, "naked")
    await asyncio.sleep(RESOLVED_MS / 1000)


async def alarm_that_covers_for_ever(stage: Stage) -> None:
    await stage.port.cancel("b-2")
    stage.sql.execute("UPDATE orders SET status = 'canceled' WHERE id = 'b-2'")
    await alarm_that_lasts(stage)


async def risk(stage: Stage, **doubtful: Any) -> None:
    stage.port.asked = lambda request: [setattr(request, name, value) for name, value in doubtful.items()]
    await stage.place("b-4", "buy", "0.01", "limit", price=stage.market - 400)
    stage.order("b-4", "open")


@pytest.mark.parametrize(("rule", "plant"), [
    ("I1: anna: more than one order", sent_twice), ("I1: anna: orders at the venue that no table has", unknown_to_the_table),
    ("I1: more than one order for an intent", one_intent_twice), ("I1: anna: made by hand, and taken for ours", taken_for_ours),
    ("I1: the house cancelled", hand_order_cancelled), ("I2: anna: resting", order_forgotten), ("I2: anna: BTCUSDT", position_differs),
    ("I2: anna: wallet", wallet_differs), ("I2: anna: fees", fees_differ), ("I3", too_much_allocated), ("I4", stop_taken_away),
    ("I4", stop_too_small), ("I6: anna: not in the books", lambda stage: (fill_lost(stage), position_booked(stage))[0]), ("I6", fill_twice),
    ("I6: anna: .*only in the books", fill_invented), ("I6", transfer_lost), ("I7: anna: postings", odd_posting),
    ("I7: anna: booking", odd_balance), ("I10", never_resolved),
    ("I4: anna: .* there ring", alarm_that_lasts), (r"I4: anna: .*no stop for \[\('BTCUSDT'", alarm_that_covers_for_ever),
    ("I11: anna: .* to be stopped, and is stopping", long_after(desired="stopped", observed="stopping")),
    ("I11: anna: .* to be running, and is stopped", long_after(observed="stopped")),
    ("I11: anna: .* to be running, and is recovering", long_after(observed="recovering", reason="The wire is gone.")),
    ("I11: anna: its bot has stopped, yet", stopped_and_left_a_line), ("I11: anna: its bot has stopped and closed, yet", closed_and_left_its_stop)])
def test_a_planted_fault_is_found(rule: str, plant: Callable[[Stage], Any]) -> None:
    with pytest.raises(Broken, match=f"^{rule}"):
        judged_after(plant)


@pytest.mark.parametrize("plant", [
    long_after(), long_after(desired="stopped", observed="failed"),
    long_after(observed="recovering", reason="The account has not enough money.", retry_ms=START_MS * 2)])
def test_a_bot_that_does_as_it_was_told_or_says_why_not_is_right(plant: Callable[[Stage], Any]) -> None:
    judged_after(plant)


def test_what_the_persons_other_side_keeps_from_resting_may_ring() -> None:
    async def netted(stage: Stage) -> None:
        await stage.place("hand-1", "sell", "0.02", "market")
        await stage.place("b-4", "buy", "0.005", "market")
        assert [one * two < 0 for one, two in [parts(stage.member, 0)]] == [True]
        with pytest.raises(Broken, match="there ring"):
            ring(stage, "stop_refused")
            stage.judge.all_is_well(START_MS - RESOLVED_MS)
        stage.sql.execute("DELETE FROM alarms")
        ring(stage, "naked")
        stage.judge.all_is_well(START_MS - RESOLVED_MS)

    async def play() -> None:
        async with staged() as stage:
            await netted(stage)

    inline_sqlite.template(VirtualLoop)
    run(play)


def position_booked(stage: Stage) -> None:
    """The position agrees, by a booking that is not the fill's."""
    stage.booking("adopted:3", "adopted", {}, quantity="0.01", side="buy")


def test_new_risk_while_nothing_of_the_market_was_heard_is_found() -> None:
    async def deaf(stage: Stage) -> None:
        stage.port.told.heard_ms.clear()
        await stage.place("b-4", "buy", "0.01", "limit", price=stage.market - 400)
        stage.order("b-4", "open")

    with pytest.raises(Broken, match="^I5: .*old"):
        judged_after(deaf)


@pytest.mark.parametrize(("words", "doubtful"), [
    ("kill switch", {"killed_ms": 1_001}), ("blind", {"blind_ms": 1_501}), ("old", {"stale_ms": 150_001}), ("unknown", {"doubts": 1}),
    ("nobody had read", {"reads": frozenset({"orders", "fills"})})])
def test_new_risk_in_doubt_is_found(words: str, doubtful: dict[str, Any]) -> None:
    with pytest.raises(Broken, match=f"^I5: .*{words}"):
        judged_after(lambda stage: risk(stage, **doubtful))


def test_reducing_in_doubt_is_right() -> None:
    async def reduce(stage: Stage) -> None:
        stage.port.asked = lambda request: setattr(request, "killed_ms", 60_000)
        await stage.place("b-5", "sell", "0.01", "stop", trigger=stage.market - 200, reduce_only=True)
        stage.order("b-5", "open")

    judged_after(reduce)


def bare(code: str, about: str, *, over_ms: int | None = None) -> Callable[[Stage], Any]:
    """The stop is gone for a minute, and this alarm rings, or ended so long after."""
    async def plant(stage: Stage) -> None:
        now = stage.clock.now_ms()
        await stage.port.cancel("b-2")
        stage.sql.execute("UPDATE orders SET status = 'canceled' WHERE id = 'b-2'")
        stage.insert("alarms", user_id="u", account_id="acc", bot_id="b", code=code, key=f"acc:{code}:{about}", facts="{}", raised_ms=now,
                     cleared_ms=None if over_ms is None else now + over_ms)
        await asyncio.sleep(60)

    return plant


@pytest.mark.parametrize("plant", [bare("naked", "b:BTCUSDT"), bare("unreachable", ""), bare("unreachable", "", over_ms=58_000)])
def test_an_alarm_that_says_so_is_as_good_as_a_stop(plant: Callable[[Stage], Any]) -> None:
    judged_after(plant)


@pytest.mark.parametrize("plant", [bare("naked", "b:ETHUSDT"), bare("bot_failed", "b"), bare("unreachable", "", over_ms=1_000)])
def test_another_alarm_is_not(plant: Callable[[Stage], Any]) -> None:
    with pytest.raises(Broken, match="^I4"):
        judged_after(plant)


@pytest.mark.parametrize(("told", "whose"), [
    ([("hand-1", 30), ("b-1", 20), ("b-2", -20), ("b-3", -30)], (-30, 30)),  # a bot's second exit closes nothing of the person's
    ([("hand-1", 30), ("b-1", 20), ("hand-2", -40)], (10, 0)),  # the person first closes the own part
    ([("hand-1", 30), ("b-1", 20), ("forced", -35)], (15, 0)),
    ([("b-1", 20), ("hand-1", -25)], (0, -5))])
def test_a_position_is_parted_as_the_books_part_it(told: list[tuple[str, int]], whose: tuple[int, int]) -> None:
    fills = [SimpleNamespace(m=0, order_id=name, client_oid=name, side=1 if lots > 0 else -1, lots=abs(lots)) for name, lots in told]
    orders = {name: SimpleNamespace(source="market_risk" if name == "forced" else "normal") for name, _ in told}
    assert parts(SimpleNamespace(fills=fills, orders=orders), 0) == whose  # type: ignore[arg-type]


def test_a_neighbour_that_was_touched_is_found() -> None:
    isolated([("fill", "1")], [("fill", "1")], "ben")
    with pytest.raises(Broken, match=r"^I8: ben .*step 1"):
        isolated([("fill", "1"), ("fill", "2")], [("fill", "1")], "ben")


# ---- the loop itself

def test_what_would_wait_for_ever_is_named() -> None:
    async def stuck() -> None:
        await asyncio.Event().wait()

    with pytest.raises(WaitsForEver, match="stuck"):
        run(stuck)


def test_what_never_rests_is_named() -> None:
    async def spinning() -> None:
        def again() -> None:
            asyncio.get_running_loop().call_soon(again)

        again()
        await asyncio.Event().wait()

    with pytest.raises(NeverRests, match="spinning"):
        run(spinning)


def test_an_hour_takes_no_time_and_threads_are_none() -> None:
    async def hour() -> tuple[float, int]:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(3600)
        return loop.time(), await asyncio.to_thread(lambda: 7)

    assert run(hour) == (3600.0, 7)
