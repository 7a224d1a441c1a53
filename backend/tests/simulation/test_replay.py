"""A journal replays wish for wish; one that was changed, cut off or broken is told apart."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from haechi.bots.replay import replay, replay_command
from haechi.core.bars import Bars
from haechi.core.instrument import Instrument
from haechi.core.run import Market
from haechi.core.signals import Signals
from haechi.errors import BadInput
from haechi.markets.synthetic import synthetic_bars


@pytest.fixture
async def journal(road) -> Path:
    made = synthetic_bars(5, 120, start_ms=1_767_225_600_000, price=Decimal(60_000), tick=Decimal("0.1"))
    bars = Bars.of(symbol="BTCUSDT", timeframe_ms=60_000, tick=Decimal("0.1"), **made.columns())
    market = Market(Instrument("BTCUSDT"), bars, Signals(np.zeros(len(bars), dtype=np.uint8)))
    async with road({"BTCUSDT": market}) as there:
        bot = await there.start("rsi", "BTCUSDT", params={"period": 2, "low": 49, "high": 51})
        await there.play()
        return there.bots.folder / f"{bot.id}.jsonl"


def test_the_same_wishes_come_out(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay_command(journal) == 0
    assert "all the same" in capsys.readouterr().out
    assert replay(journal).events >= 120
    assert replay(journal).wishes >= 3


def test_a_changed_price_changes_a_wish_and_is_found(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = journal.read_text().splitlines(keepends=True)
    first = next(k for k, line in enumerate(lines) if '"k":"wish"' in line)
    lines[first] = lines[first].replace('"lots":', '"lots":1')
    journal.write_text("".join(lines))
    assert replay_command(journal) == 1
    assert f"line {first + 1}" in capsys.readouterr().out


def test_a_signal_that_was_not_there_is_found(journal: Path) -> None:
    lines = journal.read_text().splitlines(keepends=True)
    first = next(k for k, line in enumerate(lines) if '"bits":0' in line)
    lines[first] = lines[first].replace('"bits":0', '"bits":1')
    journal.write_text("".join(lines))
    assert replay(journal).difference.startswith("line ")


def test_a_line_cut_off_by_a_crash_is_left_out(journal: Path) -> None:
    whole = replay(journal)
    journal.write_bytes(journal.read_bytes()[:-10])
    cut = replay(journal)
    assert cut.difference == ""
    assert cut.events + cut.wishes < whole.events + whole.wishes


@pytest.mark.parametrize(("change", "said"), [
    (lambda text: text.replace('"k":"bar"', "k bar", 1), "is not a line of a journal"), (lambda text: "", "does not begin with the head"),
    (lambda text: text.split("\n", 1)[1], "does not begin with the head"),
    (lambda text: text.replace('"timeframe_ms"', '"t"'), "another version"),
    (lambda text: text.replace('"k":"wish"', '"k":"hope"', 1), "no line of kind 'hope'")])
def test_what_is_no_journal_is_refused(journal: Path, change, said: str) -> None:
    journal.write_text(change(journal.read_text()))
    with pytest.raises(BadInput, match=said):
        replay(journal)
