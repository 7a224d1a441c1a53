"""Every broken file: one sentence that names the file, the row and the reason; and the store stays as it was."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from haechi.errors import BadInput
from haechi.markets.importing import import_files, read_incoming
from haechi.markets.store import Store

START = 1_700_006_400_000
ROWS = [[START + place * 60_000, 10.0, 12.0, 9.0, 11.0, 5.0] for place in range(6)]
NAMES = ("ts", "open", "high", "low", "close", "volume")


def csv(*, row: int = 3, column: str = "open", value: object = None, header: str = ",".join(NAMES)) -> bytes:
    rows = [list(one) for one in ROWS]
    rows[row - 1][NAMES.index(column)] = "" if value is None else value
    return "\n".join([header, *(",".join(map(str, one)) for one in rows)]).encode()


def js(rows: object) -> bytes:
    return json.dumps(rows).encode()


def changed(row: int, value: object) -> list[object]:
    return [value if place == row - 1 else one for place, one in enumerate(ROWS)]


def at(step: int) -> list[list[float]]:
    return [[START + place * step, *one[1:]] for place, one in enumerate(ROWS)]


BROKEN = {
    # name: (ending, content, what the sentence must have)
    "a missing price": ("csv", csv(), ("row 3", "open is missing")),
    "NaN": ("csv", csv(value="NaN"), ("row 3", "NaN")),
    "an infinite price": ("csv", csv(value="inf", column="high"), ("row 3", "high is infinite")),
    "a price of 0": ("csv", csv(value=0, column="low"), ("row 3", "greater than 0")),
    "a negative price": ("csv", csv(value=-9, column="low"), ("row 3", "low is -9")),
    "high below low": ("csv", csv(value=8, column="high"), ("row 3", "high 8 is below low 9")),
    "high below the close": ("csv", csv(value=10.5, column="high"), ("row 3", "high 10.5 is below the open or close 11")),
    "low above the open": ("csv", csv(value=10.5, column="low"), ("row 3", "low 10.5 is above the open or close 10")),
    "a negative volume": ("csv", csv(value=-1, column="volume", row=6), ("row 6", "volume is -1")),
    "a missing volume": ("csv", csv(column="volume", row=6), ("row 6", "volume is missing")),
    "text for a price": ("csv", csv(value="ten"), ("row 3", "'ten'")),
    "a decimal comma": ("csv", csv(value='"10,0"'), ("row 3", "'10,0'")),
    "a missing time": ("csv", csv(column="ts"), ("row 3", "time is missing")),
    "a time that is none": ("csv", csv(value="soon", column="ts"), ("row 1", "not a time")),
    "a day that is none": ("csv", csv(value="2023-02-30", column="ts", row=1), ("row 1", "2023-02-30")),
    "the same time twice": ("csv", csv(value=START + 60_000, column="ts"), ("row 3", "twice")),
    "times backwards": ("csv", csv(value=START, column="ts"), ("row 3", "sort the file")),
    "mixed units of time": ("csv", csv(value=START // 1000, column="ts"), ("row 3", "units are mixed")),
    "a time between the minutes": ("csv", csv(value=START + 130_500, column="ts"), ("timeframe is unclear",)),
    "times that count from nothing": ("json", js([[place, 1, 1, 1, 1, 1] for place in range(6)]), ("row 1", "not a time")),
    "a timeframe there is not": ("json", js(at(7 * 60_000)), ("420 s",)),
    "bars off the UTC grid": ("json", js([[ts + 1_000, *rest] for ts, *rest in ROWS]), ("UTC grid of 1m",)),
    "one bar": ("json", js(ROWS[:1]), ("1 bar",)),
    "no close": ("csv", csv(header="ts,open,high,low,last,volume"), ("missing column close", "last")),
    "two columns of one name": ("csv", csv(header="ts,open,high,Open,close,volume"), ("twice",)),
    "a header without rows": ("csv", ",".join(NAMES).encode(), ("no rows",)),
    "too few columns without names": ("csv", b"1700006400000,1,2\n1700006460000,1,2\n", ("3 columns without names",)),
    "a row that is too long": ("csv", csv() + b",1,2,3,4,5,6\n1,2,3,4,5,6,7,8", ("damaged",)),
    "bytes that are no text": ("csv", b"\xff\xfe\x00\x00" * 50, ("damaged",)),
    "an empty file": ("csv", b"", ("empty",)),
    "half a JSON": ("json", js(ROWS)[:-40], ("not JSON",)),
    "JSON that is no list": ("json", js({"bars": 3}), ("list of bars",)),
    "JSON without rows": ("json", js([]), ("no rows",)),
    "a short row in JSON": ("json", js(changed(4, ROWS[3][:4])), ("row 4", "at least 6")),
    "a word among JSON rows": ("json", js(changed(4, "bar")), ("row 4",)),
    "a list for a price": ("json", js(changed(4, [START + 180_000, [1], 2, 1, 1, 1])), ("row 4", "neither a number nor text")),
    "null for a price": ("json", js(changed(4, [START + 180_000, None, 12, 9, 11, 5])), ("row 4", "open is missing")),
    "true for a price": ("json", js(changed(4, [START + 180_000, True, 12, 9, 11, 5])), ("row 4", "True")),
    "an object with other names": ("json", js([dict(zip(NAMES, ROWS[0], strict=True)), {"ts": 1}]), ("row 2", "expected an object")),
    "a number beyond all": ("json", js(changed(4, [10**40, 10, 12, 9, 11, 5])), ("too large",)),
    "parquet that is none": ("parquet", b"hello, world", ("not a parquet file",)),
    "parquet cut short": ("parquet", b"PAR1" + b"\0" * 60, ("damaged",)),
    "feather that is none": ("feather", b"hello, world", ("not a feather file",)),
    "feather cut short": ("feather", b"ARROW1" + b"\0" * 60, ("damaged",)),
    "a kind of file there is not": ("xlsx", b"PK", ("xlsx",)),
}


@pytest.mark.parametrize(("ending", "content", "named"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused_and_nothing_is_stored(ending, content, named, tmp_path):
    good, broken = tmp_path / "BTCUSDT_good.json", tmp_path / f"BTCUSDT_broken.{ending}"
    good.write_bytes(js([[ts - 360_000, *rest] for ts, *rest in ROWS]))
    broken.write_bytes(content)
    store = Store(tmp_path / "store")
    with pytest.raises(BadInput) as refused:
        import_files(store, [good, broken], read_incoming([good, broken]), venue="binance")
    assert "\n" not in refused.value.message
    for part in named:
        assert part in refused.value.message, refused.value.message
    assert not list(store.root.rglob("*.parquet"))


def test_the_good_file_alone_is_stored(tmp_path):
    good = tmp_path / "BTCUSDT_good.json"
    good.write_bytes(js(ROWS))
    added, shift = import_files(Store(tmp_path / "store"), [good], read_incoming([good]), venue="binance")
    assert added.rows_added == 6 and shift is None


def test_columns_that_disagree_are_refused(tmp_path):
    path = tmp_path / "BTCUSDT.parquet"
    frame = pl.DataFrame(ROWS, schema=list(NAMES), orient="row")
    frame = frame.with_columns(open_time=pl.Series([START + k * 60_000 + (k == 4) for k in range(6)]))
    frame.write_parquet(path)
    with pytest.raises(BadInput, match="row 5.*disagree"):
        read_incoming([path])


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.csv", Path(tmp_path)):
        with pytest.raises(BadInput):
            read_incoming([path])
