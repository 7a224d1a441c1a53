"""People at a running server: a letterbox that is read, and codes of an authenticator."""

from __future__ import annotations

import re
from typing import Any

import pyotp

from haechi.identity.mail import Letter
from haechi.identity.models import User
from haechi.identity.service import Identity

PASSWORD = "a few good words"


class Box:
    """Keeps what was sent."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []

    async def send(self, letter: Letter) -> None:
        self.letters.append(letter)


async def letters(app: Any) -> list[Letter]:
    """All there are, when none is on its way any more; the first call begins to keep them."""
    identity = app.house.part(Identity)
    if not isinstance(identity.letterbox.post, Box):
        identity.letterbox.post = Box()
    await identity.letterbox.brought()
    return identity.letterbox.post.letters


async def mailed(app: Any) -> str:
    """The token of the newest letter."""
    found = re.search(r"#token=(\S+)", (await letters(app))[-1].text)
    assert found is not None
    return found[1]


async def registered(app: Any, email: str = "mina@example.com", password: str = PASSWORD) -> None:
    """An account made as people make it."""
    await letters(app)
    answer = await app.http.post("/auth/register", json={"email": email, "password": password})
    assert answer.status_code == 202, answer.text
    shown = await app.http.post("/auth/verify-email", json={"token": await mailed(app), "password": password})
    assert shown.status_code == 204, shown.text


async def signed_in(app: Any, email: str = "mina@example.com", password: str = PASSWORD, **more: str) -> dict[str, Any]:
    """The whole answer of a sign-in that must succeed."""
    answer = await app.http.post("/auth/login", json={"email": email, "password": password, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens['access_token']}"}


def code(app: Any, secret: str, steps: int = 0) -> str:
    """What the authenticator shows so many half minutes from now."""
    return pyotp.TOTP(secret).generate_otp(int(app.clock.now().timestamp()) // 30 + steps)


async def with_2fa(app: Any, headers: dict[str, str], password: str = PASSWORD) -> tuple[str, list[str]]:
    """Turns the second factor on; its secret and the recovery codes."""
    assert (await app.http.post("/auth/confirm", headers=headers, json={"proof": password})).status_code == 204
    made = await app.http.post("/auth/2fa/setup", headers=headers)
    assert made.status_code == 200, made.text
    secret = made.json()["secret"]
    on = await app.http.post("/auth/2fa/verify", headers=headers, json={"code": code(app, secret)})
    assert on.status_code == 200, on.text
    return secret, on.json()["recovery_codes"]


async def user_of(app: Any, email: str) -> User:
    from sqlalchemy import select

    async with app.house.database.reading() as session:
        return (await session.execute(select(User).where(User.email == email))).scalar_one()
