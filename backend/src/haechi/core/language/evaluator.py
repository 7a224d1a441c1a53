"""A document over bars: all bars at once, each distinct part computed once and kept for the next parameter set."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bars import Bars
from ..indicators import KINDS, calculate
from ..signals import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT, Signals
from .document import Document
from .nodes import Indicator, Output, Term
from .operations import PLAIN, SERIES, WINDOWED
from .rules import Rules, rules_of

CACHE_BYTES = 48 * 1024 * 1024  # a dozen columns of a year of minutes; more only makes the memory cold
BITS = {"enter_long": ENTER_LONG, "enter_short": ENTER_SHORT, "exit_long": EXIT_LONG, "exit_short": EXIT_SHORT}
HOUR_MS = 3_600_000
Key = Term | Indicator


class Evaluator:
    """One document over one set of bars, for any number of parameter sets. Recursive indicators start at the first bar given:
    the same first bar gives the same signal at every later bar, however many bars follow it."""

    def __init__(self, document: Document, bars: Bars, *, cache_bytes: int = CACHE_BYTES) -> None:
        self.document = document
        self.bars = bars
        self._cache = _Cache(cache_bytes)

    def rules(self, params: Mapping[str, Any] | None = None, overrides: Mapping[str, Any] | None = None) -> Rules:
        return rules_of(self.document, params, overrides)

    def signals(self, params: Mapping[str, Any] | None = None, overrides: Mapping[str, Any] | None = None) -> Signals:
        """Raises LanguageError for parameters and overrides that cannot be used."""
        return self.signals_of(self.rules(params, overrides))

    def signals_of(self, rules: Rules) -> Signals:
        """The same from rules that were resolved before: a live bot resolves them once, not at every bar."""
        bits = np.zeros(len(self.bars), dtype=np.uint8)
        if len(bits):
            for name, term in rules.terms.items():
                self._mark(bits, BITS[name], self.value(term))
        tags = self.document.tags
        atr = self.indicator(rules.atr)[0] if rules.atr else None
        return Signals(bits, atr, (tags.enter_long or "", tags.enter_short or ""), (tags.exit_long or "", tags.exit_short or ""))

    def _mark(self, bits: NDArray[np.uint8], bit: int, holds: Any) -> None:
        if np.ndim(holds):
            bits |= np.multiply(holds.view(np.uint8), np.uint8(bit))
        elif holds:
            bits |= np.uint8(bit)

    def value(self, term: Term) -> Any:
        """The term at every bar: an array, or a scalar if it is the same at all."""
        if term.op == "number":
            return np.float64(term.value)  # type: ignore[arg-type]
        if isinstance(term.value, Output):
            return self.output(term.value)
        found = self._cache.get(term)
        if found is None:
            with np.errstate(all="ignore"):
                found = (self._price(str(term.value)) if term.op == "price" else self._computed(term),)
            self._cache.put(term, found)
        return found[0]

    def output(self, output: Output) -> NDArray[np.float64]:
        one = output.indicator
        return self.indicator(one)[KINDS[one.kind].outputs.index(output.name)]

    def indicator(self, one: Indicator) -> tuple[NDArray[np.float64], ...]:
        found = self._cache.get(one)
        if found is None:
            source = self.output(one.source) if isinstance(one.source, Output) else self._price(one.source) if one.source else None
            found = calculate(one.kind, self.bars, source, dict(one.args), holes=isinstance(one.source, Output))
            self._cache.put(one, found)
        return found

    def _computed(self, term: Term) -> Any:
        args = [self.value(arg) for arg in term.args]
        if term.op in PLAIN:
            return PLAIN[term.op](*args)
        args = [arg if np.ndim(arg) else np.full(len(self.bars), arg) for arg in args]
        return SERIES[term.op](*args) if term.op in SERIES else WINDOWED[term.op](*args, term.n)

    def _price(self, name: str) -> NDArray[np.float64]:
        bars = self.bars
        match name:
            case "hour":
                return np.asarray(bars.ts // HOUR_MS % 24, dtype=np.float64)
            case "weekday":  # Monday is 0; 1 January 1970 was a Thursday
                return np.asarray((bars.ts // (24 * HOUR_MS) + 3) % 7, dtype=np.float64)
            case "hl2":
                return (bars.high + bars.low) / 2
            case "hlc3":
                return (bars.high + bars.low + bars.close) / 3
            case "ohlc4":
                return (bars.open + bars.high + bars.low + bars.close) / 4
        found: NDArray[np.float64] = getattr(bars, name)
        return found


class _Cache:
    """Results by what they are of; the longest unused go first when the bytes run out."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self.results: OrderedDict[Key, tuple[Any, ...]] = OrderedDict()

    def get(self, key: Key) -> tuple[Any, ...] | None:
        found = self.results.get(key)
        if found is not None:
            self.results.move_to_end(key)
        return found

    def put(self, key: Key, found: tuple[Any, ...]) -> None:
        self.results[key] = found
        self.held += _bytes(found)
        while self.held > self.limit and self.results:
            self.held -= _bytes(self.results.popitem(last=False)[1])


def _bytes(found: tuple[Any, ...]) -> int:
    return sum(int(one.nbytes) for one in found)


def evaluate(document: Document, bars: Bars, params: Mapping[str, Any] | None = None,
             overrides: Mapping[str, Any] | None = None) -> Signals:
    """The signals of every bar. Overrides matter only for the ATR of size kind volatility_target."""
    return Evaluator(document, bars).signals(params, overrides)


def signal_at_end(document: Document, bars: Bars, params: Mapping[str, Any] | None = None,
                  overrides: Mapping[str, Any] | None = None) -> Signals:
    """The signal of the last bar alone (one row), equal to that of any longer run that starts at the same first bar.

    A live bot hands in all bars since its first one: dropping old bars would start EMA, RSI and their like anew.
    """
    whole = evaluate(document, bars, params, overrides)
    atr = None if whole.atr is None else whole.atr[-1:]
    return Signals(whole.bits[-1:], atr, whole.enter_tags, whole.exit_tags)
