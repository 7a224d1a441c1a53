"""`haechi data …`: what each command does, says and refuses; and docs/how-to/data.md does what it says."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from haechi import cli
from haechi.errors import BadInput
from haechi.markets.commands import app
from haechi.markets.files import is_synthetic, read_bars

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "how-to" / "data.md").read_text(encoding="utf-8")
HOUR = 3_600_000


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HAECHI_DATA", str(tmp_path / "store"))
    return tmp_path


def said(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(arguments))
    if isinstance(result.exception, Exception) and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.parametrize("name", ["import", "check", "list", "resample", "download", "sample"])
def test_every_command_has_a_help_with_an_example(name):
    assert f"\n  haechi data {name}" in said(name, "--help")


def test_files_come_into_the_store_and_are_listed(make_bars):
    frame = make_bars()
    frame[:100].write_csv("BTCUSDT_a.csv")
    frame[90:].write_parquet("BTCUSDT_b.parquet")
    assert "BTCUSDT 1m at binance: 240 rows added" in said("import", "BTCUSDT_a.csv", "BTCUSDT_b.parquet", "--venue", "Binance")
    assert "240 were there already" in said("import", "BTCUSDT_a.csv", "BTCUSDT_b.parquet", "--venue", "binance")
    assert "binance  BTCUSDT  1m         240   2023-11-15 00:00  2023-11-15 03:59" in said("list")
    assert json.loads(said("list", "--json"))[0]["rows"] == 240
    assert read_bars(Path(said("list", "--paths").strip())).equals(frame)


def test_an_empty_store_says_how_to_fill_it():
    assert "haechi data import" in said("list")


def test_bars_that_differ_need_a_word(make_bars):
    make_bars().write_parquet("BTCUSDT_1m.parquet")
    said("import", "BTCUSDT_1m.parquet", "--venue", "binance")
    make_bars().with_columns(volume=pl.col("volume") * 2).write_parquet("BTCUSDT_1m.parquet")
    with pytest.raises(BadInput, match=r"240 of the new rows differ .* first at 2023-11-15 00:00: .*--replace"):
        said("import", "BTCUSDT_1m.parquet", "--venue", "binance")
    assert "240 replaced" in said("import", "BTCUSDT_1m.parquet", "--venue", "binance", "--replace")


def test_bars_in_another_time_zone_are_refused_until_one_insists(make_bars):
    good = make_bars(2000, length=5 * 60_000)
    good.write_parquet("BTCUSDT_5m.parquet")
    said("import", "BTCUSDT_5m.parquet", "--venue", "binance")
    good.with_columns(ts=pl.col("ts") + 9 * HOUR).write_parquet("BTCUSDT_seoul.parquet")
    arguments = ("import", "BTCUSDT_seoul.parquet", "--venue", "bitget")
    with pytest.raises(BadInput, match=r"BTCUSDT_seoul.parquet: looks shifted by \+9 h.*--despite-shift"):
        said(*arguments)
    assert json.loads(said("list", "--json"))[0]["venue"] == "binance" and len(json.loads(said("list", "--json"))) == 1
    assert "looks shifted by +9 h" in said(*arguments, "--despite-shift")


def test_funding_has_its_own_file():
    pl.DataFrame({"ts": [1_700_006_400_000], "rate": [0.0001]}).write_csv("BTCUSDT_funding.csv")
    assert "BTCUSDT funding at binance: 1 rows added" in said("import", "BTCUSDT_funding.csv", "--venue", "binance", "--funding")
    assert (Path("store") / "binance" / "BTCUSDT" / "funding.parquet").is_file()


def test_a_sound_file_ends_with_0_and_an_unsound_one_with_1(make_bars):
    make_bars().write_parquet("BTCUSDT_1m.parquet")
    assert "timeframe" in said("check", "BTCUSDT_1m.parquet")
    pl.concat([make_bars(), make_bars()[5:7]]).write_parquet("BTCUSDT_twice.parquet")
    found = json.loads(said("check", "BTCUSDT_twice.parquet", "--json", code=1))
    assert (found["duplicates"], found["out_of_order"], found["tick_suggested"]) == (2, 1, "0.1")


def test_a_check_compares_with_trusted_bars(make_bars):
    make_bars(900).write_parquet("BTCUSDT_1m.parquet")
    make_bars(900).with_columns(ts=pl.col("ts") - 60_000).write_parquet("BTCUSDT_close.parquet")
    assert "looks shifted by -1 min" in said("check", "BTCUSDT_close.parquet", "--trusted", "BTCUSDT_1m.parquet", code=1)


def test_a_sample_is_the_same_for_the_same_seed_and_labelled_synthetic_wherever_it_goes():
    said("sample", "BTCUSDT_1m.parquet", "--bars", "600", "--seed", "7")
    said("sample", "again.parquet", "--bars", "600", "--seed", "7")
    said("sample", "other.parquet", "--bars", "600", "--seed", "8")
    assert read_bars(Path("BTCUSDT_1m.parquet")).equals(read_bars(Path("again.parquet")))
    assert not read_bars(Path("BTCUSDT_1m.parquet")).equals(read_bars(Path("other.parquet")))
    assert is_synthetic(Path("BTCUSDT_1m.parquet"))
    assert "SYNTHETIC" in said("check", "BTCUSDT_1m.parquet")
    said("resample", "BTCUSDT_1m.parquet", "--to", "1h", "--out", "BTCUSDT_1h.parquet")
    assert is_synthetic(Path("BTCUSDT_1h.parquet"))
    with pytest.raises(BadInput, match="--venue synthetic"):
        said("import", "BTCUSDT_1m.parquet", "--venue", "binance")
    said("import", "BTCUSDT_1m.parquet", "--venue", "synthetic")
    assert is_synthetic(Path(said("list", "--paths").strip()))


def test_real_bars_cannot_be_called_synthetic(make_bars):
    make_bars().write_parquet("BTCUSDT_1m.parquet")
    with pytest.raises(BadInput, match="does not say that its market is invented"):
        said("import", "BTCUSDT_1m.parquet", "--venue", "synthetic")


def test_longer_bars_of_the_store_go_into_the_store(make_bars):
    make_bars(130).write_parquet("BTCUSDT_1m.parquet")
    said("import", "BTCUSDT_1m.parquet", "--venue", "binance")
    assert "2 bars of 1h written" in said("resample", "--venue", "binance", "--symbol", "BTCUSDT", "--to", "1h")
    assert "3 bars of 1h written" in said("resample", "--venue", "binance", "--symbol", "BTCUSDT", "--to", "1h", "--partial")
    assert [entry["timeframe"] for entry in json.loads(said("list", "--json"))] == ["1m", "1h"]


WRONG = {
    "files of two symbols": (("import", "BTCUSDT_1m.parquet", "ETHUSDT_1m.parquet", "--venue", "x"), "ETHUSDT 1m, but BTCUSDT"),
    "a venue that is none": (("import", "BTCUSDT_1m.parquet", "--venue", "../x"), "not a venue"),
    "a symbol that is none": (("import", "BTCUSDT_1m.parquet", "--venue", "x", "--symbol", "BTC/USDT"), "not a symbol"),
    "another timeframe": (("import", "BTCUSDT_1m.parquet", "--venue", "x", "--timeframe", "5m"), "not 5m bars"),
    "a timeframe for funding": (("import", "BTCUSDT_1m.parquet", "--venue", "x", "--timeframe", "5m", "--funding"), "do not go together"),
    "bars as funding": (("import", "BTCUSDT_1m.parquet", "--venue", "x", "--funding"), "missing column rate"),
    "a check of nothing": (("check", "none.parquet"), "no such file"),
    "a tick of 0": (("check", "BTCUSDT_1m.parquet", "--tick", "0"), "greater than 0"),
    "a tick that is a word": (("check", "BTCUSDT_1m.parquet", "--tick", "fine"), "'fine'"),
    "no target": (("resample", "BTCUSDT_1m.parquet", "--out", "x.parquet"), "--to"),
    "no place to write": (("resample", "BTCUSDT_1m.parquet", "--to", "1h"), "FILE and --out"),
    "both file and store": (("resample", "BTCUSDT_1m.parquet", "--to", "1h", "--out", "x.parquet", "--venue", "x"), "FILE and --out"),
    "a shorter timeframe": (("resample", "BTCUSDT_1m.parquet", "--to", "1m", "--out", "x.parquet"), "whole multiple"),
    "a target too long": (("resample", "BTCUSDT_1m.parquet", "--to", "1d", "--out", "x.parquet"), "--partial"),
    "a target of another kind": (("resample", "BTCUSDT_1m.parquet", "--to", "1h", "--out", "x.csv"), ".parquet"),
    "onto a file that is there": (("resample", "BTCUSDT_1m.parquet", "--to", "1h", "--out", "ETHUSDT_1m.parquet"), "exists"),
    "into no folder": (("sample", "no/x.parquet"), "folder does not exist"),
    "what the store has not": (("resample", "--venue", "x", "--symbol", "BTCUSDT", "--to", "1h"), "nothing yet"),
    "a sample of nothing": (("sample", "x.parquet", "--bars", "0"), "--bars"),
    "a negative seed": (("sample", "x.parquet", "--seed", "-1"), "--seed"),
    "a sample off its grid": (("sample", "x.parquet", "--timeframe", "1h", "--from", "2024-01-01T00:30"), "--from"),
    "a sample on a tick too coarse": (("sample", "x.parquet", "--price", "1", "--tick", "1"), "leaves no room"),
    "a price that is a word": (("sample", "x.parquet", "--price", "high"), "'high'"),
}


@pytest.mark.parametrize(("arguments", "named"), WRONG.values(), ids=WRONG)
def test_wrong_input_is_one_sentence_and_exit_code_2(arguments, named, make_bars, capsys, folder):
    for symbol in ("BTCUSDT", "ETHUSDT"):
        make_bars().write_parquet(f"{symbol}_1m.parquet")
    assert cli.run(["data", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("error: ") and named in error, error
    assert sorted(path.name for path in folder.rglob("*.parquet")) == ["BTCUSDT_1m.parquet", "ETHUSDT_1m.parquet"]


def test_the_commands_and_the_python_of_the_page_run(capsys):
    commands = re.findall(r"^haechi (.+)$", "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.S)), re.M)
    assert len(commands) > 9
    for command in commands:
        assert cli.run(shlex.split(command)) == 0, (command, capsys.readouterr().err)
    exec("\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.S)), {})
    assert capsys.readouterr().out.endswith("1440 0\n")
