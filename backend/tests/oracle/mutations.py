"""Plants deliberate faults in a copy of the engine, one at a time, and shows that the reference catches each.

    .venv/bin/python backend/tests/oracle/mutations.py [CASES]

Prints a row a fault; exit code 1 if one survives or no longer fits the source. The copy runs uncompiled: no cache is involved.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENGINE_TEST, GRID_TEST = "test_engine_agrees_with_the_oracle.py", "test_grid_agrees_with_the_reference.py"
SYMBOLS_TEST = "../unit/core/test_several_symbols.py"  # rare in random cases, so by hand
SOURCE = HERE.parents[1] / "src" / "haechi"

# name, file of core, what stands there, what the fault makes of it
FAULTS = (
    ("stop rounded to the later tick", "levels.py", "return level_ceil(cost, lots, RATE - rate) if long", "return level_floor(cost, lots, RATE - rate) if long"),
    ("the target before the stop under adverse", "walk.py", "_stop_within(state, r, long, h, l):\n            return long", "_stop_within(state, r, long, h, l):\n            return not long"),
    ("funding one bar late", "engine.py", "while paid[m] < funding_at[m + 1] and funding[paid[m], 0] <= index:", "while paid[m] < funding_at[m + 1] and funding[paid[m], 0] < index:"),
    ("funding with the wrong sign", "money.py", "return amount if (lots > 0) == (rate > 0) else -amount", "return -amount if (lots > 0) == (rate > 0) else amount"),
    ("fee rounded down", "money.py", "((amount % RATE) * rate + HALF) // RATE", "((amount % RATE) * rate) // RATE"),
    ("slippage in our favour", "money.py", "return price + side * rate_ceil(price, slippage)", "return price - side * rate_ceil(price, slippage)"),
    ("a touch fills under adverse", "walk.py", "through = 1 if plans[m, READING] == ADVERSE else 0\n    best", "through = 0\n    best"),
    ("adverse walks like path", "walk.py", "if plans[m, READING] == ADVERSE and _stop_within", "if plans[m, READING] == 9 and _stop_within"),
    ("taker fee on targets", "walk.py", "plans[(r - 1) // 2, MAKER], BY_TARGET", "plans[(r - 1) // 2, TAKER], BY_TARGET"),
    ("margin never given back", "position.py", "state[0, HELD] -= margin_share", "state[0, HELD] -= 0"),
    ("liquidation price rounded away from the entry", "margin.py", "price = ratio_ceil(debt,", "price = ratio_floor(debt,"),
    ("first tier for every size", "margin.py", "if notional <= tiers[k, TIER_NOTIONAL]:", "if notional >= 0:"),
    ("entry sized by the wallet, not the equity", "decide.py", "worth = min(max(state[0, LAST_EQUITY], 0), EQUITY_MAX)", "worth = min(max(state[0, WALLET], 0), EQUITY_MAX)"),
    ("time stop one bar late", "decide.py", "state[r, BAR] - state[r, ENTRY_BAR] + 1 >= plans[m, TIME_STOP]", "state[r, BAR] - state[r, ENTRY_BAR] >= plans[m, TIME_STOP]"),
    ("trailing follows the close only", "walk.py", "    for r in range(first, first + legs(plans, m)):\n        on_price(state, plans, r, b)", "    pass"),
    ("entries go on after a daily loss", "decide.py", "state[0, BLOCKED_DAY] = state[0, DAY]", "state[0, BLOCKED_DAY] = -2"),
)

GRID_FAULTS = (
    ("grid: taker fee on lines", "grid_walk.py", "book(grid, fills, lots, price, grid[at.MAKER]", "book(grid, fills, lots, price, grid[at.TAKER]"),
    ("grid: start on the upper line on a tie", "grid_state.py", "if abs(lines[k] - price) < abs(lines[best] - price):", "if abs(lines[k] - price) <= abs(lines[best] - price):"),
    ("grid: stops met before nearer lines", "grid_walk.py", "best, what, level, way = reach(stop, side, point, end), MEETS_STOP, stop, side", "best, what, level, way = 0, MEETS_STOP, stop, side"),
    ("grid: a gapped stop fills at its own price", "grid_walk.py", "    price = end if gap else grid[at.POINT]\n", "    price = grid[at.POINT]\n"),
    ("grid: a gapped line fills at its own price", "grid_walk.py", "fill_line(grid, fills, way, end if gap else grid[at.LINES + grid[at.EMPTY] + way])", "fill_line(grid, fills, way, grid[at.LINES + grid[at.EMPTY] + way])"),
    ("grid: liquidation price kept after funding", "grid_state.py", "        grid[PAID] += amount\n        settle(grid)", "        grid[PAID] += amount"),
    ("grid: what is left after liquidation is kept", "grid_walk.py", "grid[at.WALLET] = min(grid[at.WALLET], 0)", "grid[at.WALLET] = grid[at.WALLET]"),
    ("grid: a touch fills under adverse", "grid_walk.py", "return MEETS_LINE, grid[at.LINES + line] + side * grid[at.THROUGH]", "return MEETS_LINE, grid[at.LINES + line]"),
    ("grid: funding one bar late", "grid_run.py", "while paid < due.shape[0] and due[paid, 0] <= i:", "while paid < due.shape[0] and due[paid, 0] < i:"),
    ("grid: geometric lines rounded down", "grid_plan.py", "return below + int(away > 0)", "return below"),
    ("grid: sized without the taker fee", "grid_size.py", "side.at_once * side.price * scaled(instrument.taker)", "side.at_once * side.price * 0"),
)

SYMBOL_FAULTS = (
    ("bars of all symbols begin one after the other", "engine.py", "                begin_bar(state, m, here[m] - offsets[m])\n        for m in range(markets):\n            j = here[m]\n            if j < 0:\n                continue\n",
     "        for m in range(markets):\n            j = here[m]\n            if j < 0:\n                continue\n            begin_bar(state, m, j - offsets[m])\n"),
    ("a flatten leaves waiting entries", "decide.py", "state[r, ENTRY_KIND] = state[r, ENTRY_FRESH] = 0  #", "state[r, FLATTEN] = state[r, FLATTEN]  #"),
)


def main() -> int:
    cases = sys.argv[1] if len(sys.argv) > 1 else "120"
    for test in (ENGINE_TEST, GRID_TEST, SYMBOLS_TEST):
        if catches("money.py", "HALF = 50_000_000", "HALF = 50_000_000", cases, test):
            raise SystemExit(f"{test} fails on the engine as it is: nothing can be said about faults")
    survived = 0
    for test, faults in ((ENGINE_TEST, FAULTS), (GRID_TEST, GRID_FAULTS), (SYMBOLS_TEST, SYMBOL_FAULTS)):
        for name, file, here, there in faults:
            caught = catches(file, here, there, cases, test)
            survived += not caught
            print(f"{'caught' if caught else 'SURVIVED':9} {name}", flush=True)
    total = len(FAULTS) + len(GRID_FAULTS) + len(SYMBOL_FAULTS)
    print(f"{total - survived} of {total} faults caught")
    return 1 if survived else 0


def catches(file: str, here: str, there: str, cases: str, test: str) -> bool:
    """Run the comparison on a faulty copy; a comparison that cannot start is no catch."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "haechi"
        shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        source = copy / "core" / file
        text = source.read_text(encoding="utf-8")
        if text.count(here) != 1:
            raise SystemExit(f"{file}: the line of a fault is there {text.count(here)} times: {here}")
        source.write_text(text.replace(here, there), encoding="utf-8")
        env = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": f"{folder}{os.pathsep}{HERE}", "HAECHI_CASES": cases}
        # in one process, plainly: the case files beside this script, the engine of the copy
        probe = "import haechi, sys; assert haechi.__file__.startswith(sys.argv[1]), haechi.__file__; import pytest; " \
                "sys.exit(pytest.main(['-x', '-q', '--no-header', '-p', 'no:cacheprovider', '--import-mode=importlib', '-c', '/dev/null', '-k', 'not real and not luna and not year', sys.argv[2]]))"
        done = subprocess.run([sys.executable, "-c", probe, folder, str((HERE / test).resolve())], env=env, cwd=folder,
                              capture_output=True, text=True)
        if done.returncode not in (0, 1) or "ImportError" in done.stdout:
            raise SystemExit(f"the comparison did not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.returncode == 1


if __name__ == "__main__":
    raise SystemExit(main())
