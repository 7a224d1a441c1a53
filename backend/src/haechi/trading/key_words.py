"""What the key doctor says, Korean and English."""

from __future__ import annotations

from collections.abc import Mapping

SENTENCES: dict[str, dict[str, str]] = {
    "en": {
        "silent": "Bitget did not answer, so nothing can be said about this now; check again in a minute.",
        "reachable": "Bitget answers.",
        "key_valid": "Key, secret and passphrase fit.",
        "key_refused": "Bitget refuses the key (code {code}): check key, secret, passphrase and the addresses it is bound to.",
        "key_demo": "This key belongs to the other kind of account (code {code}): demo keys are for demo, live keys for live.",
        "no_withdraw": "The key may not withdraw money.",
        "withdraw": "The key may withdraw money; such keys are not taken. Make one that may only read and trade futures.",
        "permissions_unseen": "Bitget does not tell what this key may do.",
        "may_trade": "The key may trade.",
        "read_only": "The key may only read; allow futures trading in Bitget's settings of the key.",
        "trade_unclear": "Whether the key may trade is not clear from its permissions ({permissions}); the first order will show.",
        "bound": "The key works from {addresses} only.",
        "not_bound": "The key works from every address; bind it to the address of this server in Bitget's settings of the key.",
        "one_way": "Positions are one-way.",
        "hedge": "The account is in hedge mode; bots want one-way positions. Can be set from here while nothing is held.",
        "cross": "{symbol} is on cross margin at {leverage}x.",
        "isolated": "{symbol} is on isolated margin; a bot sets the mode it wants, or set cross from here.",
        "clock": "The clocks differ by {ms} ms.",
        "clock_off": "This machine's clock is {ms} ms off Bitget's; let it be set over the network (NTP).",
        "classic": "This is a classic account.",
        "unified": "This is a unified account; haechi trades classic ones. Make a sub-account with a classic futures account.",
        "enough": "The futures account is worth {equity} USDT.",
        "too_little": "The futures account is worth {equity} USDT, less than the smallest order ({least}); transfer USDT to it.",
    },
    "ko": {
        "silent": "비트겟이 응답하지 않아 지금은 알 수 없습니다. 잠시 뒤 다시 확인하세요.",
        "reachable": "비트겟이 응답합니다.",
        "key_valid": "API 키, 시크릿, 패스프레이즈가 맞습니다.",
        "key_refused": "비트겟이 키를 거절했습니다(코드 {code}). 키, 시크릿, 패스프레이즈와 허용 IP를 확인하세요.",
        "key_demo": "다른 종류의 계좌 키입니다(코드 {code}). 데모 키는 데모에, 실거래 키는 실거래에 쓰세요.",
        "no_withdraw": "출금 권한이 없습니다.",
        "withdraw": "출금 권한이 있는 키는 받지 않습니다. 읽기와 선물 거래만 허용한 키를 만드세요.",
        "permissions_unseen": "비트겟이 이 키의 권한을 알려 주지 않습니다.",
        "may_trade": "거래 권한이 있습니다.",
        "read_only": "읽기 전용 키입니다. 비트겟의 키 설정에서 선물 거래를 허용하세요.",
        "trade_unclear": "권한({permissions})만으로는 거래 가능 여부를 알 수 없습니다. 첫 주문에서 드러납니다.",
        "bound": "{addresses} 에서만 쓸 수 있는 키입니다.",
        "not_bound": "모든 주소에서 쓸 수 있는 키입니다. 비트겟의 키 설정에서 이 서버의 IP로 제한하세요.",
        "one_way": "단방향 포지션 모드입니다.",
        "hedge": "양방향(헤지) 모드입니다. 봇은 단방향 모드가 필요하며, 포지션이 없을 때 여기서 바꿀 수 있습니다.",
        "cross": "{symbol}: 교차 마진, 레버리지 {leverage}배.",
        "isolated": "{symbol}: 격리 마진. 봇이 필요한 모드로 바꾸며, 여기서 교차로 바꿀 수도 있습니다.",
        "clock": "시계 차이는 {ms} ms 입니다.",
        "clock_off": "이 서버의 시계가 비트겟과 {ms} ms 차이 납니다. 네트워크 시간(NTP) 동기화를 켜세요.",
        "classic": "클래식 계좌입니다.",
        "unified": "통합 계좌입니다. 클래식 선물 계좌가 있는 하위 계정을 만들어 그 키를 쓰세요.",
        "enough": "선물 계좌 평가액은 {equity} USDT 입니다.",
        "too_little": "선물 계좌 평가액이 {equity} USDT 로 최소 주문 금액({least})보다 적습니다. USDT를 이체하세요.",
    },
}


def sentence(language: str, say: str, facts: Mapping[str, str]) -> str:
    return SENTENCES[language][say].format_map(facts)
