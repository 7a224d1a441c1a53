"""What a bot's log says, Korean and English."""

from __future__ import annotations

from collections.abc import Mapping

ROLES = {
    "en": {"entry": "entry", "exit": "exit", "stop": "stop", "target": "target", "step": "DCA step"},
    "ko": {"entry": "진입", "exit": "청산", "stop": "손절", "target": "목표가", "step": "추가 매수"},
}
LINES = {
    "en": {
        "started": "Started: {strategy} on {symbol}, {timeframe}.",
        "stopping": "Stopping: entries are cancelled, what is held is closed at the next price.",
        "stopped": "Stopped.",
        "failed": "Stopped by a fault; the server's log knows more.",
        "fill": "{role}: {side} {quantity} at {price}, fee {fee}.",
        "refused": "{role} refused: {reason}.",
        "funding": "Funding was settled on {symbol}.",
        "liquidation": "The position on {symbol} was liquidated.",
    },
    "ko": {
        "started": "시작: {strategy}, {symbol}, {timeframe}.",
        "stopping": "정지 중: 진입 주문을 취소하고 다음 가격에 청산합니다.",
        "stopped": "정지했습니다.",
        "failed": "오류로 멈췄습니다. 자세한 내용은 서버 로그에 있습니다.",
        "fill": "{role}: {side} {quantity} @ {price}, 수수료 {fee}.",
        "refused": "{role} 거절: {reason}.",
        "funding": "{symbol} 펀딩비가 정산되었습니다.",
        "liquidation": "{symbol} 포지션이 강제 청산되었습니다.",
    },
}


def sentence(language: str, code: str, facts: Mapping[str, str]) -> str:
    """A line for people; a code without a sentence shows as it is."""
    pattern = LINES[language].get(code)
    if pattern is None:
        return code
    role = facts.get("role", "").rstrip("0123456789")
    return pattern.format(**{**facts, "role": ROLES[language].get(role, role)})
