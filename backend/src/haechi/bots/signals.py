"""What strategies say, evaluated once for all who ask: one answer per (document and parameters, symbol, timeframe, source) and bar.

The bars are kept once per (symbol, timeframe, source), and joined here to the bots' timeframe. A bar that came twice changes nothing;
a bar that is missing makes the series stale, and a stale series says nothing until it is filled again from the exchange.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import msgspec
import numpy as np

from haechi.bots.series import BARS_KEPT, BARS_MAX, Series
from haechi.core.bars import Bars
from haechi.core.instrument import Instrument
from haechi.core.language import Rules, rules_of
from haechi.core.plan import Plan
from haechi.core.signals import Signals
from haechi.core.strategies import Coded, Strategy, Written, find
from haechi.exchanges.port import Bar

if TYPE_CHECKING:
    from haechi.bots.mind import Spec
    from haechi.core.language import Explained

SAID_MAX = 1024  # distinct strategies remembered; more are read again
ANSWERS_KEPT = 4  # bars: accounts' streams are not further apart


class Signal(msgspec.Struct, frozen=True):
    """What a strategy says at the close of `whole`, a bar of the bot's timeframe. bits: core.signals; atr in ticks, 0: none."""

    bits: int
    atr: int
    whole: Bar


class SignalKey(msgspec.Struct, frozen=True):
    """source: whose bars (paper, live …). says: hash of document, parameters and overrides."""

    says: str
    symbol: str
    timeframe_ms: int
    source: str


class Said(msgspec.Struct, frozen=True, eq=False):
    """A strategy with its parameters put in, read once for all bots that run it."""

    strategy: Strategy
    plan: Plan
    rules: Rules | None
    params: dict[str, object]
    digest: str


_said: dict[bytes, Said] = {}


def said_of(spec: Spec) -> Said:
    """Raises LanguageError for a strategy, parameters or overrides that cannot be used."""
    text = msgspec.json.encode([spec.strategy, spec.params, spec.overrides], order="sorted")
    found = _said.get(text)
    if found is None:
        strategy = find(spec.strategy)
        rules = rules_of(strategy.document, spec.params, spec.overrides) if isinstance(strategy, Written) else None
        whole = msgspec.json.encode([strategy.plain(), strategy.params(spec.params), spec.overrides], order="sorted")
        found = Said(strategy, strategy.plan(spec.params, spec.overrides), rules, spec.params, sha256(whole).hexdigest())
        if len(_said) >= SAID_MAX:
            _said.clear()
        _said[text] = found
    return found


class _Voice:
    """One strategy over one series: its last answers, and how many bots listen."""

    def __init__(self, said: Said, series: Series, instrument: Instrument) -> None:
        self.said, self.series, self.instrument = said, series, instrument
        self.listeners = 0
        self.answers: dict[int, Signal] = {}

    def signals(self, bars: Bars) -> Signals:
        strategy = self.said.strategy
        if isinstance(strategy, Written) and self.said.rules is not None:
            from haechi.core.language import Evaluator

            return Evaluator(strategy.document, bars).signals_of(self.said.rules)
        assert isinstance(strategy, Coded)
        return strategy.over(bars).signals(self.said.params)

    def answer(self, found: Signals, i: int, row: int) -> Signal:
        """The signal of the i-th bar evaluated, which is the series' bar `row`."""
        atr = 0
        if found.atr is not None and np.isfinite(found.atr[i]):
            atr = int(np.floor(found.atr[i] / float(self.instrument.tick) + 0.5))
        return Signal(int(found.bits[i]), atr, self.series.bar(row))

    def keep(self, signal: Signal) -> Signal:
        self.answers[signal.whole.ts] = signal
        while len(self.answers) > ANSWERS_KEPT:
            del self.answers[min(self.answers)]
        return signal


class SignalHub:
    """One per process. No clock, no network: bars come in, signals go out. evaluations: how often a strategy was computed."""

    def __init__(self, most: int = BARS_MAX, keep: int = BARS_KEPT) -> None:
        self.most, self.keep = most, keep
        self.evaluations = 0
        self._series: dict[tuple[str, int, str, str], Series] = {}
        self._voices: dict[SignalKey, _Voice] = {}
        self._turns: WeakValueDictionary[tuple[str, int, str], asyncio.Lock] = WeakValueDictionary()

    def open(self, spec: Spec, bars: Iterable[Bar], source: str = "") -> SignalKey:
        """Begin to listen; bars: closed ones, oldest first, for a series that is not there yet, is stale or ends before them."""
        one, said = spec.instrument, said_of(spec)
        series = self._series.setdefault((one.symbol, spec.timeframe_ms, source, str(one.tick)),
                                         Series(one, spec.timeframe_ms, self.most, self.keep))
        if series.stale or not series.next_ms:
            self._refill(series, bars)
        else:
            for bar in bars:
                series.take(bar)
        key = SignalKey(f"{said.digest}/{one.tick}", one.symbol, spec.timeframe_ms, source)
        voice = self._voices.setdefault(key, _Voice(said, series, one))
        voice.listeners += 1
        return key

    def wants_bars(self, spec: Spec, source: str = "") -> bool:
        """Whether `open` needs the past bars: there is no living series of them."""
        series = self._series.get((spec.instrument.symbol, spec.timeframe_ms, source, str(spec.instrument.tick)))
        return series is None or series.stale or not series.next_ms

    def turn(self, spec: Spec, source: str = "") -> asyncio.Lock:
        """Held while the past bars of a series are read: who begins at the same time waits, and finds them there."""
        return self._turns.setdefault((spec.instrument.symbol, spec.timeframe_ms, source), asyncio.Lock())

    def short(self, key: SignalKey) -> tuple[int, int] | None:
        """Bars that are there and bars that the rules look back on, where these are more: their first signals mean nothing yet."""
        voice = self._voices[key]
        needed, there = voice.said.rules.warm_up if voice.said.rules is not None else 0, voice.series.count
        return (there, needed) if there < needed else None

    def close(self, key: SignalKey) -> None:
        """One listener less; with the last one of a series its bars go."""
        voice = self._voices[key]
        voice.listeners -= 1
        if voice.listeners == 0:
            del self._voices[key]
            if all(other.series is not voice.series for other in self._voices.values()):
                self._series = {name: there for name, there in self._series.items() if there is not voice.series}

    def signal(self, key: SignalKey, bar: Bar) -> Signal | None:
        """What is said at this bar's close. None: the bot's bar is not whole yet, or the series is stale (see `stale`)."""
        voice = self._voices[key]
        series = voice.series
        series.take(bar)
        ts = series.completed(bar)
        if series.stale or ts is None:
            return None
        found = voice.answers.get(ts)
        if found is None and (row := series.find(ts)) is not None:
            found = self._evaluated(voice, row)
        return found

    def _evaluated(self, voice: _Voice, row: int) -> Signal:
        found = voice.signals(voice.series.bars(row + 1))
        self.evaluations += 1
        return voice.keep(voice.answer(found, row, row))

    def since(self, key: SignalKey, ts: int) -> list[Signal]:
        """What was said at each whole bar after the one that opened at ts: what a bot that was down has missed."""
        voice = self._voices[key]
        first, count = voice.series.after(ts), voice.series.count
        if voice.series.stale or first == count:
            return []
        found = voice.signals(voice.series.bars(count))
        self.evaluations += 1
        return [voice.answer(found, row, row) for row in range(first, count)]

    # ---- gaps

    def stale(self, key: SignalKey) -> bool:
        """A bar is missing: fetch bars and call `refill`."""
        return self._voices[key].series.stale

    def refill(self, key: SignalKey, bars: Iterable[Bar]) -> None:
        """Closed bars of the exchange, oldest first, the newest included. What it does not have is not missing."""
        self._refill(self._voices[key].series, bars)

    def _refill(self, series: Series, bars: Iterable[Bar]) -> None:
        series.refill(list(bars))
        for voice in self._voices.values():
            if voice.series is series:
                voice.answers.clear()

    # ---- for people

    def explained(self, key: SignalKey, ts: int) -> list[Explained]:
        """Every rule at the whole bar that opened at ts, with its parts and their values. Empty for a Python strategy or a bar gone by."""
        voice = self._voices[key]
        row, strategy = voice.series.find(ts), voice.said.strategy
        if row is None or not isinstance(strategy, Written):
            return []
        from haechi.core.language import explain

        return explain(strategy.document, voice.series.bars(row + 1), row, voice.said.params)
