"""The kinds TA-Lib has, by TA-Lib's definitions. Recursive ones start at the first bar given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import talib
from numpy.typing import NDArray

from ..bars import Bars
from .loops import mean_and_deviation

Array = NDArray[np.float64]
Function = Callable[[Bars, Any, Mapping[str, float]], tuple[Array, ...]]


def _period(args: Mapping[str, float]) -> int:
    return int(args["period"])


def _smooth(function: Any) -> Function:
    return lambda bars, x, a: (function(x, timeperiod=_period(a)),)


def _ranged(function: Any) -> Function:
    return lambda bars, x, a: (function(bars.high, bars.low, bars.close, timeperiod=_period(a)),)


def _macd(bars: Bars, x: Array, a: Mapping[str, float]) -> tuple[Array, ...]:
    return tuple(talib.MACD(x, fastperiod=int(a["fast"]), slowperiod=int(a["slow"]), signalperiod=int(a["signal"])))


def _mean_and_deviation(x: Array, a: Mapping[str, float]) -> tuple[Array, Array]:
    mean, deviation = np.full(len(x), np.nan), np.full(len(x), np.nan)
    mean_and_deviation(x, _period(a), mean, deviation)
    return mean, deviation


def _mean(bars: Bars, x: Array, a: Mapping[str, float]) -> tuple[Array, ...]:
    return _mean_and_deviation(x, a)[:1]


def _deviation(bars: Bars, x: Array, a: Mapping[str, float]) -> tuple[Array, ...]:
    return _mean_and_deviation(x, a)[1:]


def _bollinger(bars: Bars, x: Array, a: Mapping[str, float]) -> tuple[Array, ...]:
    middle, deviation = _mean_and_deviation(x, a)
    upper, lower = middle + a["deviations"] * deviation, middle - a["deviations"] * deviation
    spread = upper - lower
    with np.errstate(divide="ignore", invalid="ignore"):
        width = np.where(middle == 0, np.nan, spread / middle)
        percent = np.where(spread == 0, np.nan, (x - lower) / spread)
    return upper, middle, lower, width, percent


def _stochastic(bars: Bars, x: Array, a: Mapping[str, float]) -> tuple[Array, ...]:
    return tuple(talib.STOCH(bars.high, bars.low, bars.close, fastk_period=_period(a), slowk_period=int(a["smooth_k"]),
                             slowd_period=int(a["smooth_d"])))


def _stochastic_rsi(bars: Bars, x: Array, a: Mapping[str, float]) -> tuple[Array, ...]:
    return tuple(talib.STOCHRSI(x, timeperiod=_period(a), fastk_period=int(a["window"]), fastd_period=int(a["smooth"])))


def _aroon(bars: Bars, x: Array, a: Mapping[str, float]) -> tuple[Array, ...]:
    down, up = talib.AROON(bars.high, bars.low, timeperiod=_period(a))
    return up, down


def _mfi(bars: Bars, x: Array, a: Mapping[str, float]) -> tuple[Array, ...]:
    return (talib.MFI(bars.high, bars.low, bars.close, bars.volume, timeperiod=_period(a)),)


FUNCTIONS: dict[str, Function] = {
    "sma": _mean, "ema": _smooth(talib.EMA), "wma": _smooth(talib.WMA), "dema": _smooth(talib.DEMA),
    "tema": _smooth(talib.TEMA), "kama": _smooth(talib.KAMA), "rsi": _smooth(talib.RSI), "roc": _smooth(talib.ROC),
    "momentum": _smooth(talib.MOM), "stddev": _deviation, "linear_regression": _smooth(talib.LINEARREG),
    "atr": _ranged(talib.ATR), "natr": _ranged(talib.NATR), "adx": _ranged(talib.ADX), "plus_di": _ranged(talib.PLUS_DI),
    "minus_di": _ranged(talib.MINUS_DI), "cci": _ranged(talib.CCI), "willr": _ranged(talib.WILLR),
    "macd": _macd, "bollinger": _bollinger, "stochastic": _stochastic, "stochastic_rsi": _stochastic_rsi, "aroon": _aroon,
    "mfi": _mfi,
    "obv": lambda bars, x, a: (talib.OBV(bars.close, bars.volume),),
    "sar": lambda bars, x, a: (talib.SAR(bars.high, bars.low, acceleration=a["acceleration"], maximum=a["maximum"]),),
    "volume_sma": lambda bars, x, a: _mean(bars, bars.volume, a),
}
