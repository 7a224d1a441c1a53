"""The report of a back-test: one HTML page that loads nothing from elsewhere, in Korean and English, light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haechi.research.result import Result


def report(result: Result, *, synthetic: bool = False, description: str = "") -> str:
    """The whole page. Every text from outside (names, tags, symbols) is escaped. synthetic: say that the prices are made up."""
    from haechi.research.report.page import page

    return page(result, synthetic=synthetic, description=description)


__all__ = ["report"]
