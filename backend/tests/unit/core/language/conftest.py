"""Small documents for the tests of the language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from haechi.core.bars import Bars
from haechi.core.language import Document, Evaluator

Made = Callable[..., Document]


def document(rule: str = "close > open", **fields: Any) -> Document:
    """A faultless document with one rule; fields are added or replaced."""
    return Document.of({"name": "test", "timeframe": "1m", "enter_long": rule, "size": {"kind": "fixed_quote", "quote": 100}, **fields})


@pytest.fixture(scope="session")
def made() -> Made:
    return document


@pytest.fixture(scope="session")
def number() -> Callable[..., np.ndarray]:
    """`number("mean(close, 3)", bars)`: a number at every bar, through the whole language."""
    def of(text: str, bars: Bars, **fields: Any) -> np.ndarray:
        at = Evaluator(document(f"{text} > 0", **fields), bars)
        found = at.value(at.rules().terms["enter_long"].args[0])
        return np.broadcast_to(np.asarray(found, dtype=np.float64), len(bars))
    return of


@pytest.fixture(scope="session")
def holds() -> Callable[..., np.ndarray]:
    """`holds("close > open", bars)`: whether the rule enters long, at every bar."""
    def of(text: str, bars: Bars, **fields: Any) -> np.ndarray:
        return Evaluator(document(text, **fields), bars).signals().bits == 1
    return of
