"""Download against an exchange of our own on a loopback port: broken answers, refusals, partial pages, disorder, interruption."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import polars as pl
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from haechi import cli
from haechi.errors import BadInput
from haechi.markets.bitget_candles import GRANULARITIES, PATH, Bitget, bitget
from haechi.markets.ccxt_candles import ccxt_exchange
from haechi.markets.download import Wanted, download
from haechi.markets.downloading import download_all
from haechi.markets.patience import TRIES_MAX, Unreachable
from haechi.markets.store import Store

MINUTE, DAY = 60_000, 86_400_000
START = 1_700_006_400_000
Answer = Callable[[int, list[list[str]]], Awaitable[web.Response] | web.Response | None]


def row(ts: int) -> list[str]:
    price = 100 + ts // MINUTE % 50
    return [str(ts), f"{price}", f"{price + 2}.5", f"{price - 1}", f"{price + 1}.1", "3.25", "300.1"]


def good(rows: list[list[str]]) -> web.Response:
    return web.json_response({"code": "00000", "msg": "success", "requestTime": 1, "data": rows})


class Exchange:
    """Bars from `first` to `last`, without those in `holes`. `trouble` may answer the n-th request its own way."""

    def __init__(self, first: int = START, last: int = START + 1000 * MINUTE, holes: frozenset[int] = frozenset()) -> None:
        self.first, self.last, self.holes = first, last, holes
        self.asked: list[dict[str, str]] = []
        self.trouble: Callable[[int, list[list[str]]], web.Response | None] = lambda _number, _rows: None

    async def answer(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        self.asked.append(query)
        length = DAY if query["granularity"] == "1Dutc" else MINUTE
        start, end = int(query["startTime"]), int(query["endTime"])
        rows = [row(ts) for ts in range(max(start, self.first // length * length), min(end, self.last), length)
                if ts % length == 0 and ts not in self.holes][:int(query["limit"])]
        return self.trouble(len(self.asked), rows) or good(rows)


class Naps:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.time, self.slept = 1000.0, []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def now(self) -> float:
        return self.time


@pytest.fixture
async def served():
    exchange = Exchange()
    app = web.Application()
    app.router.add_get(PATH, exchange.answer)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    exchange.address = str(server.make_url(""))  # type: ignore[attr-defined]
    yield exchange
    await server.close()


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


def wanted(bars: int = 1000, start: int = START) -> Wanted:
    return Wanted("BTCUSDT", "1m", MINUTE, start, start + bars * MINUTE)


async def fetched(exchange: Any, store: Store, wish: Wanted | None = None, *, naps: Naps | None = None, **more: Any) -> Any:
    naps = naps or Naps()
    async with bitget(exchange.address, sleep=naps.sleep, now=naps.now) as source:
        return await download(source, store, wish or wanted(), **more)


def times(store: Store) -> list[int]:
    return store.read("bitget", "BTCUSDT", "1m")["ts"].to_list()


EXPECTED = [START + place * MINUTE for place in range(1000)]


async def test_all_bars_of_the_time_are_stored_as_the_exchange_gave_them(served, store):
    seen: list[tuple[int, int, str]] = []
    done = await fetched(served, store, progress=lambda *step: seen.append(step))
    assert (done.added, done.stored, done.missing) == (1000, 1000, 0)
    assert times(store) == EXPECTED
    assert store.read("bitget", "BTCUSDT", "1m").row(7) == (START + 7 * MINUTE, *(float(text) for text in row(START + 7 * MINUTE)[1:6]))
    assert [step[:2] for step in seen] == [(page, 6) for page in range(6)]
    assert all(query["productType"] == "USDT-FUTURES" and int(query["limit"]) <= 200 for query in served.asked)
    assert len(served.asked) == 6


async def test_a_second_run_asks_only_for_what_is_missing(served, store):
    await fetched(served, store, wanted(600))
    served.asked.clear()
    done = await fetched(served, store)
    assert done.added == 400 and times(store) == EXPECTED
    assert min(int(query["startTime"]) for query in served.asked) >= START + 597 * MINUTE  # the page in which the first run ended
    served.asked.clear()
    assert (await fetched(served, store)).added == 0
    assert served.asked == []


async def test_what_has_come_is_kept_when_the_exchange_dies_and_the_next_run_goes_on(served, store):
    served.trouble = lambda number, _rows: web.Response(status=503) if number > 3 else None
    naps = Naps()
    with pytest.raises(Unreachable, match=r"HTTP 503.*run it again"):
        await fetched(served, store, naps=naps)
    assert times(store) == EXPECTED[:3 * 199]
    assert [round(nap) for nap in naps.slept if nap > 0.5] == [1, 2, 4, 8, 16, 32]
    assert len(served.asked) == 3 + TRIES_MAX
    served.trouble = lambda _number, _rows: None
    assert (await fetched(served, store)).added == 1000 - 3 * 199
    assert times(store) == EXPECTED


async def test_an_interruption_keeps_what_has_come(served, store):
    task: list[asyncio.Task[Any]] = []

    def stop(number: int, _rows: list[list[str]]) -> None:
        if number == 4:
            task[0].cancel()

    served.trouble = stop
    task.append(asyncio.ensure_future(fetched(served, store)))
    with pytest.raises(asyncio.CancelledError):
        await task[0]
    assert times(store) == EXPECTED[:3 * 199]
    served.trouble = lambda _number, _rows: None
    await fetched(served, store)
    assert times(store) == EXPECTED


async def test_too_many_requests_are_waited_for_as_long_as_the_exchange_says(served, store):
    served.trouble = lambda number, _rows: web.Response(status=429, headers={"Retry-After": "7"}) if number == 2 else None
    naps = Naps()
    await fetched(served, store, naps=naps)
    assert 7 in naps.slept and times(store) == EXPECTED


async def test_the_pace_is_kept(served, store):
    naps = Naps()
    await fetched(served, store, naps=naps)
    assert naps.time - 1000 == pytest.approx(0.1 * (len(served.asked) - 1))


PASSING = {
    "a 500": lambda rows: web.Response(status=500, text="oops"),
    "a page of HTML": lambda rows: web.Response(text="<html>maintenance</html>", content_type="text/html"),
    "half an answer": lambda rows: web.Response(text=json.dumps({"code": "00000", "data": rows})[:-30]),
    "an answer of nothing": lambda rows: web.Response(text=""),
    "another shape": lambda rows: web.json_response([1, 2, 3]),
    "no list": lambda rows: web.json_response({"code": "00000", "data": None}),
    "a short row": lambda rows: good([*rows[:5], rows[5][:4]]),
    "a word for a price": lambda rows: good([*rows[:5], [rows[5][0], "n/a", *rows[5][2:]]]),
    "bytes that are no text": lambda rows: web.Response(body=b'{"code": "\xff\xfe"}'),
    "the code of too many requests": lambda rows: web.json_response({"code": "429", "msg": "Too many requests", "data": None}),
    "the code of a server upgrade": lambda rows: web.json_response({"code": "40200", "msg": "Server upgrade", "data": None}),
}


@pytest.mark.parametrize("broken", PASSING.values(), ids=PASSING)
async def test_a_broken_answer_is_asked_for_again(broken, served, store):
    served.trouble = lambda number, rows: broken(rows) if number == 2 else None
    naps = Naps()
    await fetched(served, store, naps=naps)
    assert times(store) == EXPECTED and 1.0 in naps.slept


MESSY = {
    "unordered": lambda rows: rows[::-1],
    "doubled": lambda rows: rows + rows[:50],
    "cut at the end": lambda rows: rows[:70],
    "cut at the beginning": lambda rows: rows[-70:],
    "with the bar after the end": lambda rows: rows + [row(int(rows[-1][0]) + MINUTE)],
}


@pytest.mark.parametrize("mess", MESSY.values(), ids=MESSY)
async def test_disorder_and_partial_pages_end_in_the_same_bars(mess, served, store):
    served.trouble = lambda _number, rows: good(mess(rows)) if rows else None
    done = await fetched(served, store)
    assert times(store) == EXPECTED and done.missing == 0


async def test_bars_the_exchange_does_not_have_stay_a_gap(served, store):
    served.holes = frozenset(START + place * MINUTE for place in range(300, 310))
    done = await fetched(served, store)
    assert (done.stored, done.missing) == (990, 10)
    assert times(store) == [ts for ts in EXPECTED if ts not in served.holes]


IMPOSSIBLE = {
    "high below low": ({2: "1", 3: "90"}, "high"), "a price of 0": ({3: "0"}, "greater than 0"),
    "NaN": ({1: "NaN"}, "open is missing or NaN"),
    "off the grid": ({0: str(START + 5)}, "UTC grid"),
}


@pytest.mark.parametrize(("changes", "named"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
async def test_an_impossible_bar_ends_the_download_with_its_reason_and_is_not_stored(changes, named, served, store):
    def wrong(number: int, rows: list[list[str]]) -> web.Response | None:
        bad = [changes.get(place, text) for place, text in enumerate(rows[9])]
        return good([*rows[:9], bad, *rows[10:]]) if number == 3 else None

    served.trouble = wrong
    with pytest.raises(BadInput, match=f"bitget gives an impossible bar of BTCUSDT 1m at 2023-11-.*{named}"):
        await fetched(served, store)
    assert times(store) == EXPECTED[:2 * 199]


async def test_two_different_bars_of_one_time_are_refused(served, store):
    served.trouble = lambda _number, rows: good([*rows, [*rows[3][:5], "99", "1"]])
    with pytest.raises(BadInput, match="two different bars"):
        await fetched(served, store)
    assert not store.has("bitget", "BTCUSDT", "1m")


async def test_a_refusal_is_told_in_the_exchanges_words_and_not_repeated(served, store):
    served.trouble = lambda _number, _rows: web.json_response({"code": "40102", "msg": "Symbol does not exist", "data": None}, status=400)
    with pytest.raises(BadInput, match=r"Symbol does not exist \(code 40102\)"):
        await fetched(served, store)
    assert len(served.asked) == 1


async def test_years_before_the_market_began_cost_a_request_a_quarter(served, store):
    served.first, served.last = START + 90 * MINUTE, START + 3 * DAY
    done = await fetched(served, store, Wanted("BTCUSDT", "1m", MINUTE, START - 730 * DAY, START + 400 * MINUTE))
    assert done.stored == 310 and times(store)[0] == START + 90 * MINUTE
    assert len(served.asked) < 20


async def test_a_stored_bar_that_differs_is_not_overwritten_unless_asked(served, store):
    await fetched(served, store, wanted(100))
    other = store.read("bitget", "BTCUSDT", "1m").with_columns(volume=pl.lit(1.0))
    store.add(other, venue="bitget", symbol="BTCUSDT", timeframe_name="1m", policy="replace")
    with pytest.raises(BadInput, match="--replace"):
        await fetched(served, store, wanted(150))
    done = await fetched(served, store, wanted(150), policy="replace")
    assert (done.added, done.replaced) == (50, 100)


def test_every_timeframe_has_a_word_of_bitget_that_is_counted_in_utc():
    assert {name: GRANULARITIES[name] for name in ("1m", "30m", "1h", "4h", "6h", "1d", "1w")} == {
        "1m": "1m", "30m": "30m", "1h": "1H", "4h": "4H", "6h": "6Hutc", "1d": "1Dutc", "1w": "1Wutc"}


def test_a_page_never_asks_for_more_than_ninety_days():
    source = Bitget(None, None, "")  # type: ignore[arg-type]
    assert source.bars_max(MINUTE) == 199 and source.bars_max(7 * DAY) * 7 * DAY <= 90 * DAY


async def test_the_command_line_downloads(served, tmp_path, capsys):
    arguments = ["data", "download", "btcusdt", "--from", "2023-11-15", "--to", "2023-11-15T05:00", "--address", served.address,
                 "--store", str(tmp_path)]
    assert await asyncio.to_thread(cli.run, arguments) == 0
    assert "300 bars added; 300 are stored" in capsys.readouterr().out


WRONG = {
    "an empty time": ({"start": "2024-01-02", "end": "2024-01-01"}, "no finished 1m bar"),
    "the future": ({"start": "2999-01-01"}, "no finished 1m bar"),
    "a word for a time": ({"start": "yesterday"}, "'yesterday' is not a time"),
    "too much": ({"start": "1980-01-01"}, "choose a shorter time"),
    "no timeframe": ({"timeframe": "7m"}, "'7m' is not a timeframe"),
    "no symbol": ({"symbols": ["BTC/USDT"]}, "not a symbol"),
    "an address for another": ({"exchange": "binance", "address": "http://x"}, "bitget only"),
    "an invented market": ({"exchange": "synthetic"}, "haechi data sample"),
}


@pytest.mark.parametrize(("given", "named"), WRONG.values(), ids=WRONG)
def test_a_wrong_wish_is_refused_before_anything_is_asked(given, named, store):
    wish = {"symbols": ["BTCUSDT"], "exchange": "bitget", "timeframe": "1m", "start": "2024-01-01", "end": None, "address": None,
            "policy": "refuse"}
    with pytest.raises(BadInput, match=named):
        list(download_all(store, **{**wish, **given}))


async def test_without_ccxt_other_exchanges_are_refused_with_the_command_that_installs_it():
    def nowhere(name: str) -> Any:
        raise ImportError(name)

    with pytest.raises(BadInput, match=r"pip install 'haechi\[ccxt\]'"):
        async with ccxt_exchange("binance", load=nowhere):
            pass


class FakeCcxt:
    """What is used of ccxt.async_support: one exchange with 1,000 bars that gives 120 at a time, from `since` on, and fails once."""

    exchanges = ["binance"]

    class BaseError(Exception):
        pass

    class NetworkError(BaseError):
        pass

    def __init__(self) -> None:
        self.calls, self.closed, self.timeframes = 0, False, {"1m": "1m"}

    def binance(self, _options: dict[str, Any]) -> FakeCcxt:
        return self

    async def load_markets(self) -> dict[str, Any]:
        return {"BTC/USDT": {"id": "BTCUSDT", "swap": False}, "BTC/USDT:USDT": {"id": "BTCUSDT", "swap": True, "linear": True}}

    async def fetch_ohlcv(self, market: str, timeframe: str, *, since: int, limit: int) -> list[list[float]]:
        assert (market, timeframe) == ("BTC/USDT:USDT", "1m")
        self.calls += 1
        if self.calls == 2:
            raise self.NetworkError("connection reset")
        return [[int(text[0]), *map(float, text[1:6])] for text in (row(since + place * MINUTE) for place in range(min(limit, 120)))]

    async def close(self) -> None:
        self.closed = True


async def test_an_exchange_of_ccxt_fills_the_store_of_its_name(store):
    fake, naps = FakeCcxt(), Naps()
    async with ccxt_exchange("binance", sleep=naps.sleep, load=lambda _name: fake) as source:
        done = await download(source, store, wanted())
    assert done.stored == 1000 and fake.closed
    assert store.read("binance", "BTCUSDT", "1m")["ts"].to_list() == EXPECTED


async def test_a_symbol_or_exchange_ccxt_does_not_know_is_named(store):
    fake = FakeCcxt()
    with pytest.raises(BadInput, match="did you mean BTCUSDT"):
        async with ccxt_exchange("binance", load=lambda _name: fake) as source:
            await download(source, store, wanted()._replace(symbol="BTCUSDX"))
    with pytest.raises(BadInput, match="did you mean binance"):
        async with ccxt_exchange("binanse", load=lambda _name: fake):
            pass
