"""The templates that come with the software, and their figures: of a back-test on an invented market, the same for all.

The figures lie beside this file, for whoever asks first would wait a minute for the engine to be compiled. A test makes them again;
`python -m haechi.bots.shipped_templates` writes them anew.
"""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from haechi.bots.template_schemas import GridTemplate, TrendTemplate

SEED, BARS, START_MS = 20_260, 10_000, 1_767_225_600_000
CAPITAL = Decimal(1000)
LABEL = f"synthetic, seed {SEED}"
FIGURES = Path(__file__).with_name("shipped_figures.json")
Words = dict[str, str]

SHIPPED: dict[str, tuple[Words, Words, GridTemplate | TrendTemplate]] = {
    "calm_neutral": (
        {"en": "Calm market, both ways", "ko": "횡보장 양방향 그리드"},
        {"en": "Buys below and sells above the price, with a stop on each side.",
         "ko": "현재가 아래에서 사고 위에서 팝니다. 양쪽에 손절가를 둡니다."},
        GridTemplate(kind="grid", below=Decimal(4), above=Decimal(4), cells=20, leverage=2, stop_below=Decimal(6), stop_above=Decimal(6))),
    "rising_long": (
        {"en": "Rising market, long", "ko": "상승장 롱 그리드"},
        {"en": "Holds a long position, takes profit on each step up, and follows the price upwards.",
         "ko": "롱 포지션을 들고 오를 때마다 나누어 팔며, 범위가 가격을 따라 올라갑니다."},
        GridTemplate(kind="grid", below=Decimal(6), above=Decimal(3), cells=18, direction="long", leverage=2, stop_below=Decimal(9),
                     trail_up=12)),
    "falling_short": (
        {"en": "Falling market, short", "ko": "하락장 숏 그리드"},
        {"en": "Holds a short position and buys back on each step down.", "ko": "숏 포지션을 들고 내릴 때마다 나누어 되삽니다."},
        GridTemplate(kind="grid", below=Decimal(3), above=Decimal(6), cells=18, direction="short", leverage=2, stop_above=Decimal(9),
                     trail_down=12)),
    "trend_ema": (
        {"en": "Trend, two averages", "ko": "추세 추종, 이동평균 교차"},
        {"en": "Follows the crossing of two moving averages.", "ko": "두 이동평균의 교차를 따라 매매합니다."},
        TrendTemplate(kind="trend", strategy="ema", params={"fast": 20, "slow": 60})),
    "trend_breakout": (
        {"en": "Trend, momentum breakout", "ko": "추세 추종, 모멘텀 돌파"},
        {"en": "Enters with strong moves, with a stop and several targets.", "ko": "강한 움직임에 진입하며 손절가와 여러 목표가를 둡니다."},
        TrendTemplate(kind="trend", strategy="proven_aggressive")),
}


@cache
def figures_shipped() -> dict[str, dict[str, Any]]:
    """Of each that is shipped, as `made` gives them."""
    return json.loads(FIGURES.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def made(name: str) -> dict[str, Any]:
    """A back-test of one that is shipped, on the invented market of this file: no promise, and it says so."""
    from haechi.bots.template_trial import trial
    from haechi.core.bars import Bars
    from haechi.markets.feed import MARKETS, MINUTE_MS
    from haechi.markets.synthetic import synthetic_bars

    one, price = MARKETS[0]
    rows = synthetic_bars(SEED, BARS, start_ms=START_MS, price=price, tick=one.tick)
    bars = Bars.of(symbol=one.symbol, timeframe_ms=MINUTE_MS, tick=one.tick, ts=rows.ts, open=rows.open, high=rows.high, low=rows.low,
                   close=rows.close, volume=rows.volume)
    return trial(SHIPPED[name][2], one, bars, LABEL, CAPITAL)


if __name__ == "__main__":
    FIGURES.write_text(json.dumps({name: made(name) for name in SHIPPED}, indent=1) + "\n", encoding="utf-8")
