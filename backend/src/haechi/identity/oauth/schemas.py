"""Bodies of /auth/oauth."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from haechi.identity.oauth.models import OAuthLink
from haechi.identity.schemas import Body, example

Name = Literal["google", "kakao"]


class FinishBody(Body):
    model_config = example({"code": "k3J…"})

    code: Annotated[str, Field(min_length=1, max_length=64, description="The text behind `#oauth=` of the address.")]


class BeginAnswer(BaseModel):
    """Send the browser there."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"address": "https://accounts.google.com/o/oauth2/v2/auth?…"}]})

    address: str


class LinkAnswer(BaseModel):
    """email: the one the provider gave when it was linked, null if none was confirmed."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "id": "019ab0c4d5e6a1b2c3d4e5f60718293a", "provider": "google", "email": "mina@example.com",
        "created_at": "2026-01-01T00:00:00Z"}]})

    id: str
    provider: str
    email: str | None
    created_at: datetime

    @classmethod
    def of(cls, row: OAuthLink) -> LinkAnswer:
        return cls(id=row.id, provider=row.provider, email=row.email, created_at=row.created_at)
