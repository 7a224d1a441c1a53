"""The second factor: time-based codes (RFC 6238: 30 s steps, six digits, SHA-1 as authenticator apps know it), each good once, and ten
recovery codes, each good once, kept as hashes."""

from __future__ import annotations

import hmac
import io
import secrets
from datetime import datetime

import pyotp
import segno
from sqlalchemy import delete, update

from haechi.errors import BadInput, Conflict
from haechi.identity.models import RecoveryCode, User
from haechi.identity.tokens import hashed
from haechi.platform.crypto import Vault
from haechi.platform.db import Session

ISSUER = "haechi"
STEP_S = 30
DRIFT_STEPS = 1  # one step early or late
RECOVERY_CODES = 10
RECOVERY_BYTES = 16  # 128 bits: their hashes need no salt
GROUP = 8
CODE_CHARS_MAX = 48


class SecondFactor:
    """Of one person at a time; every method runs in the caller's transaction."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault

    def begin(self, user: User) -> str:
        """A new secret, base32, not yet in use. Raises Conflict when there is one in use."""
        if user.has_2fa:
            raise Conflict("The second factor is on already; turn it off first to set up another device.", code="two_factor_on")
        secret = pyotp.random_base32()
        user.totp, user.totp_step = self.vault.seal(secret, context(user.id)), 0
        return secret

    async def turn_on(self, session: Session, user: User, code: str, now: datetime) -> list[str]:
        """The first right code shows that the secret arrived. The recovery codes, seen only here. Raises BadInput, Conflict."""
        if user.has_2fa:
            raise Conflict("The second factor is on already.", code="two_factor_on")
        if user.totp is None:
            raise Conflict("There is nothing to confirm: begin with POST /auth/2fa/setup.", code="two_factor_not_begun")
        if not await self.take_code(session, user, code, now):
            raise wrong_code()
        user.totp_at = now
        return await self.new_recovery_codes(session, user)

    async def turn_off(self, session: Session, user: User) -> None:
        user.totp, user.totp_at, user.totp_step = None, None, 0
        await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))

    async def new_recovery_codes(self, session: Session, user: User) -> list[str]:
        """The old ones are worth nothing from now on."""
        await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
        codes = [spoken(secrets.token_hex(RECOVERY_BYTES)) for _ in range(RECOVERY_CODES)]
        session.add_all([RecoveryCode(hash=hashed(plain(code)), user_id=user.id, used_at=None) for code in codes])
        return codes

    async def take(self, session: Session, user: User, code: str, now: datetime) -> str | None:
        """Use a code of either kind: `code` | `recovery`; None: it is wrong or was used."""
        if await self.take_code(session, user, code, now):
            return "code"
        return "recovery" if await self._take_recovery(session, user, code, now) else None

    async def take_code(self, session: Session, user: User, code: str, now: datetime) -> bool:
        """Each time step is taken once and never an earlier one afterwards, in one statement: of parallel uses one succeeds."""
        step = self._step_of(user, code.strip().replace(" ", ""), now)
        if step is None:
            return False
        taken = await session.execute(update(User).where(User.id == user.id, User.totp_step < step).values(totp_step=step)
                                      .execution_options(synchronize_session=False))
        await session.refresh(user, ["totp_step"])
        return taken.rowcount == 1  # type: ignore[attr-defined]

    def _step_of(self, user: User, code: str, now: datetime) -> int | None:
        """Which of the steps around now this is the code of."""
        if user.totp is None or len(code) != 6 or not code.isascii() or not code.isdecimal():
            return None
        totp, present = pyotp.TOTP(self.vault.open(user.totp, context(user.id))), int(now.timestamp()) // STEP_S
        right = [step for step in range(present - DRIFT_STEPS, present + DRIFT_STEPS + 1)
                 if hmac.compare_digest(totp.generate_otp(step), code)]
        return max(right, default=None)

    async def _take_recovery(self, session: Session, user: User, code: str, now: datetime) -> bool:
        if len(code) > CODE_CHARS_MAX:
            return False
        used = await session.execute(update(RecoveryCode).where(RecoveryCode.user_id == user.id, RecoveryCode.hash == hashed(plain(code)),
                                                                RecoveryCode.used_at.is_(None)).values(used_at=now))
        return used.rowcount == 1  # type: ignore[attr-defined]


def context(user_id: str) -> dict[str, str]:
    return {"user": user_id, "field": "totp"}


def address(secret: str, email: str) -> str:
    """What an authenticator app reads: otpauth://totp/…"""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)


def picture(text: str) -> str:
    """A QR code as SVG."""
    out = io.BytesIO()
    segno.make(text, error="m").save(out, kind="svg", scale=4, border=2, xmldecl=False)
    return out.getvalue().decode()


def spoken(code: str) -> str:
    """In groups, so that it can be written down."""
    return "-".join(code[at:at + GROUP] for at in range(0, len(code), GROUP))


def plain(code: str) -> str:
    return code.strip().lower().replace("-", "").replace(" ", "")


def wrong_code() -> BadInput:
    return BadInput("The code is wrong or was used already; wait for the next one and check the clock of your device.", code="wrong_code")
