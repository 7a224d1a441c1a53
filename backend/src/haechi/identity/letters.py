"""What is written to people, Korean and English."""

from __future__ import annotations

from haechi.identity.mail import Letter

SUBJECTS = {
    "verify": {"en": "haechi: confirm your e-mail address", "ko": "haechi: 이메일 주소를 확인해 주세요"},
    "known": {"en": "haechi: you have an account already", "ko": "haechi: 이미 계정이 있습니다"},
    "reset": {"en": "haechi: a new password", "ko": "haechi: 비밀번호 재설정"},
}
TEXTS = {
    "verify": {
        "en": "Somebody, probably you, registered this address at haechi.\n\nConfirm it within two days:\n{link}\n\n"
              "If it was not you, ignore this letter: nobody can sign in with this address.",
        "ko": "누군가(아마도 본인)가 이 주소로 haechi에 가입했습니다.\n\n이틀 안에 확인해 주세요:\n{link}\n\n"
              "본인이 아니라면 이 메일을 무시하세요. 이 주소로는 아무도 로그인할 수 없습니다."},
    "known": {
        "en": "Somebody, probably you, registered this address at haechi again. You have an account already: sign in at {link}, "
              "or ask there for a new password.",
        "ko": "누군가(아마도 본인)가 이 주소로 haechi에 다시 가입하려 했습니다. 이미 계정이 있습니다. "
              "{link} 에서 로그인하거나 비밀번호를 재설정하세요."},
    "reset": {
        "en": "Somebody, probably you, asked for a new password at haechi.\n\nSet it within half an hour:\n{link}\n\n"
              "If it was not you, ignore this letter: your password stays.",
        "ko": "누군가(아마도 본인)가 haechi 비밀번호 재설정을 요청했습니다.\n\n30분 안에 새로 정해 주세요:\n{link}\n\n"
              "본인이 아니라면 이 메일을 무시하세요. 비밀번호는 그대로입니다."},
}
CHANGED = ("The password of your haechi account was changed, and other devices were signed out. If it was not you, ask for a new "
           "password at once.\n\n"
           "haechi 비밀번호가 바뀌었고 다른 기기는 로그아웃되었습니다. 본인이 아니라면 바로 비밀번호를 재설정하세요.")


def written(kind: str, to: str, link: str, language: str) -> Letter:
    return Letter(to, SUBJECTS[kind][language], TEXTS[kind][language].format(link=link))


def verify(to: str, link: str, language: str) -> Letter:
    return written("verify", to, link, language)


def known(to: str, link: str, language: str) -> Letter:
    return written("known", to, link, language)


def reset(to: str, link: str, language: str) -> Letter:
    return written("reset", to, link, language)


FACTOR_OFF = ("The second factor of your haechi account was turned off, and other devices were signed out. If it was not you, ask for a "
              "new password at once and turn it on again.\n\n"
              "haechi 계정의 2단계 인증이 꺼졌고 다른 기기는 로그아웃되었습니다. 본인이 아니라면 바로 비밀번호를 재설정하고 다시 켜세요.")
RECOVERY_USED = ("Somebody, probably you, signed in to your haechi account with a recovery code; it is used up. If it was not you, "
                 "ask for a new password at once and make new recovery codes.\n\n"
                 "복구 코드로 haechi 계정에 로그인했습니다. 그 코드는 더 쓸 수 없습니다. "
                 "본인이 아니라면 바로 비밀번호를 재설정하고 복구 코드를 새로 만드세요.")


def factor_off(to: str) -> Letter:
    return Letter(to, "haechi: second factor off / 2단계 인증 꺼짐", FACTOR_OFF)


def recovery_used(to: str) -> Letter:
    return Letter(to, "haechi: recovery code used / 복구 코드 사용", RECOVERY_USED)


def changed(to: str) -> Letter:
    """In both languages: nobody asked for it, so nobody said which."""
    return Letter(to, "haechi: password changed / 비밀번호 변경", CHANGED)
