"""What a preview of a grid warns of, Korean and English."""

from __future__ import annotations

WARNINGS = {
    "cells_lose": ("Cells lose to fees: at most {most} cells earn in this range; use fewer cells or a wider range.",
                   "수수료 때문에 손해인 칸이 있습니다. 이 범위에서는 {most}칸까지만 이익이 납니다. 칸을 줄이거나 범위를 넓히세요."),
    "price_outside": ("The price {price} is outside the range {lower} to {upper}; the grid works when it comes back.",
                      "현재가 {price}이(가) 범위 {lower} ~ {upper} 밖에 있습니다. 가격이 범위로 돌아와야 작동합니다."),
    "no_stop": ("There is no stop on the side where the grid can lose: only liquidation ends a straight way against it.",
                "손실이 나는 쪽에 손절가가 없습니다. 가격이 한 방향으로 계속 가면 강제 청산으로만 끝납니다."),
    "liquidation_in_range": ("The grid can be liquidated at {price}, inside its range; lower the leverage or the size.",
                             "범위 안의 가격 {price}에서 강제 청산될 수 있습니다. 레버리지나 수량을 낮추세요."),
    "liquidation_before_stop": ("Liquidation at {price} comes before the stop {stop}; lower the leverage or the size.",
                                "손절가 {stop}보다 강제 청산가 {price}에 먼저 닿습니다. 레버리지나 수량을 낮추세요."),
    "trails_from_stop": ("The range may trail, the stops stay where they are.", "범위가 가격을 따라 움직여도 손절가는 그대로입니다."),
}


def warning(language: str, code: str, **facts: object) -> str:
    return WARNINGS[code][language == "ko"].format(**facts)
