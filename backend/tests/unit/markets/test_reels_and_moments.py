"""Bars, trades and recorded books become moments: nothing is lost, and a replayed bar is the bar."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from haechi.core import layout as at
from haechi.core.instrument import Instrument
from haechi.core.matching import Order
from haechi.core.plan import Costs
from haechi.errors import BadInput
from haechi.markets.feed import tape_of
from haechi.markets.moments import Minutes, bar_moments, book_moments
from haechi.markets.reels import reel_of
from haechi.venue.exchange import TickBar, Venue
from haechi.venue.floor import Floor
from haechi.venue.moments import Book, Close, Move, Open
from haechi.venue.pace import Pace, Steps
from haechi.venue.requests import OrderRequest
from haechi.venue.serve import play

MINUTE = 60_000


def synthetic_instants(count: int) -> tuple[tuple[Instrument, ...], list[dict[str, TickBar]]]:
    tape = tape_of("synthetic", seed=3, now_ms=1_700_000_000_000)
    return tape.instruments, [next(tape.instants) for _ in range(count)]


@pytest.mark.parametrize("substeps", [1, 7])
async def test_the_bars_a_floor_makes_of_moments_are_the_bars(substeps: int) -> None:
    instruments, instants = synthetic_instants(60)
    floor = Floor(Venue(instruments, timeframe_ms=MINUTE), clock=lambda: 0)
    seen: list[TickBar] = []
    for moment in bar_moments(instants, floor.market, MINUTE, substeps):
        if isinstance(moment, Close):
            bar = floor.markets[0].bar
            assert bar is not None
            seen.append(bar)
        await floor.play(moment)
    wanted = [bars["BTCUSDT"] for bars in instants]
    assert [one[:5] for one in seen] == [one[:5] for one in wanted]
    assert [one.volume for one in seen] == pytest.approx([one.volume for one in wanted])
    assert [bar[:5] for bar in floor.candles(0, MINUTE, most=60)] == [one[:5] for one in wanted]


async def test_stops_and_limits_fill_alike_in_steps_and_in_whole_bars() -> None:
    """The same orders on the same bars: the floor's steps and the venue's own walk book the same fills."""
    instruments, instants = synthetic_instants(400)
    floor = Floor(Venue(instruments, timeframe_ms=MINUTE), clock=lambda: 0, slippage=Decimal("0.0001"))
    whole = Venue(instruments, timeframe_ms=MINUTE)
    whole.admit("ann", Costs(slippage=Decimal("0.0001"), capital=Decimal(10_000)))
    ann, account = floor.open_member("ann"), whole.accounts["ann"]
    account.plans[:] = ann.account.plans
    count = 0
    for instant in instants:
        for side in (1, -1):
            price = instant["BTCUSDT"].open - side * (40 + count % 90)
            count += 1
            for one in (ann.account, account):
                one.place(0, Order(one.number(), f"c{count}", side, 1 + count % 5, "limit", price))
        for moment in bar_moments([instant], floor.market, MINUTE, 5):
            await floor.play(moment)
        await whole.instant(instant)
    assert len(ann.fills) > 100
    money, leg = [at.WALLET, at.HELD, at.FEES, at.FUNDING, at.TRADES, at.WINS], [at.LOTS, at.COST, at.MARGIN, at.PAID_FEES, at.LIQUIDATION]
    stepped, walked = ann.account.machine.state, account.machine.state
    assert (stepped[0, money] == walked[0, money]).all() and (stepped[1, leg] == walked[1, leg]).all()


def test_minutes_from_prices_open_and_close_bars() -> None:
    minutes = Minutes(0, "X", MINUTE)
    made = [moment for ts, price in ((5, 100), (10, 103), (70_000, 90), (70_001, 95)) for moment in minutes.price(ts, price, 1.0, 1)]
    made += list(minutes.end())
    closes = [moment.bars["X"] for moment in made if isinstance(moment, Close)]
    assert closes == [TickBar(0, 100, 103, 100, 103, 2.0), TickBar(60_000, 90, 95, 90, 95, 2.0)]
    assert [type(moment) for moment in made[:3]] == [Open, Move, Move]


def test_a_book_gives_depth_first_and_then_its_middle() -> None:
    made = list(book_moments([(1, True, ((99, 5),), ((101, 5),)), (2, False, ((99, 0), (98, 1)), ())], 0, "X", MINUTE))
    assert [type(moment) for moment in made] == [Book, Open, Book, Move, Close] and made[3].price == 99


def test_what_cannot_be_played_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="neither"):
        reel_of("nothing.parquet", seed=1, now_ms=0, speed=1.0)
    empty = tmp_path / "BTCUSDT_trades.parquet"
    pl.DataFrame({"ts": [], "price": [], "size": [], "side": []}).write_parquet(empty)
    with pytest.raises(BadInput, match="no rows"):
        reel_of(str(empty), seed=1, now_ms=0, speed=1.0)


@pytest.mark.parametrize("name", ["BTCUSDT_perp_binance_20240808_trades.parquet", "BTCUSDT_perp_binance_20240808_l2.parquet"])
async def test_recorded_trades_and_books_are_played(market_data: Path, name: str) -> None:
    reel = reel_of(str(market_data / name), seed=1, now_ms=0, speed=60.0)
    floor = Floor(Venue(reel.instruments, timeframe_ms=MINUTE), clock=lambda: 0)
    ann = floor.open_member("ann")
    for count, moment in enumerate(reel.moments):
        await floor.play(moment)
        if count % 500 == 499 and floor.markets[0].point:
            ann.place(OrderRequest(0, 1 if count % 1000 == 499 else -1, 10, "market"))
        if count == 20_000:
            break
    depth = floor.depth(0, 5)
    assert depth.bids[0][0] < depth.asks[0][0] and len(ann.fills) >= 10
    assert floor.markets[0].limited == ("_l2" in name)


async def test_a_paced_market_waits_from_its_first_moment_and_never_drifts() -> None:
    now, slept = [100.0], list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds + 0.3  # every sleep is late

    pace = Pace(60.0, clock=lambda: now[0], sleep=sleep)
    for ts in range(0, 600_000, 60_000):
        await pace.until(ts)
    assert now[0] - 100.0 == pytest.approx(9.3)  # nine seconds, and what the last sleep was late
    assert all(0.6 < one <= 1.0 for one in slept[1:])


async def test_a_stepped_market_goes_as_far_as_it_is_told() -> None:
    instruments, instants = synthetic_instants(3)
    floor = Floor(Venue(instruments, timeframe_ms=MINUTE), clock=lambda: 0)
    steps = Steps()
    task = asyncio.create_task(play(floor, bar_moments(instants, floor.market, MINUTE), steps))
    start = instants[0]["BTCUSDT"].ts
    assert await steps.step(1) == start + 1 and floor.now_ms == start
    await steps.step(MINUTE - 2)
    assert floor.now_ms == start + MINUTE - 1 and floor.venue.bars_played == 1
    await steps.step(10 * MINUTE)
    assert steps.over and floor.venue.bars_played == 3
    await task
