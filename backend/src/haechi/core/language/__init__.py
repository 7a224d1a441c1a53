"""The strategy language: `Document.parse(text)`, then `evaluate(document, bars, params)`. The user's page is docs/strategy-language.md.

text → plain values (text) → shape (document, fields) → meaning (semantics, check, wiring) → terms (resolve, rules) → arrays
(evaluator, operations). TA-Lib and Numba load with the evaluator, at its first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .document import Document
from .errors import LanguageError, Problem
from .rules import Rules, rules_of

if TYPE_CHECKING:
    from .evaluator import Evaluator, evaluate, signal_at_end
    from .explaining import Explained, explain

__all__ = ["Document", "Evaluator", "Explained", "LanguageError", "Problem", "Rules", "evaluate", "explain", "rules_of", "schema",
           "signal_at_end"]
LATER = {"Evaluator": "evaluator", "evaluate": "evaluator", "signal_at_end": "evaluator", "Explained": "explaining",
         "explain": "explaining"}


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a document."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Document.model_json_schema()}


def __getattr__(name: str) -> Any:
    if name not in LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{LATER[name]}"), name)
