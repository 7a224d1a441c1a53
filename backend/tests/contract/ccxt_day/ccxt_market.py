"""What ccxt reads of the market."""

from __future__ import annotations

from ccxt_steps import BTC, ETH, Steps, close_to, same


async def markets_are_loaded(day: Steps) -> None:
    markets = await day.do("load_markets")
    btc = markets[BTC]
    same((btc["swap"], btc["linear"], btc["active"], btc["settle"], btc["contractSize"]), (True, True, True, "USDT", 1), "BTC")
    close_to(btc["precision"]["price"], 0.1, "tick")
    close_to(btc["precision"]["amount"], 0.001, "lot")
    close_to(btc["taker"], 0.0006, "taker")
    close_to(btc["limits"]["cost"]["min"], 5, "least cost")
    close_to(markets[ETH]["precision"]["price"], 0.01, "tick of ETH")


async def the_clock_is_told(day: Steps) -> None:
    assert abs(await day.do("fetch_time") - day.client.milliseconds()) < 5000


async def a_ticker(day: Steps) -> None:
    ticker = await day.do("fetch_ticker", BTC)
    close_to(ticker["last"], 60_000, "last")
    assert ticker["bid"] < ticker["ask"] and ticker["bidVolume"] > 0 and ticker["askVolume"] > 0, ticker
    close_to(ticker["markPrice"], 60_000, "mark")
    assert ticker["high"] >= ticker["last"] >= ticker["low"] > 0 and ticker["baseVolume"] > 0 and ticker["timestamp"], ticker


async def all_tickers(day: Steps) -> None:
    tickers = await day.do("fetch_tickers", [BTC, ETH])
    same(set(tickers), {BTC, ETH})
    close_to(tickers[ETH]["last"], 3000)
    close_to((await day.do("fetch_mark_price", BTC))["markPrice"], 60_000)


async def the_book(day: Steps) -> None:
    book = await day.do("fetch_order_book", BTC)
    assert len(book["bids"]) >= 50 and len(book["asks"]) >= 50, (len(book["bids"]), len(book["asks"]))
    bids, asks = [row[0] for row in book["bids"]], [row[0] for row in book["asks"]]
    same((bids, asks), (sorted(bids, reverse=True), sorted(asks)), "order of the book")
    assert bids[0] < asks[0], (bids[0], asks[0])
    for limit in (1, 5, 15, 50, 100):
        short = await day.do("fetch_order_book", BTC, limit)
        assert len(short["bids"]) <= limit and short["bids"][0][0] == bids[0], (limit, short["bids"][:2])


async def candles(day: Steps) -> None:
    rows = await day.do("fetch_ohlcv", BTC, "1m", None, 20)
    same(len(rows), 20, "bars")
    same([b[0] - a[0] for a, b in zip(rows, rows[1:], strict=False)], [60_000] * 19, "steps of time")
    close_to(rows[-2][2], 60_000.2, "high")
    close_to(rows[-2][3], 59_999.8, "low")
    close_to(rows[-2][5], 4.5, "volume")
    since = rows[3][0]
    again = await day.do("fetch_ohlcv", BTC, "1m", since, 5)
    same([row[0] for row in again], [since + n * 60_000 for n in range(5)], "bars since")
    assert await day.do("fetch_ohlcv", BTC, "5m", None, 5)
    assert await day.do("fetch_ohlcv", BTC, "1m", None, 5, {"price": "mark"})
    assert await day.do("fetch_ohlcv", BTC, "1m", None, 5, {"price": "index"})
    assert await day.do("fetch_ohlcv", BTC, "1d", None, 2)


async def public_trades(day: Steps) -> None:
    trades = await day.do("fetch_trades", BTC, None, 10)
    same(len(trades), 10, "trades")
    assert all(one["side"] in ("buy", "sell") and one["amount"] == 1.5 and one["id"] for one in trades), trades[0]
    same([one["timestamp"] for one in trades], sorted(one["timestamp"] for one in trades), "order of trades")


async def funding(day: Steps) -> None:
    rate = await day.do("fetch_funding_rate", BTC)
    close_to(rate["fundingRate"], 0.0001, "rate")
    assert rate["fundingTimestamp"] > day.client.milliseconds() or rate["nextFundingTimestamp"], rate
    rates = await day.do("fetch_funding_rates", [BTC, ETH])
    same(set(rates), {BTC, ETH})
    past = await day.do("fetch_funding_rate_history", BTC)
    same([one["fundingRate"] for one in past], [0.0001], "past rates")
    same((await day.do("fetch_funding_interval", BTC))["interval"], "8h")
    assert (await day.do("fetch_open_interest", BTC))["openInterestAmount"] > 0


async def tiers_and_fees(day: Steps) -> None:
    tiers = await day.do("fetch_market_leverage_tiers", BTC)
    same([(one["minNotional"], one["maxNotional"], one["maintenanceMarginRate"], one["maxLeverage"]) for one in tiers],
         [(0, 150_000, 0.004, 125), (150_000, 900_000, 0.005, 100), (900_000, 100_000_000, 0.01, 50)], "tiers")
    fee = await day.do("fetch_trading_fee", BTC)
    close_to(fee["maker"], 0.0002, "maker")
    close_to(fee["taker"], 0.0006, "taker")


STEPS = (markets_are_loaded, the_clock_is_told, a_ticker, all_tickers, the_book, candles, public_trades, funding, tiers_and_fees)
