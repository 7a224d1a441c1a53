"""Sentences of the server's own pages, Korean and English."""

from __future__ import annotations

LANGUAGES = ("en", "ko")

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "tagline": "Back-test, paper and live agree, trade for trade.",
        "running": "Running", "degraded": "Something is down",
        "server": "Server", "version": "Version", "environment": "Environment", "database": "Database", "jobs": "Back-tests under way",
        "market": "Market", "speed": "Speed", "development": "development", "production": "production",
        "times": "× real time", "up": "up", "down": "down",
        "bots": "Bots", "sign_in": "Sign in", "sign_out": "Sign out", "email": "E-mail", "password": "Password",
        "hint": "First start? The console shows the demo user's password once.",
        "start": "Start", "stop": "Stop and close", "logs": "Log", "log_empty": "Nothing logged yet.",
        "no_bot": "No bot has been started yet.", "no_bots_here": "This server runs no bots.",
        "confirm_stop": "Stop the bot and close its positions?",
        "recent": "Recent back-tests", "no_backtests": "None yet: POST /backtest/run makes one.",
        "strategy": "Strategy", "symbol": "Symbol", "timeframe": "Timeframe", "status": "Status", "created": "Created",
        "code": "Code", "code_hint": "The six digits your authenticator app shows, or one of your recovery codes.",
        "recovery": "Recovery code", "back": "Start over",
        "wrong_code": "The code is wrong or was used already. Wait for the next one and try again.",
        "too_late": "That took too long. Start again with your password.", "ended": "Your session has ended. Sign in again.",
        "unheard": "You are signed out here. The server did not answer: its session stays open until it ends by itself.",
        "wrong": "The e-mail address or the password is wrong.", "offline": "The server does not answer.",
        "explore": "Look around", "reference": "API reference", "openapi": "OpenAPI document", "health": "Health",
        "other_language": "한국어",
        "reference_title": "API reference",
        "reference_note": "Every path exists here and again under /api/v1. A lock means: sign in first.",
        "javascript": "Signing in on this page needs JavaScript; the API does not.",
    },
    "ko": {
        "tagline": "백테스트, 모의매매, 실거래가 거래 하나까지 똑같이 움직입니다.",
        "running": "정상 작동 중", "degraded": "일부가 멈췄습니다",
        "server": "서버", "version": "버전", "environment": "환경", "database": "데이터베이스", "jobs": "진행 중인 백테스트",
        "market": "시장", "speed": "속도", "development": "개발", "production": "운영",
        "times": "배속", "up": "정상", "down": "중단",
        "bots": "봇", "sign_in": "로그인", "sign_out": "로그아웃", "email": "이메일", "password": "비밀번호",
        "hint": "처음 시작하셨나요? 데모 사용자의 비밀번호는 콘솔에 한 번만 표시됩니다.",
        "start": "시작", "stop": "정지 후 청산", "logs": "로그", "log_empty": "아직 기록이 없습니다.",
        "no_bot": "아직 시작한 봇이 없습니다.", "no_bots_here": "이 서버에서는 봇을 실행하지 않습니다.",
        "confirm_stop": "봇을 정지하고 포지션을 청산할까요?",
        "recent": "최근 백테스트", "no_backtests": "아직 없습니다. POST /backtest/run 으로 만들 수 있습니다.",
        "strategy": "전략", "symbol": "종목", "timeframe": "봉", "status": "상태", "created": "생성",
        "code": "인증 코드", "code_hint": "인증 앱에 표시된 여섯 자리 숫자 또는 복구 코드를 입력하세요.",
        "recovery": "복구 코드", "back": "처음부터",
        "wrong_code": "코드가 틀렸거나 이미 사용되었습니다. 다음 코드가 나오면 다시 시도하세요.",
        "too_late": "시간이 지났습니다. 비밀번호부터 다시 입력하세요.", "ended": "세션이 끝났습니다. 다시 로그인하세요.",
        "unheard": "이 기기에서는 로그아웃되었습니다. 서버가 응답하지 않아 서버의 세션은 만료될 때까지 남아 있습니다.",
        "wrong": "이메일 또는 비밀번호가 올바르지 않습니다.", "offline": "서버가 응답하지 않습니다.",
        "explore": "둘러보기", "reference": "API 문서", "openapi": "OpenAPI 문서", "health": "상태 점검",
        "other_language": "English",
        "reference_title": "API 문서",
        "reference_note": "모든 경로는 /api/v1 아래에서도 똑같이 쓸 수 있습니다. 자물쇠는 로그인이 필요하다는 뜻입니다.",
        "javascript": "이 화면에서 로그인하려면 JavaScript가 필요합니다. API는 그대로 쓸 수 있습니다.",
    },
}


def language(asked: str | None, accepted: str) -> str:
    """The language asked for in the address, else the first one of ours the browser accepts, else English."""
    if asked in LANGUAGES:
        return asked
    wishes = [wish.split(";")[0].strip()[:2].lower() for wish in accepted.split(",")]
    return next((wish for wish in wishes if wish in LANGUAGES), "en")
