"""Worker processes: real ones."""

import asyncio
import importlib
import os
import sys

import pytest

from haechi.errors import BadInput
from haechi.research.executor import ProcessExecutor, WorkFailed
from haechi.research.results import EQUITY_POINTS_MAX, keep, read_list, thinned

TASKS = """
import os
from haechi.errors import BadInput

def square(number, progress):
    progress(0.5)
    return number * number, os.getpid()


def refuse(progress):
    raise BadInput("There are no candles.")


def fall(progress):
    raise ZeroDivisionError("inside")


def die(progress):
    os._exit(3)


def hang(progress):
    progress(0.1)
    while True:
        os.read(os.pipe()[0], 1)
"""


@pytest.fixture
def tasks(tmp_path, monkeypatch):
    """Functions a process of its own can find: it gets our search path, but knows nothing of the tests."""
    (tmp_path / "tasks_for_workers.py").write_text(TASKS)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("tasks_for_workers")
    del sys.modules["tasks_for_workers"]


@pytest.fixture
async def executor():
    made = ProcessExecutor(1)
    yield made
    await made.close()


async def run(executor, function, *given, heard=None):
    return await executor.run(function, *given, progress=(heard if heard is not None else []).append)


async def test_work_is_done_elsewhere_and_the_process_is_kept(executor, tasks):
    heard = []
    value, pid = await run(executor, tasks.square, 7, heard=heard)
    assert (value, heard) == (49, [0.5])
    assert pid != os.getpid()
    assert (await run(executor, tasks.square, 8)) == (64, pid)


async def test_wrong_input_a_fault_and_a_death_are_told_apart_and_survived(executor, tasks):
    with pytest.raises(BadInput, match="no candles"):
        await run(executor, tasks.refuse)
    with pytest.raises(WorkFailed, match="ZeroDivisionError"):
        await run(executor, tasks.fall)
    with pytest.raises(WorkFailed, match="ended without an answer"):
        await run(executor, tasks.die)
    assert (await run(executor, tasks.square, 3))[0] == 9


async def test_cancelling_kills_the_work_and_the_next_one_gets_a_new_process(executor, tasks):
    _, before = await run(executor, tasks.square, 1)
    begun = asyncio.Event()
    task = asyncio.create_task(executor.run(tasks.hang, progress=lambda _share: begun.set()))
    await asyncio.wait_for(begun.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    _, after = await asyncio.wait_for(run(executor, tasks.square, 2), 30)
    assert after != before
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)


def test_a_thinned_curve_keeps_its_ends_its_peak_and_its_trough():
    values = [1000] * 50_000
    values[31_337], values[40_001] = 5000, 3
    places = thinned(values)
    assert len(places) <= EQUITY_POINTS_MAX
    assert {0, 31_337, 40_001, 49_999} <= set(places)
    assert places == sorted(places)
    assert thinned([5, 6, 7]) == [0, 1, 2]


def test_results_appear_all_at_once(tmp_path):
    keep(tmp_path / "r" / "x", trades=[{"pnl": "1"}], equity=[], report="")
    assert [path.name for path in (tmp_path / "r").iterdir()] == ["x"]
    assert read_list(tmp_path / "r" / "x", "trades.json") == [{"pnl": "1"}]
