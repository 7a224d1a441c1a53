"""Signatures, codes, budget, clock and the text of numbers: the adapter's parts without a wire."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from haechi.exchanges.bitget.answers import Answer, Silence, Unreadable, Unsent, decoded, envelope, outcome
from haechi.exchanges.bitget.budget import ADDRESS_MINUTE_MAX, SECOND_MS, WAIT_MS_MAX, Address, Bucket, Budget
from haechi.exchanges.bitget.clock import ServerClock
from haechi.exchanges.bitget.codes import MEANINGS, Kind, meaning
from haechi.exchanges.bitget.endpoints import CANCEL_ORDER, PLACE_ORDER, SYMBOL_PRICE
from haechi.exchanges.bitget.requests import placing, text
from haechi.exchanges.bitget.sign import ApiKey, headers, login
from haechi.exchanges.bitget.text import exact, time_ms
from haechi.exchanges.port import Accepted, NewOrder, Rejected, Unknown
from haechi.platform.clock import SetClock
from haechi.venue.wire.codes import MESSAGES

KEY = ApiKey("bg_0123456789abcdef", "22582BD0CFF14C41EDBF1AB98506286D", "passphrase1")
AT = 1_695_806_875_837


# ---- signatures: vectors computed by an independent client

@pytest.mark.parametrize(("method", "target", "body", "sign"), [
    ("GET", "/api/v2/mix/account/account?marginCoin=USDT&productType=USDT-FUTURES&symbol=BTCUSDT", "",
     "9jXBq10Wq6Yl9uNEyRC1jpaKs0bXYnHU2IWoVAQAm9c="),
    ("POST", "/api/v2/mix/order/place-order",
     '{"symbol":"BTCUSDT","productType":"USDT-FUTURES","marginMode":"isolated","marginCoin":"USDT","size":"0.01","price":"27000",'
     '"side":"buy","orderType":"limit","force":"gtc","clientOid":"haechi-1"}', "n14I6P329EZRyGKO2pYULnKID8zWD5wPNuN63oFxk60="),
    ("GET", "/api/v3/account/settings", "", "sQfI3uBdUGaHA2WEcskBYQwIqpnTXjA+Gw8Q7Y8d1P8=")])
def test_requests_are_signed_as_the_exchange_checks_them(method: str, target: str, body: str, sign: str) -> None:
    made = headers(KEY, AT, method, target, body)
    assert made == {"ACCESS-KEY": KEY.key, "ACCESS-SIGN": sign, "ACCESS-TIMESTAMP": str(AT), "ACCESS-PASSPHRASE": "passphrase1"}


def test_a_login_is_signed_over_whole_seconds() -> None:
    (arg,) = json.loads(login(KEY, AT))["args"]
    assert arg == {"apiKey": KEY.key, "passphrase": "passphrase1", "timestamp": "1695806875",
                   "sign": "/N0Q/MGH9iPZzUD7RloQ5+85Q036jhc/ccu2NZsA5T0="}


def test_a_printed_key_shows_no_secret() -> None:
    shown = f"{KEY} {KEY!r}"
    assert KEY.secret not in shown
    assert KEY.passphrase not in shown
    assert KEY.key not in shown


# ---- codes

def test_every_code_of_the_exchange_is_classified() -> None:
    assert len(MESSAGES) > 230
    assert set(MESSAGES) - set(MEANINGS) == set()


@pytest.mark.parametrize(("code", "kind", "word"), [
    ("45001", Kind.UNKNOWN, "unknown"), ("40725", Kind.UNKNOWN, "unknown"), ("40015", Kind.UNKNOWN, "unknown"),
    ("40910", Kind.UNKNOWN, "unknown"), ("429", Kind.RATE, "rate"), ("40008", Kind.CLOCK, "clock"), ("40037", Kind.KEY, "key"),
    ("40762", Kind.FUNDS, "margin"), ("45110", Kind.PRECISION, "below_minimum"), ("45115", Kind.PRECISION, "precision"),
    ("22002", Kind.POSITION, "no_position"), ("40774", Kind.MODE, "mode"), ("45117", Kind.MODE, "position_open"),
    ("40200", Kind.MAINTENANCE, "maintenance"), ("40309", Kind.SYMBOL, "symbol"), ("43025", Kind.NOT_FOUND, "no_order"),
    ("45034", Kind.DUPLICATE, "duplicate"), ("43118", Kind.DUPLICATE, "duplicate"), ("40917", Kind.TRIGGER, "trigger")])
def test_codes_have_the_meaning_the_desk_relies_on(code: str, kind: Kind, word: str) -> None:
    assert meaning(code) == (kind, word)


def test_a_code_nobody_knows_proves_nothing() -> None:
    assert meaning("99999").kind is Kind.UNKNOWN


# ---- outcomes

def answer(code: str, status: int = 400) -> Answer:
    return Answer(code, "words", None, status)


@pytest.mark.parametrize(("reply", "expected"), [
    (answer("00000", 200), Accepted("7")), (answer("22002"), Rejected("no_position", "22002")), (answer("429", 429), Rejected("rate", "429")),
    (Unsent("unreachable", "refused"), Rejected("unreachable")), (Unsent("rate", "budget"), Rejected("rate"))])
def test_evidence_is_an_outcome(reply: Any, expected: object) -> None:
    assert outcome(reply, "7") == expected


@pytest.mark.parametrize("reply", [Silence("timeout"), answer("45001"), answer("00000", 500), answer("22002", 502), answer("99999"),
                                   answer("40725", 200)])
def test_what_proves_nothing_is_unknown(reply: Any) -> None:
    assert isinstance(outcome(reply), Unknown)


@pytest.mark.parametrize("body", [b"", b"{", b'{"code":"00000","data":{"orderId":"1"', b"<html>502</html>", b"[]", b"null", b"12",
                                  b'{"msg":"x"}', b'{"code":null}', b'{"code":NaN}', b"[" * 100_000, b"\xff\xfe"])
def test_what_is_not_the_exchanges_answer_is_silence(body: bytes) -> None:
    assert isinstance(envelope(200, body), Silence)


@pytest.mark.parametrize("status", [403, 418, 429])
def test_a_page_of_the_gate_is_a_refusal_before_anything_was_done(status: int) -> None:
    reply = envelope(status, b"<html>no</html>")
    assert isinstance(reply, Answer)
    assert isinstance(made := outcome(reply), Rejected) and made.reason == "rate"


def test_numbers_of_an_answer_stay_exact() -> None:
    assert decoded('{"a":26347.1000000000000000001,"b":[0.1],"c":3}') == {"a": Decimal("26347.1000000000000000001"), "b": [Decimal("0.1")],
                                                                          "c": 3}


@pytest.mark.parametrize("given", ["NaN", "Infinity", "", "abc", None, True, [], "1e308", "9" * 100, 0.1])
def test_what_is_no_number_of_a_market_is_unreadable(given: object) -> None:
    with pytest.raises(Unreadable):
        exact(given)


def test_times_are_milliseconds_of_our_days() -> None:
    assert time_ms({"t": "1695806875837"}, "t") == AT
    for given in ("-1", "1695806875837000000", "1.5"):
        with pytest.raises(Unreadable):
            time_ms({"t": given}, "t")


# ---- what is sent

def test_a_size_never_leaves_as_an_exponent_or_a_float() -> None:
    assert text(Decimal("1E+3")) == "1000"
    assert text(Decimal("0.00000001")) == "0.00000001"
    assert text(Decimal("0.10")) == "0.10"


@pytest.mark.parametrize(("side", "holds"), [("sell", "buy"), ("buy", "sell")])
def test_a_protecting_stop_names_the_position_and_its_own_size(side: str, holds: str) -> None:
    endpoint, body = placing(NewOrder("c", "BTCUSDT", side, Decimal("0.02"), "stop", None, Decimal(59000), True), cross=True)
    assert endpoint.path.endswith("place-tpsl-order")
    assert (body["planType"], body["holdSide"], body["size"], body["executePrice"]) == ("loss_plan", holds, "0.02", "0")


def test_an_entry_stop_is_a_plan_order_and_a_limit_one_has_its_price() -> None:
    endpoint, body = placing(NewOrder("c", "BTCUSDT", "buy", Decimal("0.02"), "stop_limit", Decimal(61100), Decimal(61000)), cross=False)
    assert endpoint.path.endswith("place-plan-order")
    assert (body["orderType"], body["price"], body["triggerPrice"], body["marginMode"]) == ("limit", "61100", "61000", "isolated")


# ---- the budget

class Hand:
    """Time in ms that moves only by sleeping."""

    def __init__(self) -> None:
        self.now = 0

    async def sleep(self, ms: int) -> None:
        self.now += ms


def a_budget() -> tuple[Budget, Hand]:
    hand = Hand()
    return Budget(Address(lambda: hand.now), hand.sleep), hand


async def test_entries_leave_a_part_of_the_budget_to_exits() -> None:
    budget, hand = a_budget()
    for _ in range(7):
        assert await budget.take(PLACE_ORDER, urgent=False)
    assert hand.now == 0
    for _ in range(3):
        assert await budget.take(PLACE_ORDER, urgent=True)
    assert hand.now == 0, "exits have 30 % of their own"
    assert await budget.take(PLACE_ORDER, urgent=False)
    assert hand.now > 0


async def test_the_eighth_entry_of_a_second_waits_though_exits_would_not() -> None:
    budget, hand = a_budget()
    for _ in range(8):
        assert await budget.take(PLACE_ORDER, urgent=False)
    assert hand.now == SECOND_MS


async def test_no_window_of_a_second_holds_more_than_the_limit() -> None:
    budget, hand = a_budget()
    times = []
    for _ in range(100):
        assert await budget.take(CANCEL_ORDER, urgent=True)
        times.append(hand.now)
    assert all(times[n + 10] - times[n] >= 1_000 for n in range(90))
    assert times[-1] <= 10 * SECOND_MS, "and the whole limit is used"


async def test_who_would_wait_too_long_is_told_and_nothing_is_counted() -> None:
    budget, hand = a_budget()
    budget.too_many(PLACE_ORDER, 60_000)
    assert not await budget.take(PLACE_ORDER, urgent=True)
    assert budget.sent == 0
    assert hand.now <= WAIT_MS_MAX


async def test_an_endpoint_that_was_refused_rests_and_a_second_one_rests_all() -> None:
    budget, _ = a_budget()
    budget.too_many(PLACE_ORDER, 3_000)
    assert budget.bucket(CANCEL_ORDER).wait_ms(0, urgent=True) == 0
    budget.too_many(CANCEL_ORDER, 3_000)
    assert budget.address.bucket.wait_ms(0, urgent=True) >= 3_000


async def test_all_keys_of_an_address_share_its_minute() -> None:
    hand = Hand()
    address = Address(lambda: hand.now)
    one, other = Budget(address, hand.sleep), Budget(address, hand.sleep)
    address.bucket.taken.extend([0] * (ADDRESS_MINUTE_MAX - 1))
    assert await one.take(CANCEL_ORDER, urgent=True)
    assert not await other.take(CANCEL_ORDER, urgent=True)
    assert one.bucket(SYMBOL_PRICE) is other.bucket(SYMBOL_PRICE), "public requests are counted by address"
    assert one.bucket(PLACE_ORDER) is not other.bucket(PLACE_ORDER), "signed ones by key"


def test_a_bucket_gives_its_tokens_back_one_by_one() -> None:
    bucket = Bucket(2, 100)
    bucket.take(0)
    bucket.take(60)
    assert bucket.wait_ms(70, urgent=True) == 30
    assert bucket.wait_ms(100, urgent=True) == 0


# ---- the clock

def test_the_quickest_probe_says_how_far_the_clocks_are_apart() -> None:
    mine = SetClock(datetime.fromtimestamp(AT / 1000, tz=UTC))
    clock = ServerClock(mine)
    assert clock.due
    clock.begin()
    clock.probed(AT, AT + 400, AT + 10_200)
    clock.probed(AT, AT + 20, AT + 5_010)
    clock.probed(AT, AT + 300, AT + 90_000)
    assert (clock.offset_ms, clock.uncertainty_ms) == (5_000, 10)
    assert clock.now_ms() == mine.now_ms() + 5_000
    assert not clock.due
    mine.advance(timedelta(minutes=11))
    assert clock.due
