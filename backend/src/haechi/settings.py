"""Every environment name haechi reads, in one class. Each is explained in .env.example and docs/settings.md.

Development has a working default for everything; secrets it lacks are made once and kept in var/secrets. Production
refuses to start while any secret is missing or weak (production.py), and says all that is wrong in one sentence.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import os
import secrets
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from haechi.errors import HaechiError
from haechi.production import MAKE_JWT, MAKE_KEY, production_problems

JWT_SECRET_CHARS_MIN = 32
SECRET_DISTINCT_MIN = 10  # "aaaa…" has 1; 32 random hex characters have 13 or more in all but one of a thousand cases


class SettingsError(HaechiError):
    """The environment cannot be used; the message lists every problem."""

    code = "settings"


class Settings(BaseSettings):
    """Field names are the environment names in lower case. Make one with `load_settings`."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", hide_input_in_errors=True, frozen=True, env_ignore_empty=True)

    environment: Literal["development", "production"] = "development"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    haechi_var: Path = Path("var")
    haechi_data: Path = Path("data")
    secrets_dir: Path | None = None
    jwt_secret: SecretStr = SecretStr("")
    encryption_key: SecretStr = SecretStr("")
    database_url: SecretStr = SecretStr("")
    postgres_password: SecretStr = SecretStr("")
    redis_url: SecretStr = SecretStr("")
    redis_password: SecretStr = SecretStr("")
    cors_origins: str = ""
    public_url: str = "http://127.0.0.1:8000"
    registration: Literal["open", "closed"] = "open"
    smtp_url: str = ""
    smtp_password: SecretStr = SecretStr("")
    mail_from: str = "haechi@localhost"
    admin_addresses: str = ""
    oauth_google_id: str = ""
    oauth_google_secret: SecretStr = SecretStr("")
    oauth_kakao_id: str = ""
    oauth_kakao_secret: SecretStr = SecretStr("")
    trusted_proxy_hops: int = Field(default=0, ge=0, le=10)
    rate_limit_per_minute: int = Field(default=600, ge=1, le=1_000_000)
    request_seconds_max: float = Field(default=30.0, gt=0, le=3600)
    deepseek_api_key: SecretStr = SecretStr("")
    telegram_bot_token: SecretStr = SecretStr("")
    telegram_chat_id: str = ""
    market: str = "synthetic"
    market_seed: int = Field(default=20_260, ge=0)
    live_rest: str = ""
    live_stream: str = ""
    speed: float = Field(default=60.0, gt=0, le=100_000)
    venue_port: int = Field(default=0, ge=0, le=65535)
    bitget_rest: str = ""
    bitget_public: str = ""
    bitget_private: str = ""
    reserve_mib: int = Field(default=16, ge=1, le=1024)
    risk_leverage_max: int = Field(default=100, ge=1, le=125)
    risk_order_value_max: Decimal = Field(default=Decimal(10_000_000), gt=0, le=Decimal(10) ** 12, allow_inf_nan=False)
    risk_orders_per_second: int = Field(default=10, ge=1, le=1_000)
    risk_price_age_seconds_max: int = Field(default=120, ge=1, le=3_600)

    @property
    def production(self) -> bool:
        return self.environment == "production"

    @property
    def origins(self) -> list[str]:
        """Browser origins that may call the API from another address."""
        return [origin.strip().rstrip("/") for origin in self.cors_origins.split(",") if origin.strip()]

    @property
    def admin_networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        return [ipaddress.ip_network(one.strip(), strict=False) for one in self.admin_addresses.split(",") if one.strip()]

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
    """Read the environment, .env and the files of SECRETS_DIR; overrides win. Raises SettingsError listing every problem."""
    try:
        settings = Settings(**overrides)
        if settings.secrets_dir is not None:
            settings = Settings(_secrets_dir=existing(settings.secrets_dir), **overrides)  # type: ignore[call-arg]
    except ValidationError as wrong:
        found = [f"{'.'.join(map(str, e['loc'])).upper()}: {e['msg'].lower()}" for e in wrong.errors(include_input=False)]
        raise SettingsError(f"The settings cannot be used: {'; '.join(found)}.") from None
    if not settings.production:
        settings = with_made_secrets(settings)
    found = problems(settings)
    if settings.production:
        found += production_problems(settings, secret_files(settings, overrides.get("_env_file", ".env")))
    if found:
        raise SettingsError(f"The settings cannot be used: {'; '.join(found)}. docs/settings.md explains each name.")
    return settings


def problems(settings: Settings) -> list[str]:
    """What is wrong, one phrase each; empty when all is well."""
    found = [*jwt_problems(settings.jwt_secret.get_secret_value()), *key_problems(settings.encryption_keys)]
    found += database_problems(settings) + redis_problems(settings.redis_url.get_secret_value())
    found += oauth_problems(settings)
    try:
        _ = settings.admin_networks
    except ValueError as error:
        found.append(f"ADMIN_ADDRESSES: {error}; write networks as 203.0.113.0/24")
    return found


def existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise SettingsError(f"The settings cannot be used: SECRETS_DIR names {folder}, which is no folder: make it, or leave the name out.")
    return folder


def secret_files(settings: Settings, env_file: str | Path | None) -> list[Path]:
    """Files the secrets may have come from."""
    folder = [] if settings.secrets_dir is None else settings.secrets_dir.iterdir()
    kept = [path for path in folder if path.name.lower() in Settings.model_fields]
    return [*([] if env_file is None else [Path(env_file)]), *sorted(kept)]


def jwt_problems(secret: str) -> list[str]:
    if not secret:
        return [f"JWT_SECRET is missing: make one with {MAKE_JWT}"]
    if len(secret) < JWT_SECRET_CHARS_MIN:
        return [f"JWT_SECRET has {len(secret)} characters, at least {JWT_SECRET_CHARS_MIN} are needed: make one with {MAKE_JWT}"]
    if len(set(secret)) < SECRET_DISTINCT_MIN:
        return [f"JWT_SECRET repeats too few characters: make one with {MAKE_JWT}"]
    return []


def key_problems(keys: list[str]) -> list[str]:
    if not keys:
        return [f"ENCRYPTION_KEY is missing: make one with {MAKE_KEY}"]
    return [f"ENCRYPTION_KEY number {place} is not a Fernet key (32 bytes in URL-safe base64): make one with {MAKE_KEY}"
            for place, key in enumerate(keys, start=1) if not is_fernet_key(key)]


def database_problems(settings: Settings) -> list[str]:
    scheme = settings.database.partition("://")[0]
    if scheme not in ("sqlite+aiosqlite", "postgresql+asyncpg"):
        return [f"DATABASE_URL begins with {scheme!r}, use sqlite:///path or postgresql://user@host/name"]
    return []


def redis_problems(url: str) -> list[str]:
    return [] if not url or url.startswith(("redis://", "rediss://")) else ["REDIS_URL is no address of Redis, use redis://host:6379/0"]


def oauth_problems(settings: Settings) -> list[str]:
    """Half of a pair is of no use; and a provider sends browsers back in the clear only to this machine."""
    pairs = {"GOOGLE": (settings.oauth_google_id, settings.oauth_google_secret.get_secret_value()),
             "KAKAO": (settings.oauth_kakao_id, settings.oauth_kakao_secret.get_secret_value())}
    found = [f"OAUTH_{name}_ID and OAUTH_{name}_SECRET go together: give both or none"
             for name, pair in pairs.items() if any(pair) and not all(pair)]
    if settings.production and any(any(pair) for pair in pairs.values()) and not settings.public_url.startswith("https://"):
        found.append("PUBLIC_URL must begin with https:// where people sign in through OAUTH_… providers")
    return found


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
