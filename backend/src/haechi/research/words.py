"""What a result remarks about itself, in both languages. The figures' names and formulas are in core/definitions."""

from __future__ import annotations

import msgspec

REMARKS: dict[str, dict[str, str]] = {
    "en": {
        "invented": "{symbol} is an invented market (synthetic): the result says nothing about a real one.",
        "off_grid": "{bars} of {all} bars of {symbol} were off the tick grid and were rounded to tick {tick}.",
        "gaps": "{symbol}: {missing} bars are missing in {gaps} gaps; a gap stays a gap.",
        "no_funding": "No funding was given for {symbol}: what a perpetual pays or gets every few hours is not in the result.",
        "tiers": "No margin tiers were given: one tier with a maintenance rate of 0.4 % is assumed for every size.",
        "timeframe": "The strategy is written for {written} bars, these are {given}.",
        "warm_up": "The strategy needs {warm_up} bars before its first signal, but {symbol} has only {bars}.",
        "below_minimum": "{count} orders were refused: below the minimum quantity or value.",
        "margin": "{count} orders were refused: not enough margin was available.",
        "leverage": "{count} orders were refused: the leverage is above that of their margin tier.",
        "post_only": "{count} post-only orders were refused: they would have crossed.",
        "no_volatility": "{count} orders were refused: the ATR their size needs was not defined.",
        "too_large": "{count} orders were refused: too large to be counted exactly.",
        "no_trades": "There was no trade.",
        "liquidations": "{count} positions were liquidated.",
    },
    "ko": {
        "invented": "{symbol} 자료는 만들어 낸 가상 시장(synthetic)이므로 실제 시장에 대해 아무것도 말해 주지 않습니다.",
        "off_grid": "{symbol} 봉 {all}개 중 {bars}개의 가격이 호가 단위 {tick}에 맞지 않아 반올림했습니다.",
        "gaps": "{symbol}: {gaps}곳에서 봉 {missing}개가 빠져 있으며, 빈 구간은 채우지 않습니다.",
        "no_funding": "{symbol}의 펀딩비 자료가 없어 무기한 선물의 펀딩 손익은 결과에 들어 있지 않습니다.",
        "tiers": "증거금 구간 자료가 없어 모든 규모에 유지증거금률 0.4 %를 적용했습니다.",
        "timeframe": "이 전략은 {written} 봉용으로 작성되었지만 {given} 봉으로 실행했습니다.",
        "warm_up": "첫 신호까지 봉 {warm_up}개가 필요하지만 {symbol}에는 {bars}개뿐입니다.",
        "below_minimum": "최소 수량 또는 금액 미달로 주문 {count}건이 거부되었습니다.",
        "margin": "증거금 부족으로 주문 {count}건이 거부되었습니다.",
        "leverage": "증거금 구간의 최대 레버리지를 넘어 주문 {count}건이 거부되었습니다.",
        "post_only": "즉시 체결될 가격이어서 post-only 주문 {count}건이 거부되었습니다.",
        "no_volatility": "수량 계산에 필요한 ATR이 아직 없어 주문 {count}건이 거부되었습니다.",
        "too_large": "정확히 계산할 수 있는 범위를 넘어 주문 {count}건이 거부되었습니다.",
        "no_trades": "거래가 없었습니다.",
        "liquidations": "포지션 {count}개가 강제 청산되었습니다.",
    },
}


class Remark(msgspec.Struct, frozen=True):
    """Something the reader of a result should know: a code and the values its sentence names."""

    code: str
    values: dict[str, str | int] = {}

    def text(self, language: str = "en") -> str:
        return REMARKS[language][self.code].format(**self.values)
