"""An operator installs a package with an entry point; its strategy is found by name and runs like the built-in ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import haechi as hc
from haechi.core.language import LanguageError
from haechi.core.strategies import find, names

MODULE = '''
import numpy as np
from decimal import Decimal
from haechi.core.plan import Plan
from haechi.core.signals import ENTER_LONG, Signals

class EveryNth:
    """Goes long on every n-th bar."""
    params = {"n": {"default": 50, "min": 2, "max": 500}}
    def plan(self, params):
        return Plan(leverage=2, stop_loss=Decimal("0.01"))
    def signals(self, bars, params):
        bits = np.zeros(len(bars), dtype=np.uint8)
        bits[::int(params["n"])] = ENTER_LONG
        return Signals(bits)

strategy = EveryNth()
'''


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package as pip would have installed it."""
    (tmp_path / "every_nth_package.py").write_text(MODULE)
    info = tmp_path / "every_nth-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: every-nth\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[haechi.strategies]\nevery_nth = every_nth_package:strategy\n")
    monkeypatch.syspath_prepend(str(tmp_path))


def a_file(folder: Path) -> Path:
    path = folder / "BTCUSDT_1m.csv"
    close = np.round(60_000 + np.cumsum(np.random.default_rng(3).normal(0, 30, 1_000)), 1)
    rows = [f"{1_640_995_200_000 + 60_000 * i},{c},{c + 10},{c - 10},{c},1" for i, c in enumerate(close)]
    path.write_text("ts,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    return path


def test_it_is_found_and_its_parameters_are_checked(operator: None) -> None:
    assert "every_nth" in names()
    strategy = find("every_nth")
    assert (strategy.source, strategy.description, strategy.params()["n"]) == ("python", "Goes long on every n-th bar.", 50)
    with pytest.raises(LanguageError, match="from 2 to 500"):
        strategy.params({"n": 1})
    with pytest.raises(LanguageError, match="did you mean 'every_nth'"):
        find("every_nht")


def test_it_is_back_tested_like_any_other(operator: None, tmp_path: Path) -> None:
    result = hc.backtest(hc.bars(a_file(tmp_path)), "every_nth", n=100)
    assert result.metrics["trades"] >= 1
    with pytest.raises(Exception, match="its plan is set by parameters"):
        hc.backtest(hc.bars(a_file(tmp_path)), "every_nth", settings={"leverage": 5})
