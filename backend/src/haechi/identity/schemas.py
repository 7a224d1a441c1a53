"""Bodies of /auth."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from haechi.identity.models import EMAIL_CHARS_MAX, User, UserSession
from haechi.identity.passwords import PASSWORD_BYTES_MAX
from haechi.identity.second_factor import CODE_CHARS_MAX
from haechi.identity.sessions import SignedIn
from haechi.identity.tokens import ACCESS_LIFE, TOKEN_CHARS_MAX


def within_bytes(password: str) -> str:
    try:
        length = len(password.encode())
    except UnicodeEncodeError:
        raise ValueError("not text: half of a character") from None
    if length > PASSWORD_BYTES_MAX:
        raise ValueError(f"longer than {PASSWORD_BYTES_MAX} bytes")
    return password


def an_address(email: str) -> str:
    """What can be one: the letter shows whether it is."""
    name, _, host = email.strip().rpartition("@")
    if not name or not host or any(sign.isspace() or not sign.isprintable() for sign in email.strip()):
        raise ValueError("this is no e-mail address")
    return email.strip()


Email = Annotated[str, Field(min_length=3, max_length=EMAIL_CHARS_MAX), AfterValidator(an_address)]
Password = Annotated[str, Field(min_length=1, max_length=PASSWORD_BYTES_MAX), AfterValidator(within_bytes)]
Code = Annotated[str, Field(min_length=6, max_length=CODE_CHARS_MAX, description="Six digits of the authenticator, or a recovery code.")]
Mailed = Annotated[str, Field(min_length=1, max_length=64, description="The text behind `#token=` of the mailed link.")]
Language = Annotated[Literal["en", "ko"], Field(description="Of the letter.")]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


def example(fields: JsonDict) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [fields]})


class RegisterBody(Body):
    model_config = example({"email": "mina@example.com", "password": "a few good words", "language": "en"})

    email: Email
    password: Password
    language: Language = "en"


class VerifyBody(Body):
    model_config = example({"token": "k3J…", "password": "a few good words"})

    token: Mailed
    password: Password


class LoginBody(Body):
    """device_token: what an earlier sign-in on this device gave; a known device is spared when strangers try passwords."""

    model_config = example({"email": "demo@haechi.local", "password": "the one printed at the first start"})

    email: Annotated[str, Field(min_length=1, max_length=EMAIL_CHARS_MAX)]
    password: Password
    device_token: Annotated[str | None, Field(max_length=TOKEN_CHARS_MAX)] = None


class CodeBody(Body):
    model_config = example({"code": "123456"})

    code: Code


class LoginCodeBody(Body):
    model_config = example({"challenge": "eyJ…", "code": "123456"})

    challenge: Annotated[str, Field(min_length=1, max_length=TOKEN_CHARS_MAX)]
    code: Code


class RefreshBody(Body):
    model_config = example({"refresh_token": "k3J…"})

    refresh_token: Annotated[str, Field(min_length=1, max_length=64)]


class ConfirmBody(Body):
    """A code where the second factor is on, else the password."""

    model_config = example({"proof": "123456"})

    proof: Password


class ChangePasswordBody(Body):
    model_config = example({"old": "a few good words", "new": "some better words"})

    old: Password
    new: Password


class ForgotBody(Body):
    model_config = example({"email": "mina@example.com", "language": "ko"})

    email: Email
    language: Language = "en"


class ResetBody(Body):
    model_config = example({"token": "k3J…", "password": "some better words"})

    token: Mailed
    password: Password


class TokensAnswer(BaseModel):
    """`expires_in`: seconds the access token is good for. `device_token`: keep it, and send it with the next sign-in."""

    model_config = ConfigDict(json_schema_extra={"examples": [
        {"access_token": "eyJ…", "refresh_token": "k3J…", "token_type": "bearer", "expires_in": 3600, "device_token": "eyJ…"}]})

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a name of OAuth, no secret
    expires_in: int = int(ACCESS_LIFE.total_seconds())
    device_token: str

    @classmethod
    def of(cls, made: SignedIn) -> TokensAnswer:
        return cls(access_token=made.access_token, refresh_token=made.refresh_token, device_token=made.device_token)


class ChallengeAnswer(BaseModel):
    """The password was right; POST /auth/login/2fa with this and a code within five minutes."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"requires_2fa": True, "challenge": "eyJ…"}]})

    requires_2fa: Literal[True] = True
    challenge: str


class SaidAnswer(BaseModel):
    """One sentence, the same whatever the case."""

    message: str


class UserAnswer(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{
        "id": "019ab0c4d5e6a1b2c3d4e5f60718293a", "email": "demo@haechi.local", "role": "user", "created_at": "2026-01-01T00:00:00Z",
        "two_factor": False, "has_password": True, "suspended": False}]})

    id: str
    email: str
    role: str
    created_at: datetime
    two_factor: bool
    has_password: bool
    suspended: bool

    @classmethod
    def of(cls, user: User) -> UserAnswer:
        return cls(id=user.id, email=user.email, role=user.role, created_at=user.created_at, two_factor=user.has_2fa,
                   has_password=user.password_hash is not None, suspended=user.suspended_at is not None)


class SessionAnswer(BaseModel):
    """`current`: the one that asks."""

    id: str
    created_at: datetime
    used_at: datetime | None
    expires_at: datetime
    device: str
    address: str
    current: bool

    @classmethod
    def of(cls, row: UserSession, current: str) -> SessionAnswer:
        return cls(id=row.id, created_at=row.created_at, used_at=row.used_at, expires_at=row.expires_at, device=row.device,
                   address=row.address, current=row.id == current)


class SetupAnswer(BaseModel):
    """`qr`: the same as `uri`, as an SVG picture to scan."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "secret": "JBSWY3DPEHPK3PXP", "uri": "otpauth://totp/haechi:mina@example.com?secret=JBSWY3DPEHPK3PXP&issuer=haechi",
        "qr": "<svg …>"}]})

    secret: str
    uri: str
    qr: str


class RecoveryAnswer(BaseModel):
    """Shown only now: write them down."""

    recovery_codes: list[str]
