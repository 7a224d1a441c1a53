"""Exchanges through ccxt: what is read becomes house values, and the orders of binance, bybit and okx have the right shape (never sent)."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from haechi.errors import BadInput
from haechi.exchanges.ccxt import CcxtExchange, ccxt_exchange
from haechi.exchanges.errors import Refused, Unreachable
from haechi.exchanges.port import NewOrder

# ccxt names exact versions of libraries that the platform has newer: it lives in an environment of its own, and is borrowed from there.
BORROWED = next((Path(sys.prefix) / "ccxt" / "lib").glob("python3*/site-packages"), None)
NAME = "BTC/USDT:USDT"
MARKET = {"id": "BTCUSDT", "symbol": NAME, "base": "BTC", "quote": "USDT", "settle": "USDT", "baseId": "BTC", "quoteId": "USDT",
          "settleId": "USDT", "type": "swap", "spot": False, "margin": False, "swap": True, "future": False, "option": False, "linear": True,
          "inverse": False, "subType": "linear", "contract": True, "active": True, "contractSize": 1.0, "maker": 0.0002, "taker": 0.0005,
          "precision": {"price": 0.1, "amount": 0.001}, "limits": {"amount": {"min": 0.001}, "cost": {"min": 100.0}, "price": {}},
          "info": {"contractType": "PERPETUAL", "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET"]}}


class NetworkError(Exception):
    pass


class Client:
    """What CcxtExchange uses of a ccxt client, answering from memory."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {"load_markets": {NAME: MARKET, "ETH/BTC": {"swap": False}}, **answers}

    def __getattr__(self, name: str) -> Any:
        async def give(*_: Any, **__: Any) -> Any:
            answer = self.answers[name]
            if isinstance(answer, Exception):
                raise answer
            return answer
        return give


ERRORS = SimpleNamespace(NetworkError=NetworkError, BaseError=Exception)


def an_exchange(**answers: Any) -> CcxtExchange:
    return CcxtExchange("okx", Client(**answers), ERRORS, timeframe_ms=60_000)


async def test_contracts_are_instruments_with_sizes_in_base_coin() -> None:
    small = {**MARKET, "contractSize": 0.01, "precision": {"price": 0.1, "amount": 1.0}, "limits": {"amount": {"min": 1.0}}}
    (one,) = await an_exchange(load_markets={NAME: small}).markets()
    assert (one.symbol, one.tick, one.lot, one.min_quantity) == ("BTCUSDT", Decimal("0.1"), Decimal("0.01"), Decimal("0.010"))


async def test_the_bar_that_is_still_open_is_left_out() -> None:
    rows = [[0, 1.0, 2.5, 0.5, 1.5, 10.0], [60_000, 1.5, 1.6, 1.4, 1.55, 11.0], [120_000, 1.5, 1.6, 1.4, 1.55, 1.0]]
    bars = await an_exchange(fetch_ohlcv=rows).bars("BTCUSDT", 2)
    assert [(bar.ts, bar.close) for bar in bars] == [(0, Decimal("1.5")), (60_000, Decimal("1.55"))]


async def test_balance_and_positions_are_exact_and_never_made_up() -> None:
    held = {"symbol": NAME, "side": "short", "contracts": 3.0, "contractSize": 0.01, "entryPrice": 60000.1, "unrealizedPnl": -2.5,
            "liquidationPrice": None}
    exchange = an_exchange(fetch_balance={"total": {"USDT": 100.0}, "free": {"USDT": 40.5}}, fetch_positions=[held])
    balance = await exchange.balance()
    assert (balance.wallet, balance.equity, balance.available) == (Decimal("102.5"), Decimal(100), Decimal("40.5"))
    (position,) = await exchange.positions()
    assert (position.quantity, position.entry, position.liquidation) == (Decimal("-0.03"), Decimal("60000.1"), None)
    with pytest.raises(Unreachable, match="no free USDT"):
        await an_exchange(fetch_balance={"total": {"USDT": 1.0}}, fetch_positions=[]).balance()


async def test_failures_have_sentences() -> None:
    with pytest.raises(Unreachable, match="okx does not answer"):
        await an_exchange(load_markets=NetworkError("down")).markets()
    with pytest.raises(Refused, match="okx refuses"):
        await an_exchange(load_markets=ValueError("no")).markets()
    with pytest.raises(BadInput, match="did you mean BTCUSDT"):
        await an_exchange().bars("BTCUSD", 5)


async def test_without_the_extra_one_is_told_what_to_install() -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    with pytest.raises(BadInput, match=r"pip install 'haechi\[ccxt\]'"):
        async with ccxt_exchange("binance", timeframe_ms=60_000, load=missing):
            pass


def test_ccxt_is_not_loaded_before_it_is_asked_for() -> None:
    import subprocess
    code = "import sys, haechi.exchanges.ccxt; sys.exit(any(name == 'ccxt' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---- with ccxt itself

def borrowed(name: str) -> Any:
    """ccxt from its own environment; what both have comes from ours."""
    sys.path.append(str(BORROWED))
    try:
        return import_module(name)
    finally:
        sys.path.remove(str(BORROWED))


@asynccontextmanager
async def real(name: str) -> AsyncIterator[CcxtExchange]:
    if BORROWED is None:
        pytest.skip("no environment with ccxt: `make test` makes it")
    async with ccxt_exchange(name, timeframe_ms=60_000, key="k", secret="s", passphrase="p", load=borrowed) as exchange:
        market = {**MARKET, "id": {"okx": "BTC-USDT-SWAP"}.get(name, "BTCUSDT")}
        exchange.client.set_markets([market])
        exchange.client.options |= {"enableUnifiedMargin": False, "enableUnifiedAccount": True}  # bybit would ask for it first
        yield exchange


def given(body: str) -> dict[str, str]:
    """What is asked, of a JSON or a form body; signatures and broker tags left aside."""
    if body.startswith(("{", "[")):
        read = json.loads(body)
        return {key: str(value) for key, value in (read[0] if isinstance(read, list) else read).items()}
    return dict(parse_qsl(body))


ORDER = NewOrder("haechi1", "BTCUSDT", "buy", Decimal("0.010"), "limit", Decimal("60000.5"))
SHAPES = {
    "binance": {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01", "price": "60000.5", "newClientOrderId": "haechi1",
                "timeInForce": "GTC"},
    "bybit": {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "60000.5", "orderLinkId": "haechi1"},
    "okx": {"instId": "BTC-USDT-SWAP", "side": "buy", "ordType": "limit", "sz": "0.01", "px": "60000.5", "clOrdId": "haechi1"},
}


@pytest.mark.parametrize("name", SHAPES)
async def test_a_limit_order_has_the_exchanges_shape_and_is_not_sent(name: str) -> None:
    async with real(name) as exchange:
        shape = await exchange.shape(ORDER)
        assert shape.method == "POST"
        assert given(shape.body).items() >= SHAPES[name].items(), shape


@pytest.mark.parametrize(("name", "field", "value"), [("binance", "reduceOnly", "true"), ("bybit", "reduceOnly", "True"),
                                                      ("okx", "reduceOnly", "True")])
async def test_a_reducing_market_order_says_so(name: str, field: str, value: str) -> None:
    async with real(name) as exchange:
        shape = await exchange.shape(NewOrder("haechi2", "BTCUSDT", "sell", Decimal("0.01"), "market", reduce_only=True))
        assert given(shape.body)[field].lower() == value.lower(), shape


@pytest.mark.parametrize("name", SHAPES)
async def test_a_post_only_order_and_a_stop_have_a_request(name: str) -> None:
    async with real(name) as exchange:
        post = await exchange.shape(NewOrder("haechi3", "BTCUSDT", "buy", Decimal("0.01"), "post_only", Decimal(59000)))
        assert any(word in post.body for word in ("GTX", "PostOnly", "post_only")), post
        stop = await exchange.shape(NewOrder("haechi4", "BTCUSDT", "sell", Decimal("0.01"), "stop", None, Decimal(58000), True))
        assert "58000" in stop.body, stop


async def test_an_exchange_nobody_knows_is_named() -> None:
    if BORROWED is None:
        pytest.skip("no environment with ccxt: `make test` makes it")
    with pytest.raises(BadInput, match="did you mean binance"):
        async with ccxt_exchange("binanc", timeframe_ms=60_000, load=borrowed):
            pass
