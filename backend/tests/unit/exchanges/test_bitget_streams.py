"""The adapter's sockets on the simulated exchange: what they tell, that they heal, that they are not believed when they are silent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from bitget_bench import Bench, Heard, an_order, bench, seen

from haechi.exchanges.bitget.tracking import Tracked
from haechi.exchanges.port import Accepted, Bar, Fill, Gone, Price


@asynccontextmanager
async def streaming(**given: Any) -> AsyncIterator[tuple[Bench, Heard]]:
    """Started, one listener on BTCUSDT with prices, both sockets ready."""
    async with bench(by_hand=True, **given) as b:
        await b.bitget.start()
        heard = Heard()
        b.bitget.listen(heard, symbol="BTCUSDT", prices=True)
        await ready(b)
        yield b, heard


async def ready(b: Bench) -> None:
    await seen(lambda: b.bitget.private.ready and b.bitget.public.ready)


async def passing(b: Bench, what: Callable[[], object], seconds: int = 120) -> None:
    """Let time go on, and the wire between, until something holds."""
    for _ in range(seconds):
        if what():
            return
        await b.time.go(1_000)
        for _ in range(100):
            await asyncio.sleep(0)
    raise AssertionError(f"it does not hold after {seconds} s")


async def test_a_fill_comes_by_stream_and_rest_does_not_tell_it_again() -> None:
    async with streaming() as (b, heard):
        assert isinstance(await b.bitget.place(an_order()), Accepted)
        (fill,) = await heard.until(1, Fill)
        assert (fill.client_id, fill.fee) == ("o-1", Decimal("0.36"))
        await b.time.go(30_000)
        await seen(lambda: b.bitget.reconciliation.rounds >= 3)
        assert len(heard.of(Fill)) == 1
        assert {word for word, _ in b.alarms} <= {"stream_stale"}  # the market stands still here, and that is what it says


async def test_a_stop_that_fires_is_told_by_the_stream_under_our_id() -> None:
    async with streaming() as (b, heard):
        await b.bitget.place(an_order("in"))
        await b.bitget.place(an_order("sl", side="sell", kind="stop", trigger="59000", reduce_only=True))
        await b.played.move(585_000)
        assert [fill.client_id for fill in await heard.until(2, Fill)] == ["in", "sl"]


async def test_an_end_by_hand_and_a_triggered_post_only_are_told() -> None:
    async with streaming() as (b, heard):
        await b.bitget.place(an_order("hand", kind="limit", price="59000"))
        b.member.cancel(b.member.find(client_oid="hand"))
        await heard.until(1, Gone)
        await b.bitget.place(an_order("post", kind="post_only", price="60100"))
        gone = await heard.until(2, Gone)
        assert [(one.client_id, one.reason) for one in gone] == [("hand", "canceled"), ("post", "post_only")]


async def test_prices_follow_the_market() -> None:
    async with streaming() as (b, heard):
        await b.played.move(601_000)
        await seen(lambda: heard.of(Price) and heard.of(Price)[-1].price == Decimal(60100))


async def test_a_bar_is_told_when_it_is_closed_and_only_once() -> None:
    async with streaming() as (b, heard):
        await b.played.move(600_500)
        await seen(lambda: "BTCUSDT" in b.bitget.feed.opened and "BTCUSDT" in b.bitget.feed.last)
        await b.played.close()
        await b.played.open(600_600)
        await b.played.move(600_700)
        (bar,) = await heard.until(1, Bar)
        assert (bar.close, bar.high) == (Decimal(60050), Decimal(60050))
        await b.time.go(30_000)
        assert len(heard.of(Bar)) == 1


async def test_fills_the_stream_lost_are_found_by_rest_and_the_stream_is_made_anew() -> None:
    async with streaming(with_faults=True) as (b, heard):
        assert b.faults is not None
        await passing(b, lambda: not b.bitget.reconciliation.catching_up)
        await b.faults.add({"kind": "push_missing", "member": "m", "count": 50})
        await b.bitget.place(an_order())
        await b.time.go(12_000)
        (fill,) = await heard.until(1, Fill)
        assert fill.client_id == "o-1"
        before = b.bitget.private.connections
        await passing(b, lambda: b.bitget.private.connections > before)


@pytest.mark.parametrize("order", [{"kind": "push_duplicate", "copies": 5, "count": 20}, {"kind": "push_reorder", "count": 20}],
                         ids=lambda one: one["kind"])
async def test_doubled_and_reordered_pushes_make_no_second_fill(order: dict[str, object]) -> None:
    async with streaming(with_faults=True) as (b, heard):
        assert b.faults is not None
        await b.faults.add(order)
        for n in range(4):
            await b.bitget.place(an_order(f"o-{n}"))
        await heard.until(4, Fill)
        await b.time.go(25_000)
        assert sorted(fill.client_id for fill in heard.of(Fill)) == ["o-0", "o-1", "o-2", "o-3"]
        assert heard.of(Gone) == []


async def test_a_dropped_stream_comes_back_and_what_happened_meanwhile_is_told() -> None:
    async with streaming(with_faults=True) as (b, heard):
        assert b.faults is not None
        before = b.bitget.private.connections
        await b.faults.add({"kind": "dropped_stream", "member": "m"})
        await seen(lambda: not b.bitget.private.ready)
        b.member.place(by_hand())
        await passing(b, lambda: heard.of(Fill) and b.bitget.private.ready)
        assert b.bitget.private.connections == before + 1
        await passing(b, lambda: b.bitget.reconciliation.rounds > 6)
        assert b.bitget.private.connections == before + 1  # it is not blamed for what happened while it was gone


def by_hand() -> object:
    from haechi.venue.requests import OrderRequest
    return OrderRequest(0, 1, 10, "market")


async def test_a_public_stream_that_only_answers_pings_is_cut() -> None:
    async with streaming(with_faults=True) as (b, heard):
        assert b.faults is not None
        await b.played.move(600_500)
        await heard.until(1, Price)
        await b.faults.add({"kind": "silent_stream", "symbol": "BTCUSDT"})
        before = b.bitget.public.connections
        await b.time.go(40_000)
        await seen(lambda: b.bitget.public.connections > before)
        assert {word for word, _ in b.alarms} == {"stream_stale"}


async def test_prices_come_by_rest_while_the_stream_is_down() -> None:
    async with bench(by_hand=True, public="ws://127.0.0.1:1/") as b:
        await b.bitget.start()
        heard = Heard()
        b.bitget.listen(heard, symbol="BTCUSDT", prices=True)
        await b.time.go(12_000)
        await heard.until(1, Price)
        await b.played.move(600_900)
        await b.time.go(12_000)
        await seen(lambda: heard.of(Price)[-1].price == Decimal(60090))


async def test_a_refused_key_at_the_stream_is_an_alarm_and_no_storm() -> None:
    async with streaming(with_faults=True) as (b, _):
        assert b.faults is not None
        await b.faults.add({"kind": "key_revoked", "member": "m"})
        await b.faults.add({"kind": "dropped_stream", "member": "m"})
        await seen(lambda: not b.bitget.private.ready)
        before = b.bitget.private.connections
        await b.time.go(60_000)
        assert b.bitget.private.connections - before <= 2
        assert "key" in {word for word, _ in b.alarms}


async def test_who_no_longer_listens_hears_nothing() -> None:
    async with streaming() as (b, heard):
        b.bitget.unlisten(heard)
        await b.bitget.place(an_order())
        await seen(lambda: b.bitget.book.find("o-1").ended)
        assert heard.of(Fill) == []
        assert b.bitget.public.topics == set()


HOSTILE = ["", "pong", "ping", "{", "[]", "null", "12", '"x"', "[" * 5_000, '{"event":"login"}', '{"event":"subscribe"}',
           '{"event":"error","code":30001,"msg":"none","arg":{"channel":"x"}}', '{"arg":{},"data":[]}', '{"arg":[],"data":[]}',
           '{"arg":{"channel":"fill"},"data":null}', '{"arg":{"channel":"fill"},"data":[1,2]}', '{"arg":{"channel":"fill"},"data":[{}]}',
           '{"arg":{"channel":"orders"},"data":[{"orderId":"1","status":"new-kind"}]}', '{"arg":{"channel":"orders-algo"},"data":{"a":1}}',
           '{"arg":{"channel":"fill"},"data":[{"tradeId":"1","price":NaN}]}', '{"event":{"a":1},"code":[]}', '{"data":[{"x":1e999}],"arg":{}}']


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_no_frame_ends_a_stream_or_makes_an_event(text: str) -> None:
    async with streaming() as (b, heard):
        for stream in (b.bitget.private, b.bitget.public):
            await stream._text(text)
            assert stream.ready
        await b.bitget.place(an_order())
        await heard.until(1, Fill)
        assert len(heard.of(Fill)) == 1


async def test_one_item_that_cannot_be_read_hides_none_of_its_frame_and_is_looked_after() -> None:
    async with streaming() as (b, heard):
        b.bitget.reconciliation._wake.clear()
        good = {"tradeId": "t-9", "orderId": "9", "clientOid": "by-hand", "symbol": "BTCUSDT", "side": "buy", "price": "60000", "baseVolume": "0.01",
                "feeDetail": [], "tradeScope": "T", "tradeSide": "buy_single", "profit": "0", "cTime": "1700000000000"}
        b.bitget.book.add(Tracked(an_order("by-hand"), "", 0, "9"))
        await b.bitget._account({"channel": "fill"}, [{}, good])
        assert [fill.trade_id for fill in await heard.until(1, Fill)] == ["t-9"] and b.bitget.reconciliation._wake.is_set()


async def test_a_subscription_refused_for_being_too_quick_is_asked_for_again() -> None:
    async with streaming() as (b, _):
        public = b.bitget.public
        await public.want({*public.topics, ("ticker", "ETHUSDT")})
        for code, taken in (("30006", False), ("30001", True)):
            public.acknowledged.discard(("ticker", "ETHUSDT"))
            await public._text(json.dumps({"event": "error", "code": code, "msg": "no", "arg": {"channel": "ticker", "instId": "ETHUSDT"}}))
            assert (("ticker", "ETHUSDT") in public.acknowledged) == taken


async def test_where_nobody_follows_prices_a_quiet_market_is_no_silence() -> None:
    """Bars come once a second while somebody trades, else once a bar."""
    async with streaming() as (b, heard):
        b.bitget.listen(heard, symbol="BTCUSDT", prices=False)
        await ready(b)
        before = b.bitget.public.connections
        await b.time.go(50_000)
        assert b.bitget.public.connections == before and b.alarms == []
        b.bitget.listen(heard, symbol="BTCUSDT", prices=True)
        await ready(b)
        await b.time.go(40_000)
        await seen(lambda: b.bitget.public.connections > before)


async def test_a_pong_is_not_data() -> None:
    async with streaming() as (b, _):
        stream = b.bitget.public
        before = stream.data_ms
        await b.time.go(4_000)
        await stream._text("pong")
        assert (stream.data_ms, stream.frame_ms - before >= 4_000) == (before, True)
