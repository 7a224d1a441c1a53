"""Which bars are of an invented market: their file says so, and whatever is made of them must say so too."""

from __future__ import annotations

from pathlib import Path
from weakref import WeakSet

from haechi.core.bars import Bars
from haechi.markets.files import is_synthetic

_invented: WeakSet[Bars] = WeakSet()


def noted(bars: Bars, path: Path) -> Bars:
    """The same bars, remembered as invented if their file says so."""
    if is_synthetic(path):
        _invented.add(bars)
    return bars


def is_invented(bars: Bars) -> bool:
    return bars in _invented
