"""The small face for scripts, and the requests themselves, against a server that checks every byte."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from bitget_stub import AT, talking

from haechi.exchanges.errors import Refused, Unreachable
from haechi.exchanges.port import Accepted, Rejected, Unknown


async def test_the_balance_is_exact_and_its_wallet_without_open_profit() -> None:
    async with talking() as (_, client):
        balance = await client.fetch_balance()
        assert (balance.wallet, balance.equity, balance.available) == (Decimal(100), Decimal("105.5"), Decimal("80.25"))


async def test_a_market_order_goes_out_under_our_id_with_exact_text() -> None:
    async with talking() as (stub, client):
        assert await client.place_market_order("btcusdt", "buy", Decimal("0.010"), "USDT") == Accepted("77")
        sent, head = stub.last("place-order")
        assert sent == {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "marginCoin": "USDT", "size": "0.010", "clientOid": "script-1",
                        "marginMode": "crossed", "side": "buy", "reduceOnly": "NO", "orderType": "market"}
        assert head["ACCESS-TIMESTAMP"] == str(AT)
        assert "paptrading" not in head


async def test_reduce_only_and_the_demo_switch_are_sent() -> None:
    async with talking(demo=True) as (stub, client):
        await client.place_market_order("BTCUSDT", "sell", Decimal("0.01"), "USDT", reduce_only=True, client_id="mine")
        sent, head = stub.last("place-order")
        assert (sent["reduceOnly"], sent["clientOid"], head["paptrading"]) == ("YES", "mine", "1")


async def test_another_margin_coin_is_refused_here() -> None:
    async with talking() as (stub, client):
        assert await client.place_market_order("BTCUSDT", "buy", Decimal("0.01"), "USDC") == Rejected("margin_coin", "USDC")
        assert stub.came == []


@pytest.mark.parametrize("raw", [{"body": b'{"code":"00000","data":{"orde'}, {"body": b"<html>", "status": 502}, {"body": b"", "status": 200},
                                 {"body": b"{}", "status": 301, "headers": {"Location": "/elsewhere"}}])
async def test_an_unreadable_answer_to_an_order_is_unknown(raw: dict[str, Any]) -> None:
    async with talking() as (stub, client):
        await client.place_market_order("BTCUSDT", "buy", Decimal("0.01"), client_id="first")
        stub.raw = raw
        assert isinstance(await client.place_market_order("BTCUSDT", "buy", Decimal("0.01")), Unknown)


async def test_a_balance_that_cannot_be_read_is_absent_not_zero() -> None:
    async with talking() as (stub, client):
        stub.replies["/api/v2/mix/account/accounts"] = [{"marginCoin": "USDT", "accountEquity": None, "crossedMaxAvailable": "1"}]
        with pytest.raises(Unreachable, match="cannot be read"):
            await client.fetch_balance()
        stub.replies["/api/v2/mix/account/accounts"] = []
        with pytest.raises(Unreachable, match="no USDT"):
            await client.fetch_balance()


async def test_a_read_is_asked_again_and_then_given_up_with_a_sentence() -> None:
    async with talking() as (stub, client):
        stub.raw = {"status": 503, "text": "busy"}
        with pytest.raises(Unreachable, match="does not answer"):
            await client.fetch_balance()
        assert len([path for path, _, _ in stub.came if path.endswith("accounts")]) == 3


async def test_a_clear_no_is_not_asked_again() -> None:
    async with talking() as (stub, client):
        stub.raw = {"status": 400, "text": '{"code":"40014","msg":"Incorrect permissions","data":null}'}
        with pytest.raises(Refused, match="40014"):
            await client.fetch_balance()
        assert len([path for path, _, _ in stub.came if path.endswith("accounts")]) == 1


async def test_the_query_is_signed_exactly_as_it_is_sent() -> None:
    async with talking() as (stub, client):
        stub.replies["/api/v2/mix/order/fills"] = {"fillList": []}
        assert await client._account.evidence.fills(symbol="A+B C&D=ü") == []  # noqa: SLF001
        assert stub.last("/fills")[0]["symbol"] == "A+B C&D=ü"
