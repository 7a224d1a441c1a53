"""The gate: what it counts, what it forgets, and what it lets pass whatever it has counted."""

from __future__ import annotations

from decimal import Decimal as D

import msgspec

from haechi.core.risk import Intent, Limits, Refused, View
from haechi.trading import gate as under_test
from haechi.trading.gate import Approved, Gate
from haechi.trading.limits import RiskBook
from haechi.trading.owner import Owner

MINA, JUN, BY_HAND = Owner("mina", "account", "bot1"), Owner("jun", "another", "bot2"), Owner("mina", "account", "")
BUY = Intent("BTCUSDT", "buy", D("0.1"), D(100), D(10), 5, False)
SELL = Intent("BTCUSDT", "sell", D("0.1"), D(100), D(10), 5, True)
VIEW = View(equity=D(1000), available=D(1000), allocated=D(1000), position=D("0.1"), position_notional=D(10), positions=1, market=D(100), age_ms=0,
            loss_today=D(0), others=D(0), doubts=())
START = 1_760_000_000_000


def a_gate(*, killed: str = "", **limits) -> Gate:
    return Gate(lambda owner: Limits(**limits), lambda user, bot: killed if user == "mina" else "", started_ms=START)


def passed(gate: Gate, owner: Owner = MINA, intent: Intent = BUY, now_ms: int = START) -> str:
    """'' or the rule that refused."""
    answer = gate.judge(owner, intent, VIEW, now_ms=now_ms)
    return answer.rule if isinstance(answer, Refused) else ""


def test_every_approval_has_its_own_number_also_after_a_restart() -> None:
    gate = a_gate(orders_second_max=999)
    numbers = [gate.judge(MINA, BUY, VIEW, now_ms=START).decision for _ in range(50)]
    assert numbers == [START * 1000 + place for place in range(1, 51)]
    later = Gate(lambda owner: Limits(), lambda user, bot: "", started_ms=START + 1).judge(MINA, BUY, VIEW, now_ms=START + 1)
    assert isinstance(later, Approved) and later.decision > numbers[-1]


def test_ten_orders_a_second_and_again_when_the_second_is_over() -> None:
    gate = a_gate()
    assert [passed(gate, now_ms=START + 50 * one) for one in range(11)] == [""] * 10 + ["orders_second"]
    assert passed(gate, now_ms=START + 999) == "orders_second"
    assert passed(gate, now_ms=START + 1000) == ""


def test_a_minute_of_a_bot_and_of_its_user() -> None:
    gate = a_gate(orders_minute_max=2, orders_minute_user_max=3)
    assert [passed(gate), passed(gate), passed(gate)] == ["", "", "orders_minute"]
    assert [passed(gate, BY_HAND), passed(gate, BY_HAND)] == ["", "orders_minute_user"]
    assert passed(gate, JUN) == "", "another person is not held up"
    assert passed(gate, now_ms=START + 59_999) == "orders_minute" and passed(gate, now_ms=START + 60_000) == ""


def test_refusals_do_not_count_as_orders() -> None:
    gate = a_gate(orders_minute_max=1, leverage_max=4)
    assert [passed(gate) for _ in range(5)] == ["leverage"] * 5
    assert passed(gate, intent=msgspec.structs.replace(BUY, leverage=4)) == ""


def test_a_clock_set_back_opens_no_new_minute() -> None:
    gate = a_gate(orders_minute_max=1)
    assert [passed(gate), passed(gate, now_ms=START - 3_600_000)] == ["", "orders_minute"]


def test_exits_pass_when_killed_and_use_up_nothing() -> None:
    gate = a_gate(orders_second_max=1)
    assert [passed(gate, intent=SELL) for _ in range(30)] == [""] * 30
    assert [passed(gate), passed(gate), passed(gate, intent=SELL)] == ["", "orders_second", ""]
    killed = a_gate(killed="user")
    assert [passed(killed), passed(killed, intent=SELL), passed(killed, JUN)] == ["killed", "", ""]


def test_an_exit_larger_than_what_is_held_is_refused() -> None:
    assert passed(a_gate(), intent=msgspec.structs.replace(SELL, quantity=D("0.11"))) == "reduces_at_most"


def test_the_same_order_within_its_window() -> None:
    gate = a_gate(duplicate_ms=1000)
    assert [passed(gate), passed(gate, now_ms=START + 999), passed(gate, now_ms=START + 1000)] == ["", "duplicate", ""]
    for change in ({"quantity": D("0.2")}, {"price": D(101)}, {"side": "sell"}, {"symbol": "ETHUSDT"}, {"kind": "limit"}):
        assert passed(gate, intent=msgspec.structs.replace(BUY, **change), now_ms=START + 1000) == "", change
    assert passed(gate, BY_HAND, now_ms=START + 1000) == "", "another owner's order is another order"


def test_a_grid_puts_its_line_back_at_once() -> None:
    gate = a_gate()
    line = msgspec.structs.replace(BUY, kind="limit")
    assert [passed(gate, intent=line) for _ in range(3)] == [""] * 3


def test_one_wish_becomes_three_orders_at_most() -> None:
    gate = a_gate()
    wish, other = (msgspec.structs.replace(BUY, cause=cause) for cause in ("entry-1", "entry-2"))
    assert [passed(gate, intent=wish, now_ms=START + 70_000 * one) for one in range(4)] == ["", "", "", "children"]
    assert passed(gate, intent=other, now_ms=START + 300_000) == ""


def test_it_counts_for_the_metrics() -> None:
    gate = a_gate(orders_second_max=1)
    for _ in range(3):
        passed(gate)
    assert gate.condition() == {"state": "up", "approved": 1, "refused": {"orders_second": 2}}


def test_what_it_remembers_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(under_test, "KEYS_MAX", 5)
    monkeypatch.setattr(under_test, "OWNERS_MAX", 5)
    gate = a_gate(duplicate_ms=10)
    for one in range(100):
        assert passed(gate, Owner("mina", f"a{one}", f"b{one}"), msgspec.structs.replace(BUY, cause=str(one)), START + 61_000 * one) == ""
    assert max(len(gate._owners), len(gate._users), len(gate._same), len(gate._children)) <= 5


def test_three_thousand_bots_pass_in_the_same_moment() -> None:
    """A candle closes and every bot wishes: nobody uses up what is another's. How quickly: benchmarks/bots_scale.py."""
    gate = Gate(RiskBook().of, lambda user, bot: "", started_ms=START)
    owners = [Owner(f"user{one // 10}", f"account{one // 10}", f"bot{one}") for one in range(3_000)]
    answers = [gate.judge(owner, BUY, VIEW, now_ms=START) for owner in owners]
    assert len({one.decision for one in answers if isinstance(one, Approved)}) == 3_000
