"""haechi: automated crypto futures trading where back-test, paper and live agree trade for trade.

    import haechi as hc
    bars = hc.bars("BTCUSDT_1m.parquet")
    result = hc.backtest(bars, "rsi", period=14)
    result.metrics
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

__version__ = "0.1.0"
FACE = ("backtest", "bars", "funding", "sweep")


def _compile_cache() -> Path:
    """Compiled code is kept for exactly these sources: numba does not see a change in a function's callees."""
    digest = hashlib.sha256(__version__.encode())
    for source in sorted((Path(__file__).parent / "core").rglob("*.py")):
        digest.update(source.read_bytes())
    return _cache_home() / "haechi" / digest.hexdigest()[:16]


def _cache_home() -> Path:
    """The user's cache folder; where it cannot be written (a container, a service user), the temporary folder."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    return home if there.is_dir() and os.access(there, os.W_OK) else Path(tempfile.gettempdir())


# numba reads this when it is first imported, so it is set before anything can.
os.environ.setdefault("NUMBA_CACHE_DIR", str(_compile_cache()))


def __getattr__(name: str) -> Any:
    """The Python face is loaded when first used: the server and the command line start without it."""
    if name in FACE:
        from haechi.research import api

        return getattr(api, name)
    raise AttributeError(f"module 'haechi' has no attribute {name!r}")


def __dir__() -> list[str]:
    return ["__version__", *FACE]
