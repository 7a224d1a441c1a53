"""Wrong input on the command line: one clear sentence on stderr that names the thing, exit code 2, never a traceback, nothing written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from haechi import cli

MINUTE, START = 60_000, 1_700_000_040_000 // 3_600_000 * 3_600_000
DOCUMENT = """name: mine
timeframe: 1m
indicators:
  r: {kind: rsi, source: close, period: 14}
enter_long: crosses_above(r, 30)
size: {kind: equity_fraction, fraction: 0.25}
"""


def frame(count: int = 240, price: float = 100.0) -> pl.DataFrame:
    """Bars that go up and down, all possible, on a tick of 0.1."""
    close = [round(price + (place * 7 % 23) * 0.1, 1) for place in range(count)]
    opened = [close[0], *close[:-1]]
    return pl.DataFrame({"ts": [START + place * MINUTE for place in range(count)], "open": opened,
                         "high": [round(max(a, b) + 0.2, 1) for a, b in zip(opened, close, strict=True)],
                         "low": [round(min(a, b) - 0.2, 1) for a, b in zip(opened, close, strict=True)], "close": close,
                         "volume": [1.0] * count})


def change(column: str, row: int, value: float | None) -> pl.DataFrame:
    made = frame()
    return made.with_columns(pl.Series(column, [value if place == row else old for place, old in enumerate(made[column].to_list())]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Good and broken files, made once."""
    there = tmp_path_factory.mktemp("files")
    frame().write_parquet(there / "BTCUSDT_1m.parquet")
    frame().write_parquet(there / "ETHUSDT_1m.parquet")
    frame(price=0.2).with_columns(pl.col("open", "high", "low", "close") * 0.01 + 0.2137).write_parquet(there / "DOGEUSDT_1m.parquet")
    frame(price=0.01).with_columns(pl.col("open", "high", "low", "close") * 0.001 + 0.001).write_parquet(there / "PEPE_1m.parquet")
    frame()[:1].write_parquet(there / "ONE_1m.parquet")
    frame().drop("close").write_parquet(there / "NOCLOSE_1m.parquet")
    frame()[:0].write_parquet(there / "NOROWS_1m.parquet")
    change("high", 4, 1.0).write_parquet(there / "HIGH_1m.parquet")
    change("close", 4, float("nan")).write_parquet(there / "NAN_1m.parquet")
    change("open", 4, None).write_parquet(there / "NULL_1m.parquet")
    change("low", 4, -1.0).write_parquet(there / "NEGATIVE_1m.parquet")
    change("high", 4, float("inf")).write_parquet(there / "INF_1m.parquet")
    frame().with_columns(ts=pl.Series([START] * 240)).write_parquet(there / "TWICE_1m.parquet")
    frame().reverse().write_parquet(there / "BACKWARDS_1m.parquet")
    (there / "BROKEN_1m.parquet").write_bytes(b"PAR1 and then nothing of the kind")
    (there / "NOTPARQUET_1m.parquet").write_bytes(b"hello")
    (there / "EMPTY_1m.parquet").write_bytes(b"")
    (there / "TEXT_1m.csv").write_text("ts,open,high,low,close,volume\n1700000000000,1,2,one,2,5\n")
    (there / "bars.xlsx").write_bytes(b"PK")
    (there / "bars.json").write_text("{")
    pl.DataFrame({"ts": [START], "rate": [7.0]}).write_parquet(there / "funding_high.parquet")
    pl.DataFrame({"ts": [START], "rate": [0.0001]}).write_parquet(there / "funding.parquet")
    (there / "mine.yaml").write_text(DOCUMENT)
    (there / "unknown.yaml").write_text(DOCUMENT.replace("kind: rsi", "kind: rsii"))
    (there / "zero.yaml").write_text(DOCUMENT.replace("period: 14", "period: 0"))
    (there / "expression.yaml").write_text(DOCUMENT.replace("crosses_above(r, 30)", "crosses_above(r,"))
    (there / "future.yaml").write_text(DOCUMENT.replace("crosses_above(r, 30)", "shift(close, -1) > 1"))
    (there / "tabs.yaml").write_text("name:\t- [")
    (there / "nothing.yaml").write_text("")
    (there / "stop.yaml").write_text(DOCUMENT + "stop_loss: {percent: 150}\n")
    (there / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01")
    return there


RUN = ("backtest", "rsi", "--data", "BTCUSDT_1m.parquet")
SWEEP = ("sweep", "rsi", "--data", "BTCUSDT_1m.parquet")

ROWS = {
    # files
    "no such file": (("backtest", "rsi", "--data", "missing.parquet"), "missing.parquet"),
    "a folder": (("backtest", "rsi", "--data", "."), "ending"),
    "broken parquet": (("backtest", "rsi", "--data", "BROKEN_1m.parquet"), "BROKEN_1m.parquet"),
    "not parquet at all": (("backtest", "rsi", "--data", "NOTPARQUET_1m.parquet"), "not a parquet file"),
    "empty file": (("backtest", "rsi", "--data", "EMPTY_1m.parquet"), "the file is empty"),
    "no rows": (("backtest", "rsi", "--data", "NOROWS_1m.parquet"), "no rows"),
    "no close": (("backtest", "rsi", "--data", "NOCLOSE_1m.parquet"), "missing column close"),
    "one bar": (("backtest", "rsi", "--data", "ONE_1m.parquet"), "1 bar"),
    "high below low": (("backtest", "rsi", "--data", "HIGH_1m.parquet"), "row 5"),
    "NaN": (("backtest", "rsi", "--data", "NAN_1m.parquet"), "close is missing or NaN"),
    "null": (("backtest", "rsi", "--data", "NULL_1m.parquet"), "open is missing"),
    "negative price": (("backtest", "rsi", "--data", "NEGATIVE_1m.parquet"), "must be greater than 0"),
    "infinite price": (("backtest", "rsi", "--data", "INF_1m.parquet"), "infinite"),
    "one time twice": (("backtest", "rsi", "--data", "TWICE_1m.parquet"), "twice"),
    "backwards": (("backtest", "rsi", "--data", "BACKWARDS_1m.parquet"), "sort the file"),
    "text for a number": (("backtest", "rsi", "--data", "TEXT_1m.csv"), "'one'"),
    "unknown kind of file": (("backtest", "rsi", "--data", "bars.xlsx"), ".xlsx"),
    "broken JSON": (("backtest", "rsi", "--data", "bars.json"), "bars.json"),
    "funding as percent": ((*RUN, "--funding", "funding_high.parquet"), "funding_high.parquet"),
    "funding of bars": ((*RUN, "--funding", "BTCUSDT_1m.parquet"), "missing column rate"),
    "funding missing": ((*RUN, "--funding", "no.parquet"), "no.parquet"),
    "two fundings for one market": ((*RUN, "--funding", "funding.parquet", "--funding", "funding.parquet"), "--funding"),
    "finer bars that are not finer": ((*RUN, "--detail", "BTCUSDT_1m.parquet"), "finer bars"),
    "one symbol twice": ((*RUN, "--data", "BTCUSDT_1m.parquet"), "BTCUSDT"),
    # what is asked of the data
    "symbol that is none": ((*RUN, "--symbol", "BTC/USDT"), "BTC/USDT"),
    "two symbols for one file": ((*RUN, "--symbol", "A", "--symbol", "B"), "--symbol"),
    "timeframe typo": ((*RUN, "--timeframe", "1mm"), "1mm"),
    "timeframe of a month": ((*RUN, "--timeframe", "1M"), "month"),
    "timeframe too long for the file": ((*RUN, "--timeframe", "1d"), "no bar"),
    "from after to": ((*RUN, "--from", "2024-02-01", "--to", "2024-01-01"), "--from"),
    "from is no time": ((*RUN, "--from", "yesterday"), "yesterday"),
    "to is no time": ((*RUN, "--to", "2024-13-01"), "2024-13-01"),
    "an empty range": ((*RUN, "--from", "2030-01-01"), "2030-01-01"),
    # the contract
    "tick 0": ((*RUN, "--tick", "0"), "tick"),
    "tick negative": ((*RUN, "--tick", "-0.1"), "tick"),
    "tick is a word": ((*RUN, "--tick", "small"), "small"),
    "tick NaN": ((*RUN, "--tick", "nan"), "tick"),
    "tick too coarse": (("backtest", "rsi", "--data", "PEPE_1m.parquet", "--tick", "1"), "too coarse"),
    "tick that does not fit": (("backtest", "rsi", "--data", "DOGEUSDT_1m.parquet", "--tick", "0.01"), "does not fit DOGEUSDT"),
    "tick too fine": ((*RUN, "--tick", "0.0000000001"), "fine"),
    "lot 0": ((*RUN, "--lot", "0"), "lot"),
    "tick × lot too fine": ((*RUN, "--lot", "0.0000000001"), "lot"),
    "negative minimum": ((*RUN, "--min-value", "-5"), "min_value"),
    # costs
    "negative fee": ((*RUN, "--taker", "-0.0006"), "taker"),
    "fee of 60 %": ((*RUN, "--maker", "0.6"), "fee"),
    "fee above 1": ((*RUN, "--taker", "6"), "taker"),
    "negative slippage": ((*RUN, "--slippage", "-1"), "slippage"),
    "slippage of all": ((*RUN, "--slippage", "1"), "slippage"),
    "capital 0": ((*RUN, "--capital", "0"), "capital"),
    "capital negative": ((*RUN, "--capital", "-10"), "capital"),
    "capital NaN": ((*RUN, "--capital", "NaN"), "capital"),
    "capital infinite": ((*RUN, "--capital", "1e999"), "capital"),
    "capital too large": ((*RUN, "--capital", "1e12"), "capital"),
    "a reading that is none": ((*RUN, "--reading", "lucky"), "lucky"),
    # strategies
    "no such strategy": (("backtest", "rsii", "--data", "BTCUSDT_1m.parquet"), "rsi"),
    "no such document": (("backtest", "no.yaml", "--data", "BTCUSDT_1m.parquet"), "no.yaml"),
    "unknown indicator": (("backtest", "unknown.yaml", "--data", "BTCUSDT_1m.parquet"), "rsii"),
    "indicator of period 0": (("backtest", "zero.yaml", "--data", "BTCUSDT_1m.parquet"), "period"),
    "broken expression": (("backtest", "expression.yaml", "--data", "BTCUSDT_1m.parquet"), "enter_long"),
    "a look into the future": (("backtest", "future.yaml", "--data", "BTCUSDT_1m.parquet"), "enter_long"),
    "broken YAML": (("backtest", "tabs.yaml", "--data", "BTCUSDT_1m.parquet"), "tabs.yaml"),
    "empty document": (("backtest", "nothing.yaml", "--data", "BTCUSDT_1m.parquet"), "nothing.yaml"),
    "a stop of 150 %": (("backtest", "stop.yaml", "--data", "BTCUSDT_1m.parquet"), "stop_loss.percent"),
    "a binary document": (("backtest", "binary.yaml", "--data", "BTCUSDT_1m.parquet"), "binary.yaml"),
    "period 0": ((*RUN, "--param", "period=0"), "period"),
    "period is a word": ((*RUN, "--param", "period=long"), "period"),
    "period is broken": ((*RUN, "--param", "period=14.5"), "period"),
    "unknown parameter": ((*RUN, "--param", "perod=14"), "period"),
    "parameter without a value": ((*RUN, "--param", "period"), "name=value"),
    "parameter twice": ((*RUN, "--param", "period=3", "--param", "period=4"), "twice"),
    "unknown setting": ((*RUN, "--set", "stop_los.percent=1"), "stop_loss.percent"),
    "impossible setting": ((*RUN, "--set", "stop_loss.percent=150"), "stop_loss.percent"),
    "leverage 1000": ((*RUN, "--set", "leverage=1000"), "leverage"),
    "size kind without its number": ((*RUN, "--set", "size.kind=fixed_quote"), "size"),
    # results
    "result into no folder": ((*RUN, "--json", "no/where.json"), "no/where.json"),
    "report onto a folder": ((*RUN, "--html", "."), "folder"),
    "both into one file": ((*RUN, "--json", "x.out", "--html", "x.out"), "x.out"),
    # sweeps
    "a milliard of combinations": ((*SWEEP, "--grid", "period=1:1000000000"), "1,000,000,000 combinations"),
    "a product of combinations": ((*SWEEP, "--grid", "period=2:200", "--grid", "low=1:49:0.001"), "combinations"),
    "no grid": (SWEEP, "--grid"),
    "an empty range of a grid": ((*SWEEP, "--grid", "period=54:5"), "empty"),
    "a step of 0": ((*SWEEP, "--grid", "period=5:54:0"), "step"),
    "a step backwards": ((*SWEEP, "--grid", "period=5:54:-1"), "step"),
    "too many colons": ((*SWEEP, "--grid", "period=5:54:1:2"), "first:last:step"),
    "a hole in a list": ((*SWEEP, "--grid", "stop_loss.percent=1,,2"), "stop_loss.percent"),
    "a value twice": ((*SWEEP, "--grid", "period=5,5"), "twice"),
    "a grid over the bounds": ((*SWEEP, "--grid", "period=1:20"), "period"),
    "a grid of an unknown name": ((*SWEEP, "--grid", "perod=5:20"), "perod"),
    "a grid of a fixed parameter": ((*SWEEP, "--grid", "period=5:20", "--param", "period=6"), "period"),
    "rank of nothing": ((*SWEEP, "--grid", "period=5:20", "--rank", "luck"), "sharpe"),
    "rank by what a sweep has not": ((*SWEEP, "--grid", "period=5:20", "--rank", "average_win"), "rank"),
    "no workers": ((*SWEEP, "--grid", "period=5:20", "--workers", "0"), "workers"),
    "top 0": ((*SWEEP, "--grid", "period=5:20", "--top", "0"), "--top"),
    "a sweep of both readings": ((*SWEEP, "--grid", "period=5:20", "--reading", "both"), "reading"),
    # the command line itself
    "no data": (("backtest", "rsi"), "--data"),
    "unknown option": ((*RUN, "--fee", "1"), "--fee"),
    "unknown command": (("backtset", "rsi"), "backtset"),
    "a number that is none": ((*SWEEP, "--grid", "period=5:20", "--workers", "many"), "--workers"),
}


@pytest.mark.parametrize(("arguments", "named"), ROWS.values(), ids=ROWS)
def test_wrong_input_is_told_in_one_sentence(folder, monkeypatch, capsys, arguments, named):
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    code = cli.run(list(arguments))
    said = capsys.readouterr()
    err = without_compiling(said.err)
    assert code == 2, said
    assert named in err, err
    assert "Traceback" not in err
    assert said.out == ""
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(("arguments", "named"), [ROWS["no such file"], ROWS["period 0"], ROWS["a milliard of combinations"]])
def test_a_real_process_says_the_same(folder, arguments, named):
    ended = subprocess.run([sys.executable, "-m", "haechi.cli", *arguments], cwd=folder, capture_output=True, text=True,
                           env={**os.environ, "LANG": "C.UTF-8"})
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert named in ended.stderr
    assert len(without_compiling(ended.stderr).strip().splitlines()) == 1


def without_compiling(err: str) -> str:
    """On a machine where the engine was never compiled, that is said first."""
    return "".join(line for line in err.splitlines(keepends=True) if not line.startswith("Compiling the engine"))


def test_every_fault_of_a_document_is_told_at_once(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    (folder / "three.yaml").write_text(json.dumps({"name": "x", "timeframe": "7m", "enter_long": "closee > 1", "size": {"kind": "all"}}))
    assert cli.run(["backtest", "three.yaml", "--data", "BTCUSDT_1m.parquet"]) == 2
    said = capsys.readouterr().err
    assert all(part in said for part in ("timeframe", "closee", "size.kind"))
