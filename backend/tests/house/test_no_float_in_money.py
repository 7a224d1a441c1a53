"""Money is moved without floats: neither `float(` nor a literal with a point in what books, trades or talks to an exchange."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "haechi"
FOLDERS = ("trading", "venue", "exchanges")
# The ATR of an indicator becomes ticks here: the one door from float, as in core.run.atr_ticks.
ALLOWED = {("bots/signals.py", "float(self.instrument.tick)"), ("bots/signals.py", "0.5"),
           # The volume of a market is a statistic: it is shown, and fills nothing.
           ("venue/floor.py", "0.0"), ("venue/floor.py", "float(market.one.lot)"), ("venue/market.py", "0.0"), ("venue/moments.py", "0.0"),
           # Seconds to wait.
           ("venue/pace.py", "0.001"), ("venue/wire/ws/sockets.py", "120.0"), ("venue/wire/ws/streams.py", "0.09"),
           ("venue/wire/ws/streams.py", "0.0"),
           # How waits are spread.
           ("bots/recovery.py", "1.0"), ("bots/recovery.py", "0.5"),
           # The value of an indicator, shown by `why`.
           ("bots/instance_schemas.py", "31.25"),
           # /grid/market answers JSON numbers, as it was promised.
           ("bots/grid_market.py", "float(one.price(close))"), ("bots/grid_market.py", "float(one.price(high))"),
           ("bots/grid_market.py", "float(one.price(low))"),
           *(("bots/grid_schemas.py", number) for number in ("60000.1", "61000.0", "59000.5", "1.25")),
           # merge-depth answers JSON numbers, as the real exchange does.
           ("venue/wire/public.py", "float(one.price(price))"), ("venue/wire/public.py", "float(one.quantity(lots))")}


def files() -> list[Path]:
    return sorted([path for folder in (*FOLDERS, "bots") for path in (SOURCE / folder).rglob("*.py")])


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_float_where_money_moves(path: Path) -> None:
    name = str(path.relative_to(SOURCE))
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
        call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
        if (literal or call) and (name, ast.unparse(node)) not in ALLOWED:
            found.append(f"line {node.lineno}: {ast.unparse(node)}")  # type: ignore[attr-defined]
    assert not found, f"{name} uses floats: {found}; use Decimal, ticks or lots, or name the reason in ALLOWED"
