"""What a bot's log and its state say, Korean and English."""

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
        "created": "Created: {strategy} on {symbol}, {timeframe}, {percent} % of the account.",
        "changed": "Changed: {fields}.",
        "start_wished": "Start asked for, with {percent} % of the account.",
        "stop_flatten": "Stop asked for: entries are cancelled, what is held is closed.",
        "stop_keep": "Stop asked for: entries are cancelled; what is held stays, with its stop at the exchange.",
        "recovering": "{why} Try {attempt} in {seconds} s.",
        "gave_up": "{reason} Not tried again; what is held stays, with its stop at the exchange. Start the bot again when this is mended.",
        "recovered": "It runs again.",
        "short_history": "Its rules look back on {needed} bars of {timeframe}, and {there} are known: no signal can be relied on before.",
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
        "created": "생성: {strategy}, {symbol}, {timeframe}, 계좌의 {percent} %.",
        "changed": "변경: {fields}.",
        "start_wished": "시작 요청: 계좌의 {percent} %.",
        "stop_flatten": "정지 요청: 진입 주문을 취소하고 보유 포지션을 청산합니다.",
        "stop_keep": "정지 요청: 진입 주문을 취소합니다. 보유 포지션과 거래소의 손절 주문은 그대로 둡니다.",
        "recovering": "{why} {seconds}초 뒤 {attempt}번째로 다시 시도합니다.",
        "gave_up": "{reason} 다시 시도하지 않습니다. 보유 포지션과 거래소의 손절 주문은 그대로 둡니다. 해결한 뒤 봇을 다시 시작하세요.",
        "recovered": "다시 실행 중입니다.",
        "short_history": "규칙은 {timeframe} 봉 {needed}개를 돌아보는데 {there}개만 있습니다. 그 전에는 신호를 믿을 수 없습니다.",
    },
}
# What keeps a bot from running (recovery.Kind): English, Korean. The English sentence is what is kept with the bot.
TROUBLES = {
    "key_invalid": ("The exchange does not accept the API key; store a valid one.",
                    "거래소가 API 키를 받아들이지 않습니다. 유효한 키를 등록하세요."),
    "permission": ("The key or the account may not do this; run the check of the key.",
                   "키 또는 계좌에 권한이 없거나 설정이 맞지 않습니다. 키 점검을 실행하세요."),
    "rate_limit": ("The exchange was asked too often.", "거래소 요청 한도를 넘었습니다."),
    "network": ("The exchange does not answer.", "거래소가 응답하지 않습니다."),
    "insufficient_balance": ("The account has not enough money for this bot.", "이 봇에 필요한 잔고가 계좌에 없습니다."),
    "maintenance": ("The exchange, or this market, is under maintenance.", "거래소 또는 이 종목이 점검 중입니다."),
    "database": ("The database does not answer.", "데이터베이스가 응답하지 않습니다."),
    "clock": ("This server's clock differs from the exchange's.", "서버 시계가 거래소 시계와 다릅니다."),
    "rejected": ("The exchange or a rule does not allow this bot as it is; see its log.",
                 "거래소 또는 규칙이 이 봇의 현재 설정을 허용하지 않습니다. 로그를 확인하세요."),
    "fault": ("The bot met a fault of ours; the server's log knows more.", "내부 오류가 발생했습니다. 자세한 내용은 서버 로그에 있습니다."),
}
KOREAN = dict(TROUBLES.values())


def sentence(language: str, code: str, facts: Mapping[str, str]) -> str:
    """A line for people; a code without a sentence shows as it is. `why` among the facts is the name of a trouble."""
    pattern = LINES[language].get(code)
    if pattern is None:
        return code
    role, why = facts.get("role", "").rstrip("0123456789"), facts.get("why", "")
    said = TROUBLES[why][language == "ko"] if why in TROUBLES else why
    given = {**facts, "role": ROLES[language].get(role, role), "why": said, "reason": reason(language, facts.get("reason", ""))}
    return pattern.format(**given)


def reason(language: str, kept: str) -> str:
    """A bot's reason as it is kept (English), in this language where it is one of the troubles."""
    return KOREAN.get(kept, kept) if language == "ko" else kept
