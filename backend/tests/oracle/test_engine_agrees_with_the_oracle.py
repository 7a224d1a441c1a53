"""The engine against a second implementation in plain Decimals and Fractions, over random cases with all features mixed.

HAECHI_CASES raises the number of cases of each test (default 300; ten tests).
"""

from __future__ import annotations

import os

import pytest
from cases import Case, cases
from compare import assert_same
from hypothesis import HealthCheck, given, settings

CASES = int(os.environ.get("HAECHI_CASES", "300"))
many = settings(max_examples=CASES, deadline=None, database=None, derandomize=True,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much])


@many
@given(cases())
def test_one_symbol(case: Case) -> None:
    assert_same(case)


@many
@given(cases(symbols=3))
def test_several_symbols_on_one_wallet(case: Case) -> None:
    assert_same(case)


@many
@given(cases(fine=True))
def test_finer_bars_inside(case: Case) -> None:
    assert_same(case)


@many
@given(cases(symbols=2, fine=True))
def test_finer_bars_of_several_symbols(case: Case) -> None:
    assert_same(case)


@many
@given(cases(only="cross"))
def test_cross_margin(case: Case) -> None:
    assert_same(case)


@many
@given(cases(only="hedge"))
def test_hedge_mode(case: Case) -> None:
    assert_same(case)


@many
@given(cases(only="ladder"))
def test_dca_ladders(case: Case) -> None:
    assert_same(case)


@many
@given(cases(only="orders"))
def test_resting_entries(case: Case) -> None:
    assert_same(case)


@many
@given(cases(only="stops"))
def test_stops(case: Case) -> None:
    assert_same(case)


@pytest.mark.parametrize("reading", ["adverse", "benign", "path"])
def test_each_reading(reading: str) -> None:
    @settings(parent=many, max_examples=max(20, CASES // 3))
    @given(cases())
    def check(case: Case) -> None:
        assert_same(Case(case.feeds, case.plan, case.costs, reading))

    check()
