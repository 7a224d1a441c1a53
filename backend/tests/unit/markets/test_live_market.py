"""A floor that follows a real exchange's public market: another venue of this house stands for it, and misbehaves."""

from __future__ import annotations

from decimal import Decimal

import pytest
from live_bench import HISTORY, MINUTE, START, Both, both

from haechi.errors import BadInput
from haechi.exchanges.errors import Unreachable
from haechi.exchanges.port import NewOrder, Rejected
from haechi.markets.live.live import open_live, symbols_of
from haechi.markets.venue_command import venue
from haechi.platform.clock import SystemClock
from haechi.venue.paper import Paper
from haechi.venue.refusal import Refusal
from haechi.venue.requests import OrderRequest

D = Decimal


def prices(at: Both, m: int = 0) -> list[tuple[int, ...]]:
    return [bar[:5] for bar in at.bars(m)]


def market_order(lots: int) -> OrderRequest:
    return OrderRequest(0, 1 if lots > 0 else -1, abs(lots), kind="market")


async def test_it_begins_with_the_past_and_then_follows_every_trade() -> None:
    async with both() as at:
        await at.start()
        assert prices(at) == [bar[:5] for bar in at.theirs.bars()] and len(prices(at)) == HISTORY
        await at.trade(600_100)
        await at.trade(300_050, m=1)
        await at.trade(599_900)
        assert [market.point for market in at.ours.markets] == [599_900, 300_050]


async def test_bars_close_together_and_are_theirs_to_the_tick_and_the_volume() -> None:
    async with both() as at:
        await at.start()
        for minute in range(3):
            for step in (7, -11, 4):
                await at.trade(600_000 + minute * 20 + step)
                await at.trade(300_000 - minute * 9 + step, m=1, volume=2.5)
            await at.turn()
        for m in (0, 1):
            mine, theirs = at.bars(m)[-2:], at.theirs.bars(m)[-2:]  # the first was under way when the stream opened
            assert [bar[:5] for bar in mine] == [bar[:5] for bar in theirs]
            assert [bar.volume for bar in mine] == pytest.approx([bar.volume for bar in theirs])


async def test_a_minute_without_a_trade_is_a_flat_bar() -> None:
    async with both() as at:
        await at.start()
        await at.trade(600_123)
        await at.turn()
        await at.turn()
        assert at.bars()[-1] == (START + MINUTE, 600_123, 600_123, 600_123, 600_123, 0.0, ())


async def test_the_depth_is_theirs() -> None:
    async with both() as at:
        await at.start()
        await at.trade(600_500)
        theirs = at.theirs.floor.depth(0, 15)
        await at.until(lambda: at.ours.depth(0, 15).asks == theirs.asks and at.ours.depth(0, 15).bids == theirs.bids, "the book never came")


async def test_a_silent_stream_halts_the_market_and_invents_nothing() -> None:
    async with both() as at:
        await at.start()
        member = at.ours.open_member("m")
        member.place(market_order(10))
        at.ours.commit()
        silent = await at.faults.add({"kind": "silent_stream"})
        await at.theirs.trade(590_000)
        await at.until(lambda: at.live.blind, "nobody noticed", 500)
        assert silent.drawn and at.ours.markets[0].point == 600_002, "the last price that was true"
        for _ in range(2):
            await at.turn(heard=False)
        assert len(at.bars()) == HISTORY, "no bar without news"
        with pytest.raises(Refusal, match="41114"):
            member.place(market_order(-10))
        order = NewOrder("x", "BTCUSDT", "sell", D("0.01"), "market")
        assert await Paper(member).place(order) == Rejected("maintenance")
        assert at.ours.contracts[0].status == "maintain"
        at.faults.remove()
        await at.theirs.trade(600_050)
        await at.until(lambda: not at.live.blind, "it never saw again")
        assert [bar[:5] for bar in at.bars()] == [bar[:5] for bar in at.theirs.bars()]
        assert at.ours.markets[0].bar is not None and at.ours.markets[0].point == 600_050
        member.place(market_order(-10))


async def test_a_stop_is_met_by_what_happened_in_a_gap() -> None:
    async with both() as at:
        await at.start()
        paper = Paper(at.ours.open_member("m"))
        await paper.place(NewOrder("in", "BTCUSDT", "buy", D("0.01"), "market"))
        await paper.place(NewOrder("out", "BTCUSDT", "sell", D("0.01"), "stop", trigger=D("59500"), reduce_only=True))
        await at.faults.add({"kind": "silent_stream"})
        await at.theirs.trade(594_000)
        await at.theirs.trade(600_000)
        await at.until(lambda: at.live.blind, "nobody noticed", 500)
        assert [one.quantity for one in await paper.positions()] == [D("0.01")]
        at.faults.remove()
        await at.theirs.trade(600_010)
        await at.until(lambda: not at.live.blind, "it never saw again")
        assert await paper.positions() == []


async def test_a_cut_stream_is_opened_again_and_what_was_missed_is_read() -> None:
    async with both() as at:
        await at.start()
        gaps, before = at.live.gaps, at.live.source.stream.connections
        await at.faults.add({"kind": "dropped_stream"})
        await at.theirs.trade(599_000)
        await at.theirs.trade(600_020)
        await at.until(lambda: at.live.gaps > gaps, "it was never read")
        assert at.live.source.stream.connections == before + 1
        await at.trade(600_030)
        await at.turn()
        assert at.bars()[-1][:5] == at.theirs.bars()[-1][:5]


@pytest.mark.parametrize("fault", [{"kind": "push_duplicate", "copies": 3, "count": 200}, {"kind": "push_late", "delay_ms": 300, "count": 30},
                                   {"kind": "push_reorder", "window_ms": 200, "count": 30}], ids=["twice", "late", "overtaken"])
async def test_repeated_late_and_overtaken_news_make_the_same_bars(fault: dict[str, object]) -> None:
    async with both() as at:
        await at.start()
        await at.turn()
        planted = await at.faults.add({"channel": "trade", **fault})
        for step in (5, -8, 3, 12, 1):
            await at.theirs.trade(600_000 + step)
            await at.theirs.trade(300_000 + step, m=1)
            await at.time.go(400)
        await at.turn()
        assert planted.drawn
        for m in (0, 1):
            assert at.bars(m)[-1][:4] == at.theirs.bars(m)[-1][:4]
            assert at.bars(m)[-1].volume == pytest.approx(at.theirs.bars(m)[-1].volume)


async def test_a_gap_is_not_closed_while_rest_fails_and_the_market_stays_halted() -> None:
    async with both() as at:
        await at.start()
        await at.faults.add({"kind": "dropped_stream"})
        down = await at.faults.add({"kind": "error_before", "path": "/api/v2/mix/market/*", "count": 500})
        await at.until(lambda: at.live.blind and down.drawn > 3, "nobody asked", 500)
        await at.time.go(3_000)
        assert at.live.blind and at.ours.contracts[0].status == "maintain"
        at.faults.remove()
        await at.until(lambda: not at.live.blind, "it never saw again")


async def test_funding_is_paid_at_their_hour_and_rate() -> None:
    async with both() as at:
        await at.start()
        paper = Paper(at.ours.open_member("m"))
        await paper.place(NewOrder("in", "BTCUSDT", "buy", D("0.01"), "market"))
        due = at.live.bars.funding[0][1]
        at.live.bars.funding[0] = (20_000, at.theirs.wall_ms // MINUTE * MINUTE + MINUTE)  # as if it were due with the next minute
        before, price = (await paper.balance()).wallet, at.ours.instruments[0].price(at.ours.markets[0].point)
        at.live._moments = lambda told: ()  # type: ignore[method-assign]  # tickers would tell of the true one again
        await at.turn()
        assert before - (await paper.balance()).wallet == price * D("0.01") * D("0.0002")
        assert due % (8 * 60 * MINUTE) == 0


async def test_what_they_do_not_trade_is_refused_by_name() -> None:
    with pytest.raises(BadInput, match="NOPEUSDT"):
        async with both(("NOPEUSDT",)):
            pass


GARBAGE = ["", "{", "[]", "null", "pong", "7", '{"event":7}', '{"arg":{}}', '{"arg":{"channel":"trade","instId":"BTCUSDT"},"data":7}'] + [
    f'{{"action":"update","arg":{{"instType":"USDT-FUTURES","channel":"{channel}","instId":"BTCUSDT"}},"data":{data}}}'
    for channel in ("trade", "books15", "ticker")
    for data in ("[7]", "[[]]", "[{}]", "null", '[{"ts":"x","price":"1","size":"1","side":"buy","tradeId":"1"}]',
                 '[{"ts":"1700000041000","price":"-5","size":"1","side":"buy","tradeId":"2"}]',
                 '[{"ts":"1700000041000","price":"1e99","size":"1","side":"buy","tradeId":"3"}]',
                 '[{"ts":"1700000041000","price":"NaN","size":"1","side":"buy","tradeId":"4"}]',
                 '[{"ts":"1700000041000","price":"60000","size":"0","side":"buy","tradeId":"5"}]',
                 '[{"ts":"1700000041000","bids":[["x","1"]],"asks":[]}]', '[{"ts":"1700000041000","bids":"all","asks":{}}]',
                 '[{"ts":"1700000041000","fundingRate":"?","nextFundingTime":"1"}]')]


async def test_garbage_changes_nothing() -> None:
    async with both() as at:
        await at.start()
        await at.trade(600_100)
        for text in GARBAGE:
            await at.live.source.stream._text(text)
        await at.time.go(1_000)
        assert at.ours.markets[0].point == 600_100
        await at.trade(600_200)


@pytest.mark.parametrize(("market", "words"), [("live:kraken", "bitget"), ("live:", "bitget"), ("live:bitget:", "1 to 20"),
                                               ("live:bitget:" + ",".join(f"X{n}USDT" for n in range(21)), "1 to 20")])
def test_a_live_market_is_written_so(market: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        symbols_of(market)


def test_a_live_market_has_no_speed() -> None:
    with pytest.raises(BadInput, match="leave --speed out"):
        venue("live:bitget", speed="2")


async def test_what_cannot_be_reached_is_said_with_what_to_do() -> None:
    with pytest.raises(Unreachable, match="check the address and the network"):
        async with open_live("live:bitget", SystemClock(), rest="http://127.0.0.1:9"):
            pass


async def test_whatever_ends_it_halts_the_market() -> None:
    async with both() as at:
        await at.start()
        assert at.ours.contracts[0].status == "normal"
        await at.stop()
        assert at.live.blind and at.ours.venue.halted and at.ours.contracts[0].status == "maintain"


async def test_after_a_gap_no_order_is_filled_from_the_book_of_before() -> None:
    async with both() as at:
        await at.start()
        before = at.ours.depth(0, 1).asks[0][0]
        await at.faults.add({"kind": "push_missing", "channel": "books15", "count": 1_000})
        await at.faults.add({"kind": "dropped_stream"})
        await at.theirs.trade(610_000)
        await at.until(lambda: at.live.blind, "nobody noticed", 50)
        await at.theirs.trade(610_010)
        await at.time.go(3_000)
        assert at.live.blind, "prices are known again, the book is not"
        at.faults.remove()
        await at.theirs.trade(610_020)
        await at.until(lambda: not at.live.blind, "it never saw again")
        assert at.ours.depth(0, 1).asks[0][0] > before + 9_000
