"""haechi: automated crypto futures trading where back-test, paper and live agree trade for trade.

    import haechi as hc
    bars = hc.bars("BTCUSDT_1m.parquet")
    result = hc.backtest(bars, "rsi", period=14)
    result.metrics
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

__version__ = "0.1.0"


def _compile_cache() -> Path:
    """Compiled code is kept for exactly these sources: numba does not see a change in a function's callees."""
    digest = hashlib.sha256(__version__.encode())
    for source in sorted((Path(__file__).parent / "core").rglob("*.py")):
        digest.update(source.read_bytes())
    base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "haechi" / digest.hexdigest()[:16]


# numba reads this when it is first imported, so it is set before anything can.
os.environ.setdefault("NUMBA_CACHE_DIR", str(_compile_cache()))


def __getattr__(name: str) -> Any:
    """The Python face is loaded when first used: the server and the command line start without it."""
    if name in {"bars", "backtest", "sweep", "funding"}:
        from haechi.research import api

        return getattr(api, name)
    raise AttributeError(f"module 'haechi' has no attribute {name!r}")
