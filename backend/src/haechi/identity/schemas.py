"""Bodies of /auth."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from haechi.identity.models import EMAIL_CHARS_MAX, User
from haechi.identity.passwords import PASSWORD_BYTES_MAX
from haechi.identity.tokens import ACCESS_LIFE


def within_bytes(password: str) -> str:
    if len(password.encode("utf-8", "surrogatepass")) > PASSWORD_BYTES_MAX:
        raise ValueError(f"longer than {PASSWORD_BYTES_MAX} bytes")
    return password


class LoginBody(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={
        "examples": [{"email": "demo@haechi.local", "password": "the one printed at the first start"}]})

    email: str = Field(min_length=1, max_length=EMAIL_CHARS_MAX)
    password: Annotated[str, Field(min_length=1), AfterValidator(within_bytes)]


class LoginAnswer(BaseModel):
    """`expires_in`: seconds the access token is good for."""

    model_config = ConfigDict(json_schema_extra={"examples": [
        {"access_token": "eyJ…", "refresh_token": "k3J…", "token_type": "bearer", "expires_in": 3600}]})

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a name of OAuth, no secret
    expires_in: int = int(ACCESS_LIFE.total_seconds())


class UserAnswer(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{
        "id": "019ab0c4d5e6a1b2c3d4e5f60718293a", "email": "demo@haechi.local", "role": "user", "created_at": "2026-01-01T00:00:00Z"}]})

    id: str
    email: str
    role: str
    created_at: datetime

    @classmethod
    def of(cls, user: User) -> UserAnswer:
        return cls(id=user.id, email=user.email, role=user.role, created_at=user.created_at)
