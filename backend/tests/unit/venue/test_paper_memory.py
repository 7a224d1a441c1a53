"""A server that is killed and started again: its paper market and accounts are as they were, and go on."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from itertools import islice
from pathlib import Path

import pytest
from test_paper_port import Heard, order

from haechi.core.instrument import Instrument
from haechi.exchanges.port import Accepted, Fill, Seen, Traceable, Unknown
from haechi.markets.feed import WARM_BARS, Market, Tape, recorded, tape_of
from haechi.venue.exchange import TickBar
from haechi.venue.rehome import rehome
from haechi.venue.store import Store

D = Decimal
START = 1_767_225_600_000
TERMS = {"capital": D(10_000), "slippage": D("0.0001")}


def started(folder: Path, seed: int = 7) -> Market:
    store = Store(folder / "paper.sqlite")
    session = store.session()
    return Market(tape_of("synthetic", seed=seed, now_ms=START, place=session and session.place), 1.0, store=store)


async def steps(market: Market, count: int) -> None:
    for _ in range(count):
        assert await market.step()


def near(market: Market, share: str) -> str:
    """A price on the grid, so much away from the last."""
    return str((market.floor.quote(0).last * D(share)).quantize(D("0.1")))


async def all_of(paper: Traceable) -> list[object]:
    return [await paper.balance(), await paper.positions(), [(one.order, one.exchange_id, one.filled) for one in await paper.open_orders()],
            await paper.fills_since(0), await paper.payments_since(0), await paper.movements_since(0), await paper.bars("BTCUSDT", 5_000)]


async def test_after_a_kill_everything_is_as_it_was_and_the_market_goes_on(tmp_path: Path) -> None:
    first, twin = started(tmp_path), Market(tape_of("synthetic", seed=7, now_ms=START), 1.0)
    here, there = (market.open_account("a", **TERMS) for market in (first, twin))
    for paper, market in ((here, first), (there, twin)):
        await paper.place(order("in"))
        await steps(market, 3)
        await paper.place(order("stop", "sell", kind="stop", trigger=near(market, "0.999"), reduce_only=True))
        await paper.place(order("limit", kind="limit", price=near(market, "0.9")))
        await steps(market, 1)
        await paper.place(order("next"))  # waits for the next price
    before = await all_of(here)
    second = started(tmp_path)
    again = second.open_account("a", **TERMS)
    assert await all_of(again) == before and len(before[3]) == 1  # type: ignore[arg-type]
    assert second.venue.bars_played == first.venue.bars_played == WARM_BARS + 4
    heard = Heard()
    again.listen(heard, symbol="BTCUSDT", prices=False)
    await steps(second, 1_500)
    await steps(twin, 1_500)
    assert second.venue.candles["BTCUSDT"] == twin.venue.candles["BTCUSDT"]
    fills, theirs = await again.fills_since(0), await there.fills_since(0)
    assert "stop" in [one.client_id for one in fills if isinstance(one, Fill)], "the stop that rested before the restart is filled after it"
    assert [(one.quantity, one.price, one.time_ms) for one in fills] == [(one.quantity, one.price, one.time_ms) for one in theirs]
    assert fills[1:] == heard.of(Fill) and len({one.trade_id for one in fills}) == len(fills)
    assert (await again.balance()) == (await there.balance())


async def test_what_a_listener_was_told_is_on_disk_while_it_acts(tmp_path: Path) -> None:
    """A kill in the middle of an instant: what the ledger has booked by then, the venue knows too."""
    market, found = started(tmp_path), []
    paper = market.open_account("a", **TERMS)

    class Killed:
        async def hear(self, event: object) -> None:
            if isinstance(event, Fill):
                accepted = await paper.place(order("stop", "sell", kind="stop", trigger="100", reduce_only=True))
                found.append((event, accepted, started(tmp_path)))

    paper.listen(Killed(), symbol="BTCUSDT", prices=False)
    await paper.place(order("in"))
    await steps(market, 1)
    (fill, accepted, second), = found
    again = second.open_account("a", **TERMS)
    assert await again.fills_since(0) == [fill]
    assert [one.order.client_id for one in await again.open_orders()] == ["stop"] and isinstance(accepted, Accepted)
    assert isinstance(await again.look(order("stop"), 0), Seen)


async def test_a_long_run_is_taken_up_without_playing_it_all_again(tmp_path: Path) -> None:
    first = started(tmp_path)
    await steps(first, 9_000)
    candles = {symbol: list(bars) for symbol, bars in first.venue.candles.items()}
    store = Store(tmp_path / "paper.sqlite")
    session = store.session()
    assert session is not None and session.place is not None
    tape = tape_of("synthetic", seed=7, now_ms=START, place=session.place)
    assert 0 < tape.first <= session.place.played - 5_000
    second = Market(tape, 1.0, store=store)
    assert {symbol: list(bars) for symbol, bars in second.venue.candles.items()} == candles
    await steps(first, 50)
    await steps(second, 50)
    assert second.venue.last == first.venue.last


@pytest.mark.parametrize("minutes", [3, 15, 60, 240, 1440, 3 * 1440, 7 * 1440])
async def test_longer_bars_reach_back_further_than_what_is_taken_up(tmp_path: Path, minutes: int) -> None:
    first = started(tmp_path)
    first.floor.remember(list(islice(first.instants, 14_003)))
    await steps(first, 4)
    here, there = first.open_account("a", **TERMS), (second := started(tmp_path)).open_account("a", **TERMS)
    wanted = await here.bars("BTCUSDT", 5_000, minutes * 60_000)
    assert await there.bars("BTCUSDT", 5_000, minutes * 60_000) == wanted
    assert wanted[0].ts <= START + max(0, 14_007 - 5_000 * minutes) * 60_000 + minutes * 60_000
    for market in (first, second):
        market.floor.remember(list(islice(market.instants, 2_000)))
    assert await there.bars("BTCUSDT", 5_000, minutes * 60_000) == await here.bars("BTCUSDT", 5_000, minutes * 60_000)
    other = started(tmp_path, seed=8)
    bars = await other.open_account("a", **TERMS).bars("BTCUSDT", 5_000, minutes * 60_000)
    assert all(bar.ts < other.venue.last["BTCUSDT"].ts and bar not in wanted for bar in bars[:-1]), "nothing of the market of before"


async def test_another_market_keeps_positions_and_marks_them_at_its_price(tmp_path: Path) -> None:
    first = started(tmp_path)
    paper = first.open_account("a", **TERMS)
    await paper.place(order("in", quantity="0.1"))
    await steps(first, 20)
    held, = await paper.positions()
    second = started(tmp_path, seed=8)
    again = second.open_account("a", **TERMS)
    assert await again.positions() == [held]
    moved = D("0.1") * (second.floor.quote(0).last - held.entry)
    balance = await again.balance()
    assert balance.equity == balance.wallet + moved
    newest = max(one.time_ms for one in await again.fills_since(0))
    await again.place(order("out", "sell", quantity="0.1", reduce_only=True))
    await steps(second, 1)
    assert "out" in [one.client_id for one in await again.fills_since(newest + 10**9) if isinstance(one, Fill)], "its times begin anew"


def bars_of(one: Instrument, count: int) -> Tape:
    instants = iter([{one.symbol: TickBar(START + k * 60_000, 1_000, 1_010, 990, 1_000, 1.0)} for k in range(count)])
    return Tape((one,), 60_000, instants, "file", "file:1")


async def test_money_moves_to_other_markets_but_not_positions(tmp_path: Path) -> None:
    first = started(tmp_path)
    paper = first.open_account("a", **TERMS)
    await paper.place(order("in"))
    await steps(first, 1)
    other = Instrument("SOLUSDT", tick=D("0.01"), lot=D("0.1"))
    with pytest.raises(ValueError, match="1 account"):
        rehome(Store(tmp_path / "paper.sqlite"), [other])
    await paper.place(order("out", "sell", reduce_only=True))
    await steps(first, 1)
    store, wallet = Store(tmp_path / "paper.sqlite"), (await paper.balance()).wallet
    rehome(store, [other])
    second = Market(bars_of(other, 10), 1.0, store=store)
    again = second.open_account("a", **TERMS)
    assert (await again.balance()).wallet == wallet != D(10_000)
    await again.place(order("new", quantity="1", symbol="SOLUSDT"))
    await steps(second, 1)
    assert [one.symbol for one in await again.positions()] == ["SOLUSDT"]


async def test_a_file_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT_1m.csv"
    rows = [f"{START + k * 60_000},{100 + k}.5,{101 + k}.5,{99 + k}.5,{100 + k}.25,5" for k in range(30)]
    path.write_text("ts,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    first = Market(recorded(path), 1.0, store=Store(tmp_path / "paper.sqlite"))
    await steps(first, 12)
    second = Market(recorded(path), 1.0, store=Store(tmp_path / "paper.sqlite"))
    assert second.venue.last == first.venue.last and list(second.venue.candles["BTCUSDT"]) == list(first.venue.candles["BTCUSDT"])
    await steps(second, 18)
    assert not await second.step() and second.over


async def test_what_cannot_be_written_is_not_said_to_be_accepted(tmp_path: Path) -> None:
    market = started(tmp_path)
    paper = market.open_account("a", **TERMS)
    other = sqlite3.connect(tmp_path / "paper.sqlite", isolation_level=None)
    assert market.store is not None
    market.store._db.execute("PRAGMA busy_timeout = 0")
    other.execute("BEGIN IMMEDIATE")
    assert isinstance(await paper.place(order("a")), Unknown)
    other.execute("ROLLBACK")
    assert isinstance(await paper.place(order("b")), Accepted)
    assert [one.order.client_id for one in await started(tmp_path).open_account("a", **TERMS).open_orders()] == ["a", "b"], "nothing was lost"


async def test_a_closed_account_is_forgotten(tmp_path: Path) -> None:
    market = started(tmp_path)
    market.open_account("a", **TERMS)
    market.open_account("b", **TERMS)
    market.close_account("a")
    assert sorted(started(tmp_path).floor.members) == ["b"]
