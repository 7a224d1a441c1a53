"""Small stones: clock, ids, cursors."""

from datetime import UTC, datetime, timedelta

import pytest

from haechi.errors import BadInput
from haechi.platform.clock import SetClock, SystemClock
from haechi.platform.ids import new_id
from haechi.platform.paging import KEY_MAX, Wanted, cursor, uncursor


def test_a_set_clock_moves_only_when_told_and_never_back():
    clock = SetClock(datetime(2026, 1, 1, tzinfo=UTC))
    assert clock.now_ms() == 1_767_225_600_000
    clock.advance(timedelta(hours=1))
    assert clock.now() == datetime(2026, 1, 1, 1, tzinfo=UTC)
    assert clock.monotonic() == 3600
    with pytest.raises(ValueError, match="turned back"):
        clock.advance(timedelta(seconds=-1))
    with pytest.raises(ValueError, match="no time zone"):
        SetClock(datetime(2026, 1, 1))


def test_the_system_clock_is_utc():
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_ids_sort_by_time_and_do_not_repeat():
    assert new_id(1) < new_id(2) < new_id(1_767_225_600_000)
    assert len({new_id(5) for _ in range(1000)}) == 1000
    assert {len(new_id(ms)) for ms in (0, 1_767_225_600_000)} == {32}


def test_a_cursor_reads_back_and_a_broken_one_is_refused():
    assert uncursor(cursor("019b-x")) == "019b-x"
    for broken in ("!!", "한글", "A"):
        with pytest.raises(BadInput, match="cursor"):
            uncursor(broken)


def test_a_list_in_memory_is_cut_into_pages_without_gap_or_overlap():
    rows, seen, after = list(range(7)), [], None
    while True:
        items, following = Wanted(3, after).slice(rows)
        seen += items
        if following is None:
            break
        after = uncursor(following)
    assert seen == rows


@pytest.mark.parametrize("after", ["x", "-1", "99999999999999999999"])
def test_a_cursor_of_another_list_is_refused(after):
    with pytest.raises(BadInput, match="cursor"):
        Wanted(3, after).slice([1, 2, 3])


def test_a_cursor_that_no_column_of_numbers_holds_is_refused():
    assert [Wanted(10, after).number() for after in (None, "0", str(KEY_MAX))] == [None, 0, KEY_MAX]
    for after in (str(KEY_MAX + 1), "9" * 40, "-1", "x", ""):
        with pytest.raises(BadInput, match="cursor"):
            Wanted(10, after).number()
