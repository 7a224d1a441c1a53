"""A back-test without its parameters: everything else checked once, so that a sweep runs it thousands of times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from haechi.core.performance import Span
from haechi.core.units import UnitError
from haechi.errors import BadInput
from haechi.research import inputs
from haechi.research.compiling import announce_compile
from haechi.research.result import READINGS, Result

if TYPE_CHECKING:
    from haechi.core.outcome import Statistics
    from haechi.core.plan import Plan
    from haechi.core.run import Market
    from haechi.core.signals import Signals
    from haechi.research.grid import Grid

Params = Mapping[str, Any]


class Spec(msgspec.Struct, frozen=True):
    """What a task is made of, in values that another process can be sent."""

    bars: Any
    strategy: Any
    reading: str
    costs: dict[str, Any]
    contract: dict[str, Any]
    funding: Any
    detail: Any


class Task:
    """Raises BadInput for anything that cannot be used."""

    def __init__(self, bars: Any, strategy: Any, *, funding: Any, detail: Any, capital: Any, reading: str,  # noqa: PLR0913
                 slippage: Any, **contract: Any) -> None:
        if reading not in READINGS:
            raise BadInput(f"reading must be one of {', '.join(READINGS)}, got {reading!r}")
        self.bars = inputs.checked_bars(bars)
        source, where = inputs.strategy_source(strategy)
        self.reading, self.strategy = reading, inputs.strategy_of(source, where)
        self.costs = inputs.costs(capital, slippage)
        self.instruments = inputs.contracts(self.bars, **contract)
        self.funding, self.detail = inputs.by_symbol(funding, self.bars, "funding"), inputs.by_symbol(detail, self.bars, "detail")
        self._given = (source, {"capital": capital, "slippage": slippage}, contract)
        self._computed: dict[Any, list[Any]] = {}

    @classmethod
    def of(cls, spec: Spec) -> Task:
        return cls(spec.bars, spec.strategy, funding=spec.funding, detail=spec.detail, reading=spec.reading, **spec.costs, **spec.contract)

    @property
    def spec(self) -> Spec:
        """For another process: bars without what was derived from them."""
        source, costs, contract = self._given
        fine = [None if one is None else one.slice(0, len(one)) for one in self.detail]
        return Spec([one.slice(0, len(one)) for one in self.bars], source, self.reading, costs, contract, self.funding, fine)

    def span(self) -> Span:
        """From the first open to the last close of all symbols."""
        ends = [int(one.ts[-1]) + one.timeframe_ms for one in self.bars]
        return Span(min(int(one.ts[0]) for one in self.bars), max(ends), min(one.timeframe_ms for one in self.bars))

    def result(self, params: Params, settings: Params) -> Result:
        """One whole back-test."""
        try:
            plan = self.strategy.plan(params, settings)  # what is wrong is said before the engine is compiled
            announce_compile("run_one" if len(self.bars) == 1 else "run_many")
            from haechi.core.run import run

            signals = self.signals(params, settings)
            outcome = run(self.markets(signals), plan, self.costs, "adverse" if self.reading == "both" else self.reading)
        except ValueError as error:  # LanguageError, UnitError: what the user wrote
            raise worded(error) from None
        return Result(strategy=self.strategy.name, params=self.strategy.params(params), settings=dict(settings), reading=self.reading,
                      outcome=outcome, plan=plan, costs=self.costs, warm_up=self.strategy.warm_up(params) or 0,
                      written_for=self.strategy.timeframe)

    def signals(self, params: Params, settings: Params) -> list[Signals]:
        """Of each symbol. What parameter sets share is computed once; only the size's settings change what is computed."""
        key = tuple((path, value) for path, value in settings.items() if path.startswith("size"))
        if key not in self._computed:
            self._computed = {key: [self.strategy.over(one, dict(key)) for one in self.bars]}
        return [one.signals(params) for one in self._computed[key]]

    def markets(self, signals: Sequence[Signals]) -> list[Market]:
        return [inputs.market(*one) for one in zip(self.bars, self.instruments, signals, self.funding, self.detail, strict=True)]

    def check(self, grid: Grid, params: Params, settings: Params) -> None:
        """Try the ends of every axis before the first run. Raises BadInput."""
        for axis in grid.axes:
            for value in (axis.values[0], axis.values[-1]):
                at_params, at_settings = grid.split(0)
                (at_params if axis.is_param else at_settings)[axis.name] = value
                try:
                    self.strategy.plan({**params, **at_params}, {**settings, **at_settings})
                    self.strategy.warm_up({**params, **at_params})
                except ValueError as error:
                    raise worded(error) from None

    def statistics(self, grid: Grid, numbers: Iterable[int], params: Params, settings: Params) -> Iterator[Statistics]:
        """The sums of each combination, in order; equal to those of `result` bit for bit."""
        jobs = self._jobs(grid, numbers, params, settings)
        try:
            yield from self._one(jobs) if len(self.bars) == 1 else self._many(jobs)
        except ValueError as error:
            raise worded(error) from None

    def _jobs(self, grid: Grid, numbers: Iterable[int], params: Params, settings: Params) -> Iterator[tuple[list[Signals], Plan]]:
        heard: Any = None
        for number in numbers:
            own_params, own_settings = grid.split(number)
            all_params, all_settings = {**params, **own_params}, {**settings, **own_settings}
            key = (own_params, {path: value for path, value in own_settings.items() if path.startswith("size")})
            if heard != key:
                heard, signals = key, self.signals(all_params, all_settings)
            yield signals, self.strategy.plan(all_params, all_settings)

    def _one(self, jobs: Iterator[tuple[list[Signals], Plan]]) -> Iterator[Statistics]:
        from itertools import chain

        from haechi.core.sweep import sweep

        first = next(jobs)
        flat = ((signals[0], plan) for signals, plan in chain([first], jobs))
        return sweep(self.markets(first[0])[0], flat, self.costs, self.reading)

    def _many(self, jobs: Iterator[tuple[list[Signals], Plan]]) -> Iterator[Statistics]:
        from haechi.core.run import run

        return (run(self.markets(signals), plan, self.costs, self.reading).statistics for signals, plan in jobs)


def worded(error: ValueError) -> BadInput:
    """What the core refused, for a user; a fault of ours goes on as it is."""
    from haechi.core.language import LanguageError

    if isinstance(error, LanguageError | UnitError):
        return BadInput(inputs.one_line(error))
    raise error


