"""The command line at work: what it prints, what it writes, and that Ctrl-C leaves nothing broken."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from haechi import cli
from haechi.markets.files import SYNTHETIC_LABEL
from haechi.research import printing, writing

MINUTE, START = 60_000, 1_699_999_200_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    there = tmp_path_factory.mktemp("market")
    closes = [round(30_000 + 400 * ((place * 37 % 101) / 101 - 0.5) + (place % 700), 1) for place in range(2000)]
    opened = [closes[0], *closes[:-1]]
    frame = pl.DataFrame({"ts": [START + place * MINUTE for place in range(2000)], "open": opened,
                          "high": [max(pair) + 5.0 for pair in zip(opened, closes, strict=True)],
                          "low": [min(pair) - 5.0 for pair in zip(opened, closes, strict=True)], "close": closes, "volume": [1.0] * 2000})
    frame.write_parquet(there / "BTCUSDT_1m.parquet")
    frame.write_parquet(there / "ETHUSDT_1m.parquet")
    pl.DataFrame({"ts": [START + 480 * MINUTE, START + 960 * MINUTE], "rate": [0.0001, -0.0002]}).write_parquet(there / "funding.parquet")
    return there


@pytest.fixture(autouse=True)
def inside(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


DATA = ("--data", "BTCUSDT_1m.parquet")


def test_a_back_test_prints_its_figures_and_writes_both_files(folder, capsys):
    code = cli.run(["backtest", "rsi", *DATA, "--funding", "funding.parquet", "--param", "period=7", "--set", "stop_loss.percent=0.5",
                    "--json", "out.json", "--html", "out.html"])
    said = capsys.readouterr().out
    assert code == 0
    assert "Net profit" in said and "rsi · BTCUSDT 1m · period 7" in said and "written: out.json" in said
    data = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    assert data["bars"] == 2000 and data["params"]["period"] == 7
    assert (folder / "out.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_json_can_be_written_to_the_output(capsys):
    assert cli.run(["backtest", "rsi", *DATA, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["symbol"] == "BTCUSDT"


def test_both_readings_stand_beside_each_other(capsys):
    assert cli.run(["backtest", "rsi", *DATA, "--reading", "both"]) == 0
    assert "adverse" in capsys.readouterr().out.split("Net profit")[0].splitlines()[-1]


def test_a_korean_terminal_reads_korean(monkeypatch, capsys):
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    assert cli.run(["backtest", "rsi", *DATA]) == 0
    assert "순손익" in capsys.readouterr().out


def test_a_range_and_a_longer_timeframe(capsys):
    assert cli.run(["backtest", "rsi", *DATA, "--timeframe", "5m", "--from", "2023-11-15", "--json", "-"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["timeframe"] == "5m" and data["from"] == 1_700_006_400_000
    assert any("written for 1m" in warning for warning in data["warnings"])


def test_two_symbols_on_one_wallet(capsys):
    assert cli.run(["backtest", "ema", *DATA, "--data", "ETHUSDT_1m.parquet", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["symbol"] == "BTCUSDT+ETHUSDT"


def test_a_sweep_ranks_and_writes_all(folder, capsys):
    assert cli.run(["sweep", "rsi", *DATA, "--grid", "period=5:9", "--grid", "stop_loss.percent=0.5,1", "--rank", "pnl", "--top", "3",
                    "--json", "sweep.json"]) == 0
    said = capsys.readouterr().out
    assert "10 combinations by Net profit" in said
    data = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    profits = [float(row["metrics"]["pnl"]) for row in data["rows"]]
    assert len(profits) == 10 and profits == sorted(profits, reverse=True)
    best = data["rows"][0]["params"]
    assert cli.run(["backtest", "rsi", *DATA, "--param", f"period={best['period']}", "--set", f"stop_loss.percent={best['stop_loss.percent']}",
                    "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["pnl"] == data["rows"][0]["metrics"]["pnl"]


def test_the_help_of_every_command_can_be_read(capsys):
    for command in ("backtest", "sweep", "serve", "replay", "doctor", "migrate"):
        assert cli.run([command, "--help"]) == 0
    said = capsys.readouterr().out
    for option in ("--data", "--funding", "--detail", "--symbol", "--timeframe", "--from", "--to", "--param", "--set", "--capital", "--reading",
                   "--slippage", "--maker", "--taker", "--tick", "--lot", "--min-value", "--json", "--html", "--grid", "--rank", "--top", "--workers"):
        assert option in said


def test_the_help_loads_neither_the_engine_nor_the_server():
    code = "import sys\nfrom haechi import cli\ncli.run(['--help'])\nprint(sorted({'numba', 'polars', 'fastapi', 'sqlalchemy', 'pydantic'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stdout.splitlines()[-1] == "[]", ended.stdout


def test_a_back_test_does_not_load_the_server(folder):
    code = "import sys\nfrom haechi import cli\ncli.run(['backtest', 'rsi', '--data', 'BTCUSDT_1m.parquet'])\nprint(sorted({'fastapi', 'sqlalchemy', 'uvicorn'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
    assert ended.stdout.splitlines()[-1] == "[]", ended.stdout + ended.stderr


def test_ctrl_c_ends_a_sweep_with_130_and_leaves_no_file(folder):
    """The signal comes when the sweep is known to run: its first line of progress is out. Who runs the tests in the background has told
    all that they start to ignore it."""
    code = ("import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\nfrom haechi import cli\nfrom haechi.research import sweeping\n"
            "def told(work, **_):\n    for place, one in enumerate(work):\n        if place == 20: print('running', flush=True)\n        yield one\n"
            "sweeping.tracked = told\n"
            "cli.main(['sweep', 'rsi', '--data', 'BTCUSDT_1m.parquet', '--grid', 'period=2:200', '--grid', 'low=1:49:0.05', '--json', 'never.json'])\n")
    started = subprocess.Popen([sys.executable, "-c", code], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert started.stdout is not None and started.stdout.readline() == "running\n"
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=60)
    assert started.returncode == 130
    assert said == "haechi: stopped\n"
    assert not [path for path in folder.iterdir() if "never" in path.name]


def test_a_file_is_there_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "result.json"
    target.write_text("old")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        writing.write_whole(target, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"] and target.read_text() == "old"


def test_a_fault_of_ours_is_not_hidden(monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("haechi.research.command_inputs.Files", broken)
    with pytest.raises(ZeroDivisionError):
        cli.run(["backtest", "rsi", *DATA])


def test_the_command_line_and_python_agree(capsys):
    import haechi as hc

    cli.run(["backtest", "rsi", *DATA, "--json", "-"])
    assert capsys.readouterr().out.strip() == hc.backtest(hc.bars("BTCUSDT_1m.parquet"), "rsi").json()


def test_wide_letters_count_twice():
    assert printing.width("손익ab") == 6


def test_the_doctor_finds_this_machine_in_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.run(["doctor"]) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("python", "libraries", "engine", "clock", "database", "Everything is in order."))


def test_migrate_says_from_where_to_where_and_then_that_there_is_nothing_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.run(["migrate"]) == 0
    assert "from nothing to r" in capsys.readouterr().out
    assert cli.run(["migrate"]) == 0
    assert "already" in capsys.readouterr().out


def test_an_address_in_use_is_told(tmp_path, monkeypatch, capsys):
    import socket

    monkeypatch.chdir(tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert cli.run(["serve", "--port", str(other.getsockname()[1])]) == 2
    assert "cannot be listened on" in capsys.readouterr().err


def test_settings_that_cannot_be_used_are_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.delenv("JWT_SECRET", raising=False)
    assert cli.run(["migrate"]) == 2
    assert "JWT_SECRET" in capsys.readouterr().err




def test_an_invented_market_is_called_so_wherever_its_result_is_shown(folder, capsys):
    frame = pl.read_parquet("BTCUSDT_1m.parquet")
    frame.write_parquet("MADEUSDT_1m.parquet", metadata=SYNTHETIC_LABEL)
    try:
        assert cli.run(["backtest", "rsi", "--data", "MADEUSDT_1m.parquet", "--json", "made.json", "--html", "made.html"]) == 0
        assert "invented market" in capsys.readouterr().out
        assert any("invented" in warning for warning in json.loads((folder / "made.json").read_text())["warnings"])
        assert 'class="stamp"' in (folder / "made.html").read_text(encoding="utf-8")
        assert cli.run(["backtest", "rsi", *DATA]) == 0
        assert "invented" not in capsys.readouterr().out
    finally:
        Path("MADEUSDT_1m.parquet").unlink()
