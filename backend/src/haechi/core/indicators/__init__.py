"""Indicators by name: what they take and give is in `registry`, how they are computed in `standard` (TA-Lib) and `own`.

Every indicator is NaN until it is defined and uses bars up to its own only.
"""

from .registry import KINDS, Kind, Setting, calculate

__all__ = ["KINDS", "Kind", "Setting", "calculate"]
