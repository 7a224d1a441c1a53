"""docs/how-to/backtest.md does what it says: its commands and its Python are run on a small market."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import polars as pl
import pytest

from haechi import cli

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "how-to" / "backtest.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^haechi (.+)$", "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.S)), re.M)


@pytest.fixture(autouse=True)
def market(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    closes = [round(30_000 + 600 * ((place * 37 % 101) / 101 - 0.5) + (place % 700), 1) for place in range(1800)]
    opened = [closes[0], *closes[:-1]]
    for symbol in ("BTCUSDT", "ETHUSDT"):
        pl.DataFrame({"ts": [1_699_999_200_000 + place * 60_000 for place in range(1800)], "open": opened,
                      "high": [max(pair) + 5.0 for pair in zip(opened, closes, strict=True)],
                      "low": [min(pair) - 5.0 for pair in zip(opened, closes, strict=True)],
                      "close": closes, "volume": [1.0] * 1800}).write_parquet(f"{symbol}_1m.parquet")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_runs(command, capsys):
    assert cli.run(shlex.split(command)) == 0, capsys.readouterr().err


def test_the_python_of_the_page_runs(tmp_path):
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.S))
    exec(compile(code, "backtest.md", "exec"), {})
    assert {"equity.svg", "report.html", "result.json"} <= {path.name for path in tmp_path.iterdir()}


def test_the_page_lists_every_option_there_is():
    from haechi.research import commands

    offered = set(re.findall(r'typer\.Option\("(--[a-z-]+)"', Path(commands.__file__).read_text(encoding="utf-8")))
    assert len(offered) > 20
    assert not [option for option in offered if option not in PAGE]
