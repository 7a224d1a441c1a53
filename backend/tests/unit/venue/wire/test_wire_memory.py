"""What was answered is on disk; requests that come together share a transaction, and are told when it fails."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from trading_floor import trading
from wire_caller import ANN, ORDER, Caller

from haechi.venue.wire.server import make_app


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Caller]:
    played = await trading(tmp_path / "venue.db")
    played.floor.open_member("ann", key=ANN)
    async with TestClient(TestServer(make_app(played.floor, limits=False))) as http:
        yield Caller(http, played)
    assert played.store is not None
    played.store.close()


def on_disk(path: Path) -> set[str]:
    with sqlite3.connect(path) as other:
        return {str(row[0]) for row in other.execute("SELECT id FROM records WHERE kind = 'order'")}


async def test_an_answered_order_is_on_disk(kept: Caller, tmp_path: Path) -> None:
    for price in ("59000", "58000"):
        order_id = (await kept.limit(price)).data["orderId"]
        assert order_id in on_disk(tmp_path / "venue.db")


async def test_orders_that_come_together_are_all_on_disk_in_fewer_transactions(kept: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, writes = kept.played.store, []
    assert store is not None
    write = store.write
    monkeypatch.setattr(store, "write", lambda floor, names: (writes.append(1), write(floor, names)))
    replies = await asyncio.gather(*(kept.limit(str(59000 - n)) for n in range(20)))
    assert {reply.data["orderId"] for reply in replies} <= on_disk(tmp_path / "venue.db")
    assert 1 <= len(writes) <= 20
    await kept.get(ORDER + "orders-pending", {"productType": "USDT-FUTURES"})
    assert len(writes) <= 20, "a read writes nothing"


async def test_an_order_that_cannot_be_kept_is_not_confirmed(kept: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept.played.store is not None

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(kept.played.store, "write", full)
    replies = await asyncio.gather(*(kept.limit(str(59000 - n)) for n in range(3)))
    assert {(reply.status, reply.code) for reply in replies} == {(500, "45001")}
    monkeypatch.undo()
    assert (await kept.limit("58000")).data
