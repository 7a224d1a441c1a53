"""Every environment name haechi reads, in one class. Each is explained in .env.example and docs/settings.md.

Development has a working default for everything; secrets it lacks are made once and kept in var/secrets. Production
refuses to start while any secret is missing or weak, and says all that is wrong in one sentence.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from haechi.errors import HaechiError

JWT_SECRET_CHARS_MIN = 32
SECRET_DISTINCT_MIN = 10  # "aaaa…" has 1; 32 random hex characters have 13 or more in all but one of a thousand cases
PASSWORD_CHARS_MIN = 16


class SettingsError(HaechiError):
    """The environment cannot be used; the message lists every problem."""

    code = "settings"


class Settings(BaseSettings):
    """Field names are the environment names in lower case. Make one with `load_settings`."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", hide_input_in_errors=True, frozen=True)

    environment: Literal["development", "production"] = "development"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    haechi_var: Path = Path("var")
    haechi_data: Path = Path("data")
    jwt_secret: SecretStr = SecretStr("")
    encryption_key: SecretStr = SecretStr("")
    database_url: SecretStr = SecretStr("")
    postgres_password: SecretStr = SecretStr("")
    redis_url: SecretStr = SecretStr("")
    redis_password: SecretStr = SecretStr("")
    cors_origins: str = ""
    deepseek_api_key: SecretStr = SecretStr("")
    telegram_bot_token: SecretStr = SecretStr("")
    telegram_chat_id: str = ""
    market: str = "synthetic"
    market_seed: int = Field(default=20_260, ge=0)
    live_rest: str = ""
    live_stream: str = ""
    speed: float = Field(default=60.0, gt=0, le=100_000)
    venue_port: int = Field(default=0, ge=0, le=65535)

    @property
    def production(self) -> bool:
        return self.environment == "production"

    @property
    def origins(self) -> list[str]:
        """Browser origins that may call the API from another address."""
        return [origin.strip().rstrip("/") for origin in self.cors_origins.split(",") if origin.strip()]

    @property
    def encryption_keys(self) -> list[str]:
        """Fernet keys; the first one encrypts, all decrypt."""
        return split_keys(self.encryption_key.get_secret_value())

    @property
    def database(self) -> str:
        """SQLAlchemy address with its asynchronous driver; SQLite in the state folder when none is given."""
        given = self.database_url.get_secret_value()
        if not given:
            return f"sqlite+aiosqlite:///{self.haechi_var / 'haechi.db'}"
        scheme, _, rest = given.partition("://")
        if scheme in ("postgres", "postgresql", "postgresql+asyncpg"):
            return f"postgresql+asyncpg://{with_password(rest, self.postgres_password.get_secret_value())}"
        return given.replace("sqlite://", "sqlite+aiosqlite://", 1) if scheme == "sqlite" else given


def load_settings(**overrides: Any) -> Settings:
    """Read the environment and .env; overrides win. Raises SettingsError listing every problem."""
    try:
        settings = Settings(**overrides)
    except ValidationError as wrong:
        found = [f"{'.'.join(map(str, e['loc'])).upper()}: {e['msg'].lower()}" for e in wrong.errors(include_input=False)]
        raise SettingsError(f"The settings cannot be used: {'; '.join(found)}.") from None
    if not settings.production:
        settings = with_made_secrets(settings)
    found = problems(settings)
    if found:
        raise SettingsError(f"The settings cannot be used: {'; '.join(found)}. docs/settings.md explains each name.")
    return settings


def problems(settings: Settings) -> list[str]:
    """What is wrong, one phrase each; empty when all is well."""
    found = [*jwt_problems(settings.jwt_secret.get_secret_value()), *key_problems(settings.encryption_keys)]
    found += database_problems(settings)
    if settings.production and "*" in settings.origins:
        found.append("CORS_ORIGINS must name its origins in production, * is not allowed")
    return found


def jwt_problems(secret: str) -> list[str]:
    if not secret:
        return ["JWT_SECRET is missing"]
    if len(secret) < JWT_SECRET_CHARS_MIN:
        return [f"JWT_SECRET has {len(secret)} characters, at least {JWT_SECRET_CHARS_MIN} are needed"]
    if len(set(secret)) < SECRET_DISTINCT_MIN:
        return ["JWT_SECRET repeats too few characters, make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'"]
    return []


def key_problems(keys: list[str]) -> list[str]:
    if not keys:
        return ["ENCRYPTION_KEY is missing"]
    return [f"ENCRYPTION_KEY number {place} is not a Fernet key (32 bytes in URL-safe base64)"
            for place, key in enumerate(keys, start=1) if not is_fernet_key(key)]


def database_problems(settings: Settings) -> list[str]:
    url = settings.database
    scheme = url.partition("://")[0]
    if scheme not in ("sqlite+aiosqlite", "postgresql+asyncpg"):
        return [f"DATABASE_URL begins with {scheme!r}, use sqlite:///path or postgresql://user@host/name"]
    if settings.production and scheme == "postgresql+asyncpg":
        password = urlsplit(url).password
        if not password or len(password) < PASSWORD_CHARS_MIN:
            return [f"POSTGRES_PASSWORD is missing or shorter than {PASSWORD_CHARS_MIN} characters"]
    return []


def is_fernet_key(key: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(key)) == 32
    except (binascii.Error, ValueError):
        return False


def split_keys(text: str) -> list[str]:
    return [key.strip() for key in text.split(",") if key.strip()]


def with_password(rest: str, password: str) -> str:
    """`user@host/name` -> `user:password@host/name`, when a password is given apart and none is inside."""
    user, at, host = rest.rpartition("@")
    return f"{user}:{quote(password, safe='')}@{host}" if at and password and ":" not in user else rest


def with_made_secrets(settings: Settings) -> Settings:
    """Development only: secrets that are not given are read from var/secrets, and made there the first time."""
    makers = {"jwt_secret": secrets.token_urlsafe(48), "encryption_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}
    missing = {name: made for name, made in makers.items() if not getattr(settings, name).get_secret_value()}
    folder = settings.haechi_var / "secrets"
    kept = {name: SecretStr(kept_secret(folder / name, made)) for name, made in missing.items()}
    return settings.model_copy(update=kept)


def kept_secret(path: Path, made: str) -> str:
    """The text of `path`; written there first (owner only, 0600) when the file does not exist."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(file, "w") as out:
        out.write(made + "\n")
    return made
