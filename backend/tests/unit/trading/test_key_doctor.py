"""Each check of the key doctor on answers as Bitget gives them, and its sentences in both languages."""

from __future__ import annotations

import string
from typing import Any

import msgspec
import pytest

from haechi.exchanges.bitget.answers import Answer, Reply, Silence, Unsent
from haechi.trading import key_doctor
from haechi.trading.key_doctor import Told, report
from haechi.trading.key_words import SENTENCES, sentence

SILENT = Silence("torn")


def yes(data: Any) -> Answer:
    return Answer("00000", "success", data, 200)


def no(code: str, status: int = 400) -> Answer:
    return Answer(code, "no", None, status)


GOOD = Told(12, no("25245"), yes({"authorities": ["trade", "readonly"], "ips": "127.0.0.1"}),
            yes([{"marginCoin": "USDT", "accountEquity": "105.5", "unrealizedPL": "5.5", "crossedMaxAvailable": "80.25"}]),
            yes([{"minTradeUSDT": "5"}, {"minTradeUSDT": "20"}]),
            yes({"marginMode": "crossed", "posMode": "one_way_mode", "crossedMarginLeverage": "5", "isolatedLongLever": "5", "isolatedShortLever": "5"}))
HEDGE = yes({"marginMode": "isolated", "posMode": "hedge_mode", "crossedMarginLeverage": "5", "isolatedLongLever": "5", "isolatedShortLever": "5"})
POOR = yes([{"marginCoin": "USDT", "accountEquity": "4.9", "unrealizedPL": "", "crossedMaxAvailable": "4.9"}])

CASES: list[tuple[dict[str, Any], str, str, str]] = [
    ({"unified": yes({"accountMode": "unified"})}, "account_mode", "bad", "unified"), ({"wallets": no("40085")}, "account_mode", "bad", "unified"),
    ({"unified": SILENT}, "account_mode", "unknown", "silent"), ({"unified": no("40404", 404)}, "account_mode", "ok", "classic"),
    ({"unified": no("99999")}, "account_mode", "unknown", "silent"), ({"unified": no("40014")}, "account_mode", "unknown", "silent"),
    ({"info": no("40037"), "wallets": no("40037")}, "key", "bad", "key_refused"), ({"info": no("40014")}, "key", "ok", "key_valid"),
    ({"info": no("40110"), "wallets": no("40110")}, "key", "bad", "key_demo"), ({"info": SILENT, "wallets": SILENT}, "key", "unknown", "silent"),
    ({"info": no("40037", 502), "wallets": SILENT}, "key", "unknown", "silent"),
    ({"info": yes({"authorities": ["readonly", "trade", "withdraw"]})}, "withdraw", "bad", "withdraw"),
    ({"info": yes({"authorities": ["Withdrawal"]})}, "withdraw", "bad", "withdraw"), ({"info": SILENT}, "withdraw", "unknown", "permissions_unseen"),
    ({"info": yes({"authorities": []})}, "withdraw", "unknown", "permissions_unseen"), ({"info": yes({"authorities": None})}, "withdraw", "unknown", "permissions_unseen"),
    ({"info": yes({"authorities": ["readonly"]})}, "trade", "bad", "read_only"), ({"info": yes({"authorities": ["abcd"]})}, "trade", "warn", "trade_unclear"),
    ({"info": yes({"authorities": ["trade"], "ips": ""})}, "address", "warn", "not_bound"), ({"info": yes({"authorities": ["trade"]})}, "address", "unknown", "silent"),
    ({"terms": HEDGE}, "position_mode", "bad", "hedge"), ({"terms": HEDGE}, "margin_mode", "warn", "isolated"), ({"terms": SILENT}, "margin_mode", "unknown", "silent"),
    ({"terms": yes({"posMode": 3})}, "position_mode", "unknown", "silent"), ({"wallets": POOR}, "equity", "warn", "too_little"),
    ({"wallets": yes([])}, "equity", "warn", "too_little"), ({"wallets": yes([{"marginCoin": "USDT", "accountEquity": "x"}])}, "equity", "unknown", "silent"),
    ({"contracts": SILENT}, "equity", "unknown", "silent"), ({"contracts": yes([])}, "equity", "unknown", "silent"),
    ({"offset_ms": -1_001}, "clock", "warn", "clock_off"), ({"offset_ms": 3_600_001}, "clock", "bad", "clock_off"), ({"offset_ms": -1_000}, "clock", "ok", "clock")]


def test_a_good_key_is_good_in_everything() -> None:
    found = report(GOOD)
    assert found.state == "ok" and {one.state for one in found.checks} == {"ok"} and len(found.checks) == 10


@pytest.mark.parametrize(("given", "name", "state", "say"), CASES, ids=lambda one: one if isinstance(one, str) else "")
def test_what_is_wrong_is_named(given: dict[str, Any], name: str, state: str, say: str) -> None:
    found = report(msgspec.structs.replace(GOOD, **given))
    assert (found.of(name).state, found.of(name).say) == (state, say)
    assert key_doctor.WORST_FIRST.index(found.state) <= key_doctor.WORST_FIRST.index(state)


@pytest.mark.parametrize("reply", [SILENT, Unsent("rate", "used up"), no("45001"), yes(None), yes([7]), yes("text"), yes({"list": 3})], ids=str)
def test_whatever_comes_no_check_fails_and_none_is_good_by_accident(reply: Reply) -> None:
    found = report(Told(None, SILENT, reply, reply, reply, reply))
    assert found.of("withdraw").state == found.of("trade").state == found.of("reachable").state == "unknown" and found.state in ("unknown", "bad")


def test_every_sentence_is_there_in_both_languages_with_the_same_facts() -> None:
    def facts(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    assert SENTENCES["en"].keys() == SENTENCES["ko"].keys()
    for say, text in SENTENCES["en"].items():
        assert facts(text) == facts(SENTENCES["ko"][say]), say
    for given, *_ in [({},), *CASES]:
        for one in report(msgspec.structs.replace(GOOD, **given)).checks:
            assert all(sentence(language, one.say, one.facts) for language in ("en", "ko"))
