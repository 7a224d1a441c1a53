"""The round values and times at which a picture has its lines."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from haechi.research.report.axis import round_times, round_values


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(("low", "high", "texts"), [
    (0.0, 10.0, ["0", "2", "4", "6", "8", "10"]),
    (-48.0, 0.0, ["-40", "-30", "-20", "-10", "0"]),
    (0.513, 0.538, ["0.515", "0.520", "0.525", "0.530", "0.535"]),
    (15_000.0, 48_000.0, ["20,000", "30,000", "40,000"]),
    (7.0, 7.0, ["7"]),
])
def test_values_are_one_two_or_five_times_a_power_of_ten(low: float, high: float, texts: list[str]) -> None:
    assert [text for _, text in round_values(low, high, 5)] == texts


@pytest.mark.parametrize(("start", "end", "texts"), [
    ("2022-01-01T00:00", "2023-01-01T00:00", ["2022-01", "2022-04", "2022-07", "2022-10"]),
    ("2022-01-02T00:00", "2022-04-20T00:00", ["2022-02", "2022-03", "2022-04"]),
    ("2022-01-01T22:10", "2022-01-02T02:00", ["23:00", "01-02", "01:00"]),
    ("2022-01-01T00:00", "2022-01-05T00:00", ["01-01", "01-02", "01-03", "01-04"]),
    ("2000-06-01T00:00", "2060-01-01T00:00", ["2010-01", "2020-01", "2030-01", "2040-01", "2050-01"]),
])
def test_times_are_round_hours_days_and_first_days_of_months(start: str, end: str, texts: list[str]) -> None:
    assert [text for _, text in round_times(ms(start), ms(end), 5)] == texts
