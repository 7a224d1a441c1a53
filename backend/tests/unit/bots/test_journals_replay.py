"""A bot's journal, over restarts and cuts, gives the same wishes again; one that was changed is told apart."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from haechi.bots.mind import Mind, Spec
from haechi.bots.replay import replay
from haechi.bots.signals import SignalHub
from haechi.core.instrument import Instrument
from haechi.core.live import Wanted
from haechi.core.plan import Costs
from haechi.errors import BadInput
from haechi.exchanges.port import Bar, Fill
from haechi.markets.synthetic import synthetic_bars
from haechi.trading.journal import Journal, lines

ONE = Instrument("BTCUSDT", tick=Decimal("0.1"))
SPEC = Spec("rsi", {"period": 2, "low": 49, "high": 51}, {"on_opposite": "reverse"}, ONE, Costs(), 300_000)


def bars_of(n: int) -> list[Bar]:
    columns = synthetic_bars(5, n, start_ms=1_767_225_600_000, price=Decimal(60_000), tick=Decimal("0.1")).columns()
    rows = zip(*(columns[name].tolist() for name in ("ts", "open", "high", "low", "close", "volume")), strict=True)
    return [Bar("BTCUSDT", 60_000, ts, *(ONE.price(ONE.ticks_nearest(Decimal(repr(p)))) for p in prices), volume=volume)
            for ts, *prices, volume in rows]


class Small:
    """A runner without a desk: what is wished at the market fills at once, in two pieces."""

    def __init__(self, path: Path, mind: Mind | None = None) -> None:
        self.mind, self.journal, self.count = mind or Mind(SPEC), Journal(path), 0
        self.journal.begin(SPEC, mind.snapshot() if mind else "")
        self.rested: dict[str, Wanted] = {}

    def bar(self, bar: Bar, hub: SignalHub, key: object) -> None:
        signal = hub.signal(key, bar)  # type: ignore[arg-type]
        self.journal.write("bar", event=bar, signal=signal)
        wishes = self.mind.heard(bar, signal=signal)
        if wishes:
            self.journal.write("wish", orders=wishes)
        for wish in wishes:
            for lots in (wish.lots // 3, wish.lots - wish.lots // 3):
                self.fill(wish, lots, bar)
        if self.mind.resting() != self.rested:
            self.rested = self.mind.resting()
            self.journal.write("rest", orders=list(self.rested.values()))

    def fill(self, wish: Wanted, lots: int, bar: Bar) -> None:
        self.count += 1
        fill = Fill(f"f{self.count}", "c", "BTCUSDT", "buy" if wish.side > 0 else "sell", ONE.quantity(lots), bar.close, Decimal(0),
                    Decimal(0), False, bar.close, bar.ts + 60_000)
        self.journal.write("fill", role=wish.role, event=fill)
        self.mind.heard(fill, wish.role)


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """Four hours, with a crash in the middle and forty minutes away."""
    path, bars, hub = tmp_path / "b.jsonl", bars_of(240), SignalHub()
    key = hub.open(SPEC, bars[:20])
    small = Small(path)
    for bar in bars[20:120]:
        small.bar(bar, hub, key)
    small = Small(path, Mind.restored(SPEC, small.mind.snapshot()))
    for bar in bars[120:160]:
        hub.signal(key, bar)
    for signal in hub.since(key, small.mind.bar_ts):
        small.journal.write("missed", event=signal.whole, signal=signal)
        small.mind.missed(signal.whole, signal)
    for bar in bars[160:]:
        small.bar(bar, hub, key)
    return path


def test_the_same_wishes_come_out_over_a_restart(told: Path) -> None:
    found = replay(told)
    assert (found.difference, found.events > 180, found.wishes > 10) == ("", True, True)
    kinds = [row["k"] for row in lines(told)]
    assert (kinds[0], kinds.count("head"), kinds.count("restored")) == ("head", 1, 1)


def _first(rows: list[str], holds: Callable[[str], bool]) -> int:
    return next(k for k, row in enumerate(rows) if holds(row))


@pytest.mark.parametrize(("what", "old", "new"), [
    ("a signal that was not there", '"bits":0', '"bits":1'), ("a signal taken away", '"bits":1', '"bits":0'),
    ("another wish", '"lots":', '"lots":1'), ("a fill that was larger", '"quantity":"', '"quantity":"1'),
    ("a fill at another price", '"price":"', '"price":"1')])
def test_what_was_changed_is_found(told: Path, what: str, old: str, new: str) -> None:
    rows = told.read_text().splitlines(keepends=True)
    kind = {"b": "bar", "l": "wish", "q": "fill", "p": "fill"}[old[1]]
    place = _first(rows, lambda row: f'"k":"{kind}"' in row and old in row)
    rows[place] = rows[place].replace(old, new, 1)
    told.write_text("".join(rows))
    assert replay(told).difference.startswith("line "), what


def test_another_price_of_a_bar_that_sized_an_entry_is_found(told: Path) -> None:
    rows = told.read_text().splitlines(keepends=True)
    place = _first(rows, lambda row: '"bits":1' in row or '"bits":2' in row)
    rows[place] = rows[place].replace('"close":"', '"close":"1')
    told.write_text("".join(rows))
    assert replay(told).difference.startswith("line ")


def test_a_restored_state_of_another_mind_is_found(told: Path) -> None:
    rows = told.read_text().splitlines(keepends=True)
    place = _first(rows, lambda row: '"k":"restored"' in row)
    rows[place] = json.dumps({"k": "restored", "state": Mind(SPEC).snapshot()}) + "\n"
    told.write_text("".join(rows))
    assert replay(told).difference.startswith("line ")
    rows[place] = '{"k":"restored","state":"{}"}\n'
    told.write_text("".join(rows))
    with pytest.raises(BadInput, match="another version"):
        replay(told)


def test_no_file_stays_open_and_a_cut_line_goes_at_the_next_beginning(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    before = len(os.listdir("/proc/self/fd"))
    journals = [Journal(tmp_path / f"{k}.jsonl") for k in range(50)]
    for journal in journals:
        journal.begin(SPEC)
        journal.write("stop")
    assert len(os.listdir("/proc/self/fd")) <= before
    journal = Journal(path)
    journal.begin(SPEC)
    with path.open("ab") as file:
        file.write(b'{"k":"st')
    journal = Journal(path)
    journal.begin(SPEC, "saved")
    journal.write("stop")
    assert [row["k"] for row in lines(path)] == ["head", "restored", "stop"]


def test_lines_wait_a_moment_unless_something_leaves(tmp_path: Path) -> None:
    path, called = tmp_path / "b.jsonl", list[Callable[[], None]]()
    journal = Journal(path)
    journal.begin(SPEC)
    journal.later = lambda _seconds, work: called.append(work)

    def kinds() -> list[str]:
        return [row["k"] for row in lines(path)]

    journal.write("stop")
    journal.write("stop")
    assert kinds() == ["head"] and len(called) == 1  # one call for all that waits
    journal.flush()
    assert kinds() == ["head", "stop", "stop"]
    called.pop()()
    assert kinds() == ["head", "stop", "stop"] and not called  # nothing waits any more
    journal.write("stop")
    called.pop()()
    assert kinds() == ["head", *["stop"] * 3]


def test_a_full_disk_loses_no_line_of_a_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, called, write = tmp_path / "b.jsonl", list[Callable[[], None]](), os.write
    journal = Journal(path)
    journal.begin(SPEC)
    journal.later = lambda _seconds, work: called.append(work)
    journal.write("wish", orders=[])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        journal.flush()  # what would leave because of it does not
    called.pop()()
    assert len(called) == 1  # it is tried again
    monkeypatch.setattr(os, "write", lambda file, text: write(file, text[:7]))  # a disk that takes a piece
    for _ in range(3):
        called.pop()()
    monkeypatch.setattr(os, "write", write)
    journal.close()
    assert [row["k"] for row in lines(path)] == ["head", "wish"]


def test_a_head_that_was_cut_off_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    path.write_bytes(b'{"k":"hea')
    Journal(path).begin(SPEC)
    assert [row["k"] for row in lines(path)] == ["head"]


@pytest.mark.parametrize("state", ["", "saved"])
def test_a_bot_begins_on_a_full_disk_and_its_first_lines_are_written_when_there_is_room(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    path, write = tmp_path / "b.jsonl", os.write
    monkeypatch.setattr(os, "write", full)
    journal = Journal(path)
    journal.begin(SPEC, state)
    journal.write("stop")
    assert journal.stuck
    monkeypatch.setattr(os, "write", write)
    journal.write("stop")
    assert not journal.stuck and [row["k"] for row in lines(path)] == ["head", *["restored"] * bool(state), "stop", "stop"]


@pytest.mark.parametrize("taken", ["nothing", "the head", "a piece"])
def test_what_waits_for_a_disk_has_a_bound_and_the_journal_goes_on_from_a_state(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: str) -> None:
    path, write = tmp_path / "b.jsonl", os.write
    monkeypatch.setattr(os, "write", full)
    journal = Journal(path)
    if taken != "nothing":
        monkeypatch.setattr(os, "write", write)
    journal.begin(SPEC)
    if taken == "a piece":
        monkeypatch.setattr(os, "write", lambda file, text: write(file, text[:7]))
        journal.write("stop")
    monkeypatch.setattr(os, "write", full)
    while not journal.overfull:
        journal.write("wish", orders=["x" * 10_000])
    journal.anew("state")
    assert not journal.overfull
    monkeypatch.setattr(os, "write", write)
    journal.write("stop")
    assert [row["k"] for row in lines(path)] == ["head", *["stop"] * (taken == "a piece"), "restored", "stop"]


def full(_file: int, _text: bytes) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")
