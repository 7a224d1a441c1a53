"""The kinds TA-Lib does not have. Formulas are in docs/strategy-language.md."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import talib
from numpy.typing import NDArray

from ..bars import Bars
from . import loops, standard, windows
from .holes import over_defined
from .registry import hull_smoothing
from .standard import Function

Array = NDArray[np.float64]
DAY_MS = 86_400_000


def _donchian(bars: Bars, x: Array | None, a: Mapping[str, float]) -> tuple[Array, ...]:
    upper, lower = windows.highest(bars.high, int(a["period"])), windows.lowest(bars.low, int(a["period"]))
    return upper, (upper + lower) / 2, lower


def _keltner(bars: Bars, x: Array, a: Mapping[str, float]) -> tuple[Array, ...]:
    middle = over_defined(standard.FUNCTIONS["ema"], bars, x, {"period": a["period"]})[0]
    band = a["multiplier"] * talib.ATR(bars.high, bars.low, bars.close, timeperiod=int(a["atr_period"]))
    return middle + band, middle, middle - band


def _supertrend(bars: Bars, x: Array | None, a: Mapping[str, float]) -> tuple[Array, ...]:
    band = a["multiplier"] * talib.ATR(bars.high, bars.low, bars.close, timeperiod=int(a["period"]))
    line, direction = np.full(len(bars), np.nan), np.full(len(bars), np.nan)
    loops.supertrend((bars.high + bars.low) / 2, bars.close, band, line, direction)
    return line, direction


def _ichimoku(bars: Bars, x: Array | None, a: Mapping[str, float]) -> tuple[Array, ...]:
    tenkan, kijun, senkou = (_midpoint(bars, int(a[name])) for name in ("tenkan", "kijun", "senkou"))
    ahead = int(a["displacement"])
    return tenkan, kijun, windows.shifted((tenkan + kijun) / 2, ahead), windows.shifted(senkou, ahead)


def _midpoint(bars: Bars, n: int) -> Array:
    return (windows.highest(bars.high, n) + windows.lowest(bars.low, n)) / 2


def _vwap(bars: Bars, x: Array, a: Mapping[str, float]) -> tuple[Array, ...]:
    n = int(a["period"])
    if n:
        traded = windows.total(bars.volume, n)
        with np.errstate(divide="ignore", invalid="ignore"):
            return (np.where(traded > 0, windows.total(x * bars.volume, n) / traded, np.nan),)
    out = np.full(len(bars), np.nan)
    loops.day_vwap(bars.ts // DAY_MS, x, bars.volume, out)
    return (out,)


def _hull(bars: Bars, x: Array, a: Mapping[str, float]) -> tuple[Array, ...]:
    n = int(a["period"])
    raw = 2 * talib.WMA(x, timeperiod=n // 2) - talib.WMA(x, timeperiod=n)
    return (talib.WMA(raw, timeperiod=hull_smoothing(n)),)


FUNCTIONS: dict[str, Function] = {
    "donchian": _donchian, "keltner": _keltner, "supertrend": _supertrend, "ichimoku": _ichimoku, "vwap": _vwap,
    "hull": _hull,
}
MINDS_HOLES = frozenset({"keltner", "vwap"})  # these read the bars beside their source
