"""The database fails while bots trade: no entry without its durable intent, stops and exits go out, everything is booked afterwards."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from crash_scene import Scene, forker, scene

TRIALS = int(os.environ.get("HAECHI_TRIALS", "1"))
LOCKED_S = float(os.environ.get("HAECHI_LOCKED_S", "0.6"))  # the soak holds it for a minute
LOCKED_BARS = 40  # about so many pass then: hours of market in a minute are more than anybody catches up with while it goes on like that
BUSY_MS = 30


@asynccontextmanager
async def trading(folder: Path, template: Path, seed: str, **given: Any) -> AsyncIterator[Scene]:
    async with forker(folder / "forker") as forked, scene(folder, forked, seed, template) as one:
        await one.exchange.goes()
        await one.begins(busy_ms=BUSY_MS, **given)
        await one.exchange.goes(4)
        yield one
        await one.kill()
        one.whole()


def known(one: Scene) -> set[str]:
    return {name for name, in one.judge.rows("SELECT id FROM orders")}


def sent(one: Scene, *, closes: bool) -> set[str]:
    """Client ids of what came over the wire."""
    members = [watched.member for watched in one.judge.accounts.values()]
    orders = {order.client_oid for member in members for order in member.orders.values() if order.entered == "API" and order.closes == closes}
    return orders | {plan.client_oid for member in members for plan in member.plans.values() if plan.closes == closes}


async def test_while_somebody_holds_the_lock_nothing_opens_and_stops_go_out(tmp_path: Path, template: Path, told: Any) -> None:
    rng = Random("locked")
    went_out = trials = 0
    async with trading(tmp_path, template, "locked") as one:
        while trials < TRIALS or not went_out:
            trials += 1
            await one.until(lambda: one.holding)
            await asyncio.sleep(rng.random() * 0.2)  # the moment is the case
            lock = sqlite3.connect(one.database, isolation_level=None, timeout=5)
            lock.execute("BEGIN IMMEDIATE")
            closing, pace = sent(one, closes=True), one.exchange.step_s
            one.exchange.step_s = max(pace, LOCKED_S / LOCKED_BARS / 4)
            await asyncio.sleep(LOCKED_S * (0.3 + rng.random()))
            one.exchange.step_s = pace
            await one.until(lambda: sent(one, closes=True) > closing or not one.holding)  # noqa: B023 - waited for here
            opened = sent(one, closes=False)
            assert opened <= known(one), f"sent without a durable intent: {opened - known(one)}"
            went_out += len(sent(one, closes=True) - closing)
            lock.execute("ROLLBACK")
            lock.close()
            await one.rests()
            await one.exchange.goes(3)
        told(one)


@pytest.mark.parametrize("fault", ["full", "before", "after"])
async def test_a_database_that_cannot_commit(fault: str, tmp_path: Path, template: Path, told: Any) -> None:
    """It is full; or commits are cut off, before they were carried out or after, and nobody knows which. Each time until an exit has
    left without the database."""
    async with trading(tmp_path, template, fault, faults=True) as one:
        told_before = 0
        for _ in range(TRIALS):
            while left_without(tmp_path) == told_before:
                await one.until(lambda: one.holding)
                (tmp_path / "fault").write_text(fault)
                await one.until(lambda: left_without(tmp_path) > told_before or not one.holding)  # noqa: B023 - waited for here
                assert sent(one, closes=False) <= known(one)
                (tmp_path / "fault").unlink()
                await one.exchange.goes(2)
            await one.rests()
            told_before = left_without(tmp_path)
        told(one)


def left_without(folder: Path) -> int:
    """How often it was told that an exit left without the database; told again after it was over."""
    return (folder / "log").read_text().count("without_database")
