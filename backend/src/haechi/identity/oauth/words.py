"""What is written to people about sign-ins elsewhere."""

from __future__ import annotations

from haechi.identity.mail import Letter

LINKED = ("From now on you can sign in to haechi through {title} too. If it was not you who linked it, sign in, remove the link and change "
          "your password at once.\n\n"
          "이제 {title} 계정으로도 haechi에 로그인할 수 있습니다. 본인이 연결하지 않았다면 "
          "바로 로그인하여 연결을 해제하고 비밀번호를 바꾸세요.")


def linked(to: str, title: str) -> Letter:
    """In both languages: nobody said which."""
    return Letter(to, f"haechi: {title} linked / {title} 계정 연결", LINKED.format(title=title))
