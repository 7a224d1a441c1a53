"""The table of indicator kinds: settings with bounds, outputs, look-back, cost. Imports neither TA-Lib nor Numba.

Look-back is the number of leading bars without a value. Cost is the number of element operations a bar.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..bars import Bars

    Array = NDArray[np.float64]

PERIOD_MAX = 5000
Args = Mapping[str, float]


@dataclass(frozen=True)
class Setting:
    """One number of an indicator. `default` None means it must be given."""

    name: str
    low: float
    high: float
    default: float | None = None
    whole: bool = True

    def bounds(self) -> str:
        return f"a {'whole ' if self.whole else ''}number from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Kind:
    """One kind of indicator. `source` is the default source, None when it reads the bars as they are."""

    name: str
    settings: tuple[Setting, ...]
    outputs: tuple[str, ...]
    source: str | None
    lookback: Callable[[Args, str], int]
    cost: Callable[[Args], float]
    title: str
    rule: tuple[str, Callable[[Args], bool]] | None = None

    def setting(self, name: str) -> Setting | None:
        return next((one for one in self.settings if one.name == name), None)


def period(low: int = 2, default: int | None = None, name: str = "period") -> Setting:
    return Setting(name, low, PERIOD_MAX, default)


def factor(name: str, default: float, low: float = 0.01, high: float = 100) -> Setting:
    return Setting(name, low, high, default, whole=False)


def _table() -> tuple[Kind, ...]:
    return (*_averages(), *_oscillators(), *_trends(), *_volatility(), *_volume())


def _one(name: str, title: str, settings: tuple[Setting, ...], lookback: Callable[[Args], float], *,  # noqa: PLR0913
         source: str | None = "close", cost: Callable[[Args], float] = lambda a: 8) -> Kind:
    return Kind(name, settings, ("value",), source, lambda a, _: int(lookback(a)), cost, title)


def _many(name: str, title: str, outputs: str, settings: tuple[Setting, ...], lookback: Callable[[Args, str], float], *,  # noqa: PLR0913
          source: str | None = None, cost: Callable[[Args], float] = lambda a: 20,
          rule: tuple[str, Callable[[Args], bool]] | None = None) -> Kind:
    return Kind(name, settings, tuple(outputs.split()), source, lambda a, o: int(lookback(a, o)), cost, title, rule)


def _averages() -> tuple[Kind, ...]:
    return (
        _one("sma", "simple moving average", (period(),), lambda a: a["period"] - 1),
        _one("ema", "exponential moving average", (period(),), lambda a: a["period"] - 1),
        _one("wma", "weighted moving average", (period(),), lambda a: a["period"] - 1),
        _one("dema", "double EMA", (period(),), lambda a: 2 * (a["period"] - 1), cost=lambda a: 20),
        _one("tema", "triple EMA", (period(),), lambda a: 3 * (a["period"] - 1), cost=lambda a: 30),
        _one("kama", "Kaufman adaptive moving average", (period(2, 10),), lambda a: a["period"], cost=lambda a: 15),
        _one("hull", "Hull moving average", (period(4),),
             lambda a: a["period"] - 1 + hull_smoothing(a["period"]) - 1, cost=lambda a: 30),
        _one("linear_regression", "end of the least-squares line", (period(),), lambda a: a["period"] - 1,
             cost=lambda a: 4 * a["period"]),
    )


def _oscillators() -> tuple[Kind, ...]:
    return (
        _one("rsi", "relative strength index", (period(2, 14),), lambda a: a["period"]),
        _many("macd", "moving average convergence divergence", "macd signal histogram",
              (period(2, 12, "fast"), period(2, 26, "slow"), period(1, 9, "signal")),
              lambda a, _: a["slow"] - 1 + a["signal"] - 1, source="close",
              rule=("fast must be below slow", lambda a: a["fast"] < a["slow"])),
        _many("stochastic", "stochastic oscillator", "k d",
              (period(1, 14), period(1, 3, "smooth_k"), period(1, 3, "smooth_d")),
              lambda a, _: a["period"] + a["smooth_k"] + a["smooth_d"] - 3, cost=lambda a: 10 + 2 * a["period"]),
        _many("stochastic_rsi", "stochastic of the RSI", "k d",
              (period(2, 14), period(1, 14, "window"), period(1, 3, "smooth")),
              lambda a, _: a["period"] + a["window"] - 1 + a["smooth"] - 1, source="close",
              cost=lambda a: 20 + 2 * a["window"]),
        _one("cci", "commodity channel index", (period(2, 20),), lambda a: a["period"] - 1, source=None,
             cost=lambda a: 5 + 2 * a["period"]),
        _one("mfi", "money flow index", (period(2, 14),), lambda a: a["period"], source=None, cost=lambda a: 15),
        _one("roc", "rate of change in percent", (period(1, 10),), lambda a: a["period"], cost=lambda a: 4),
        _one("momentum", "difference to n bars ago", (period(1, 10),), lambda a: a["period"], cost=lambda a: 3),
        _one("willr", "Williams %R", (period(2, 14),), lambda a: a["period"] - 1, source=None,
             cost=lambda a: 5 + 2 * a["period"]),
    )


def _trends() -> tuple[Kind, ...]:
    return (
        _one("adx", "average directional index", (period(2, 14),), lambda a: 2 * a["period"] - 1, source=None,
             cost=lambda a: 25),
        _one("plus_di", "plus directional indicator", (period(2, 14),), lambda a: a["period"], source=None,
             cost=lambda a: 20),
        _one("minus_di", "minus directional indicator", (period(2, 14),), lambda a: a["period"], source=None,
             cost=lambda a: 20),
        _many("aroon", "bars since the highest high and lowest low", "up down", (period(2, 14),),
              lambda a, _: a["period"], cost=lambda a: 5 + 2 * a["period"]),
        _one("sar", "parabolic stop and reverse", (factor("acceleration", 0.02, 0.001, 1), factor("maximum", 0.2, 0.001, 1)),
             lambda a: 1, source=None, cost=lambda a: 15),
        _many("supertrend", "ATR bands that follow the trend", "line direction", (period(1, 10), factor("multiplier", 3)),
              lambda a, _: a["period"], cost=lambda a: 25),
        _many("ichimoku", "Ichimoku lines as known at the bar", "tenkan kijun span_a span_b",
              (period(1, 9, "tenkan"), period(1, 26, "kijun"), period(1, 52, "senkou"), Setting("displacement", 0, PERIOD_MAX, 26)),
              _ichimoku_lookback, cost=lambda a: 50),
    )


def _volatility() -> tuple[Kind, ...]:
    return (
        _many("bollinger", "bands of standard deviations", "upper middle lower width percent",
              (period(2, 20), factor("deviations", 2)), lambda a, _: a["period"] - 1, source="close", cost=lambda a: 25),
        _one("atr", "average true range", (period(1, 14),), lambda a: a["period"], source=None, cost=lambda a: 12),
        _one("natr", "average true range in percent of the close", (period(1, 14),), lambda a: a["period"], source=None,
             cost=lambda a: 14),
        _one("stddev", "standard deviation (population)", (period(),), lambda a: a["period"] - 1),
        _many("donchian", "highest high and lowest low, this bar included", "upper middle lower", (period(1, 20),),
              lambda a, _: a["period"] - 1),
        _many("keltner", "EMA and bands of ATR", "upper middle lower",
              (period(2, 20), period(1, 10, "atr_period"), factor("multiplier", 2)),
              lambda a, o: a["period"] - 1 if o == "middle" else max(a["period"] - 1, a["atr_period"]), source="close",
              cost=lambda a: 30),
    )


def _volume() -> tuple[Kind, ...]:
    return (
        _one("obv", "on-balance volume", (), lambda a: 0, source=None, cost=lambda a: 4),
        _one("volume_sma", "simple moving average of the volume", (period(),), lambda a: a["period"] - 1, source=None),
        _one("vwap", "volume-weighted average price of the UTC day (period 0) or of the last `period` bars",
             (Setting("period", 0, PERIOD_MAX, 0),), lambda a: max(0, a["period"] - 1), source="hlc3", cost=lambda a: 15),
    )


def hull_smoothing(length: float) -> int:
    """Length of the last average of a Hull moving average: the rounded root of its period."""
    return int(math.sqrt(length) + 0.5)


def _ichimoku_lookback(args: Args, output: str) -> float:
    if output in ("tenkan", "kijun"):
        return args[output] - 1
    longest = max(args["tenkan"], args["kijun"]) if output == "span_a" else args["senkou"]
    return args["displacement"] + longest - 1


KINDS: dict[str, Kind] = {kind.name: kind for kind in _table()}


def calculate(name: str, bars: Bars, source: Array | None, args: Args, *, holes: bool = True) -> tuple[Array, ...]:
    """The outputs of a kind in the order of `Kind.outputs`, each as long as the bars. `holes` False: the source has none (a price)."""
    from . import own, standard  # TA-Lib and Numba load only when something is computed
    from .holes import over_defined

    if not len(bars):
        import numpy as np

        return tuple(np.empty(0) for _ in KINDS[name].outputs)
    function = standard.FUNCTIONS.get(name) or own.FUNCTIONS[name]
    if source is None or not holes or name in own.MINDS_HOLES:
        return function(bars, source, args)
    return over_defined(function, bars, source, args)
