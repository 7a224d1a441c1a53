"""Who may ask what: signatures, time, passphrase, address, permission."""

from __future__ import annotations

import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer
from trading_floor import trading
from wire_caller import ACCOUNT, ANN, BOB, BTC, NOW, ORDER, READER, Caller, signature

from haechi.venue.faults import Faults
from haechi.venue.records import ApiKey
from haechi.venue.wire.server import make_app
from haechi.venue.wire.signing import sign, verify_login

SECRET, AT = "22582BD0CFF14C41EDBF1AB98506286D", "1695806875837"
QUERY = ACCOUNT + "account?marginCoin=USDT&productType=USDT-FUTURES&symbol=BTCUSDT"
BODY = (b'{"symbol":"BTCUSDT","productType":"USDT-FUTURES","marginMode":"isolated","marginCoin":"USDT","size":"0.01","price":"27000",'
        b'"side":"buy","orderType":"limit","force":"gtc","clientOid":"haechi-1"}')


@pytest.mark.parametrize(("timestamp", "method", "path", "body", "wanted"), [
    (AT, "GET", QUERY, b"", "9jXBq10Wq6Yl9uNEyRC1jpaKs0bXYnHU2IWoVAQAm9c="),
    (AT, "POST", ORDER + "place-order", BODY, "n14I6P329EZRyGKO2pYULnKID8zWD5wPNuN63oFxk60="),
    (AT, "GET", "/api/v3/account/settings", b"", "sQfI3uBdUGaHA2WEcskBYQwIqpnTXjA+Gw8Q7Y8d1P8="),
    ("1695806875", "GET", "/user/verify", b"", "/N0Q/MGH9iPZzUD7RloQ5+85Q036jhc/ccu2NZsA5T0="),
    (AT, "GET", "/user/verify", b"", "cq9KNCEQvUogSRJ0Y1Y19UsFqE81KdQYfM30HuGkDOI=")])
def test_the_worked_signatures_of_the_protocol(timestamp: str, method: str, path: str, body: bytes, wanted: str) -> None:
    assert sign(SECRET, timestamp, method, path, body) == wanted == signature(SECRET, timestamp, method, path, body)


def test_a_socket_login_is_signed_over_its_time() -> None:
    key = ApiKey("k", SECRET, "p", "ann")
    assert verify_login(key, "1695806875", "/N0Q/MGH9iPZzUD7RloQ5+85Q036jhc/ccu2NZsA5T0=")
    assert not verify_login(key, "1695806876", "/N0Q/MGH9iPZzUD7RloQ5+85Q036jhc/ccu2NZsA5T0=")


WRONG = [
    ({"ACCESS_KEY": ""}, "40001"), ({"ACCESS_SIGN": ""}, "40002"), ({"ACCESS_TIMESTAMP": ""}, "40005"), ({"ACCESS_PASSPHRASE": ""}, "40011"),
    ({"ACCESS_KEY": "bg_nobody"}, "40037"), ({"ACCESS_SIGN": "AAAA"}, "40009"), ({"ACCESS_SIGN": "\u00e9\u00fc"}, "40009"),
    ({"ACCESS_PASSPHRASE": "passphrase9"}, "40012"), ({"ACCESS_PASSPHRASE": "passwort-\u00fc"}, "40012"),
    ({"ACCESS_TIMESTAMP": "soon"}, "40005"), ({"ACCESS_TIMESTAMP": "-5"}, "40005"), ({"ACCESS_TIMESTAMP": "\u0663\u0664"}, "40005"),
    ({"ACCESS_TIMESTAMP": "9" * 40}, "40005"), ({"ACCESS_TIMESTAMP": "1.7e12"}, "40005"),
    ({"ACCESS_TIMESTAMP": str(NOW - 30_001)}, "40008"), ({"ACCESS_TIMESTAMP": str(NOW + 30_001)}, "40008")]


@pytest.mark.parametrize(("changed", "code"), WRONG)
async def test_a_request_that_proves_nothing_is_refused(rest: Caller, changed: dict[str, str], code: str) -> None:
    if changed.get("ACCESS_TIMESTAMP") == "":
        changed = {**changed, "ACCESS_SIGN": "AAAA"}
    reply = await rest.get(ACCOUNT + "accounts", {"productType": "USDT-FUTURES"}, **changed)
    assert (reply.status, reply.code, reply.whole["data"]) == (400, code, None)


@pytest.mark.parametrize("timestamp", [NOW - 29_999, NOW + 29_999, NOW])
async def test_thirty_seconds_either_way_are_granted(rest: Caller, timestamp: int) -> None:
    assert (await rest.get(ACCOUNT + "accounts", {"productType": "USDT-FUTURES"}, ACCESS_TIMESTAMP=str(timestamp))).data


@pytest.mark.parametrize("query", [
    "symbol=BTCUSDT&productType=USDT-FUTURES&marginCoin=USDT", "marginCoin=USDT&productType=USDT-FUTURES&symbol=BTCUSDT",
    "marginCoin=USDT&productType=USDT%2DFUTURES&symbol=BTCUSDT&note=a+b%26c"])
async def test_the_query_is_signed_as_it_was_sent_in_any_order(rest: Caller, query: str) -> None:
    assert (await rest.get(ACCOUNT + "account", query)).data["marginCoin"] == "USDT"


async def test_the_decoded_query_may_be_signed_too(rest: Caller) -> None:
    path = ACCOUNT + "account?marginCoin=USDT&productType=USDT%2DFUTURES&symbol=BTCUSDT"
    assert (await rest.send("GET", path, b"", {}, signed_path=path.replace("%2D", "-"))).data["marginCoin"] == "USDT"
    assert (await rest.send("GET", path, b"", {}, signed_path=path.replace("%2D", "_"))).code == "40009"


async def test_a_body_changed_on_the_way_is_refused_and_changes_nothing(rest: Caller) -> None:
    good = b'{"productType":"USDT-FUTURES","posMode":"hedge_mode"}'
    stamp = signature(ANN.secret, str(NOW), "POST", ACCOUNT + "set-position-mode", good)
    reply = await rest.post(ACCOUNT + "set-position-mode", good.replace(b"hedge_mode", b"one_way_mode"), ACCESS_SIGN=stamp)
    assert reply.code == "40009"
    assert (await rest.post(ACCOUNT + "set-position-mode", good, ACCESS_SIGN=stamp)).data == {"posMode": "hedge_mode"}


async def test_anothers_secret_opens_nothing(rest: Caller) -> None:
    thief = msgspec.structs.replace(ANN, secret="secret-of-bob")
    assert (await rest.as_key(thief).get(ACCOUNT + "accounts", {"productType": "USDT-FUTURES"})).code == "40009"


async def test_a_reading_key_reads_and_may_not_trade(rest: Caller) -> None:
    reader = rest.as_key(READER)
    assert (await reader.get(ACCOUNT + "accounts", {"productType": "USDT-FUTURES"})).data
    refused = await reader.place()
    assert (refused.status, refused.code) == (400, "40014")
    assert "trade" in refused.whole["msg"]
    assert (await reader.post(ACCOUNT + "set-leverage", {**BTC, "leverage": "5"})).code == "40014"


async def test_a_key_without_the_right_may_not_transfer(rest: Caller) -> None:
    body = {"fromType": "spot", "toType": "usdt_futures", "amount": "5", "coin": "USDT", "symbol": ""}
    assert (await rest.as_key(READER).post("/api/v2/spot/wallet/transfer", body)).code == "40014"
    assert (await rest.post("/api/v2/spot/wallet/transfer", body)).data["transferId"]


async def test_a_revoked_key_is_unknown_from_the_next_request_on(rest: Caller) -> None:
    rest.played.floor.keys[ANN.key] = msgspec.structs.replace(ANN, revoked=True)
    assert (await rest.get(ACCOUNT + "accounts", {"productType": "USDT-FUTURES"})).code == "40037"


async def test_a_key_bound_to_addresses_works_from_them_alone(rest: Caller) -> None:
    keys = rest.played.floor.keys
    keys[ANN.key] = msgspec.structs.replace(ANN, ips=("192.0.2.7",))
    assert (await rest.get(ACCOUNT + "accounts", {"productType": "USDT-FUTURES"})).code in ("40018", "40038")
    keys[ANN.key] = msgspec.structs.replace(ANN, ips=("192.0.2.7", "127.0.0.1"))
    assert (await rest.get(ACCOUNT + "accounts", {"productType": "USDT-FUTURES"})).data


async def test_a_demo_key_needs_the_demo_header(rest: Caller) -> None:
    rest.played.floor.keys[ANN.key] = msgspec.structs.replace(ANN, demo=True)
    assert (await rest.get(ACCOUNT + "accounts", {"productType": "USDT-FUTURES"})).code != "00000"
    assert (await rest.get(ACCOUNT + "accounts", {"productType": "USDT-FUTURES"}, PAPTRADING="1")).data


async def test_members_see_nothing_of_each_other(rest: Caller) -> None:
    order_id = (await rest.limit("50000")).data["orderId"]
    bob = rest.as_key(BOB)
    assert (await bob.get(ORDER + "orders-pending", {"productType": "USDT-FUTURES"})).data["entrustedList"] in (None, [])
    assert (await bob.get(ORDER + "detail", {**BTC, "orderId": order_id})).code in ("40109", "40768", "43001")
    assert (await bob.post(ORDER + "cancel-order", {**BTC, "orderId": order_id})).code in ("40109", "40768", "43001")
    assert (await rest.detail(order_id))["state"] == "live"


class Late(Faults):
    """Its clock is 40 s ahead."""

    def clock_offset_ms(self) -> int:
        return 40_000


async def test_a_wrong_clock_of_the_exchange_is_told_and_judges_timestamps() -> None:
    played = await trading()
    played.floor.open_member("ann", key=ANN)
    async with TestClient(TestServer(make_app(played.floor, limits=False, faults=Late(played.floor)))) as http:
        ann = Caller(http, played)
        time = await ann.get("/api/v2/public/time")
        assert time.data["serverTime"] == str(NOW + 40_000) == str(time.whole["requestTime"])
        assert (await ann.get(ACCOUNT + "accounts", {"productType": "USDT-FUTURES"})).code == "40008"
        assert (await ann.get(ACCOUNT + "accounts", {"productType": "USDT-FUTURES"}, ACCESS_TIMESTAMP=str(NOW + 39_000))).data
