"""Production and what it does not start with: every bad configuration is one refusal with the name and what to do."""

from __future__ import annotations

import base64

import pytest
from cryptography.fernet import Fernet

from haechi.settings import Settings, SettingsError, load_settings

JWT = "Qm7xV2kP9sLwT4yB8nRdF6hJ3cZaE5gU"
KEY = "pR0yY6vTqg3bq5y4mK7mC9l3bq6S4mWcQk8j1Jx2u5E="
DATABASE_PASSWORD, REDIS_PASSWORD = "vE7mQz2kTb9LwXs4", "hN5cRf8pYd3JgUa6"
GOOD = {
    "environment": "production", "host": "0.0.0.0", "trusted_proxy_hops": "1", "jwt_secret": JWT, "encryption_key": KEY,
    "database_url": "postgresql://haechi@db/haechi", "postgres_password": DATABASE_PASSWORD,
    "redis_url": "redis://cache:6379/0", "redis_password": REDIS_PASSWORD, "cors_origins": "https://app.example.com",
}


def key_of(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


BAD = {
    "no JWT_SECRET": ({"jwt_secret": ""}, "JWT_SECRET is missing: make one with"),
    "a short JWT_SECRET": ({"jwt_secret": JWT[:31]}, "JWT_SECRET has 31 characters, at least 32"),
    "a JWT_SECRET of two letters": ({"jwt_secret": "ab" * 20}, "JWT_SECRET repeats too few characters: make one"),
    "a JWT_SECRET of a row": ({"jwt_secret": "0123456789abcdef" * 2}, "JWT_SECRET can be guessed"),
    "a JWT_SECRET of an example": ({"jwt_secret": "your-secret-key-change-in-production"}, "JWT_SECRET can be guessed or was copied"),
    "no ENCRYPTION_KEY": ({"encryption_key": ""}, "ENCRYPTION_KEY is missing: make one with"),
    "no Fernet key": ({"encryption_key": "not-a-key"}, "ENCRYPTION_KEY number 1 is not a Fernet key .*: make one with"),
    "an old key that is none": ({"encryption_key": f"{KEY},zzz"}, "ENCRYPTION_KEY number 2 is not a Fernet key"),
    "a key twice": ({"encryption_key": f"{KEY},{KEY}"}, "ENCRYPTION_KEY names a key twice: leave one"),
    "a key of zeros": ({"encryption_key": key_of(bytes(32))}, "ENCRYPTION_KEY number 1 is no random key"),
    "a key that counts": ({"encryption_key": key_of(bytes(range(32)))}, "ENCRYPTION_KEY number 1 is no random key"),
    "a key of text": ({"encryption_key": key_of(b"this-is-a-32-byte-long-text-key!")}, "ENCRYPTION_KEY number 1 is no random key"),
    "no DATABASE_URL": ({"database_url": ""}, "DATABASE_URL is missing: name postgresql://"),
    "another database": ({"database_url": "mysql://x/y"}, "DATABASE_URL begins with 'mysql', use"),
    "no POSTGRES_PASSWORD": ({"postgres_password": ""}, "POSTGRES_PASSWORD is missing: make one with"),
    "the default password of PostgreSQL": ({"postgres_password": "postgres"}, "POSTGRES_PASSWORD is shorter than 16 characters: make one"),
    "the same, longer": ({"postgres_password": "postgrespostgres"}, "POSTGRES_PASSWORD can be guessed"),
    "password as password": ({"postgres_password": "my_password_is_long"}, "POSTGRES_PASSWORD can be guessed"),
    "a weak password in the address": ({"database_url": "postgresql://haechi:haechi@db/haechi"}, "POSTGRES_PASSWORD is shorter than 16"),
    "Redis without a password": ({"redis_password": ""}, "REDIS_PASSWORD is missing: make one with"),
    "Redis with a short one": ({"redis_password": "redis"}, "REDIS_PASSWORD is shorter than 16"),
    "one password for both": ({"redis_password": DATABASE_PASSWORD}, "POSTGRES_PASSWORD and REDIS_PASSWORD are the same: give each its own"),
    "JWT_SECRET as a password": ({"redis_password": JWT}, "JWT_SECRET and REDIS_PASSWORD are the same: give each its own"),
    "every origin": ({"cors_origins": "https://a.example,*"}, "CORS_ORIGINS .* is not allowed: write them out"),
    "origins of a wild card": ({"cors_origins": "https://*.example.com"}, "CORS_ORIGINS .* is not allowed: write them out"),
    "an origin without TLS": ({"cors_origins": "http://app.example.com"}, "CORS_ORIGINS has 'http://app.example.com': .* https://name"),
    "an origin with a path": ({"cors_origins": "https://app.example.com/x"}, "CORS_ORIGINS has .* without a path"),
    "the null origin": ({"cors_origins": "null"}, "CORS_ORIGINS has 'null'"),
    "debug": ({"log_level": "debug"}, "LOG_LEVEL is debug: production takes info"),
    "an unknown environment": ({"environment": "prod"}, "ENVIRONMENT: input should be 'development' or 'production'"),
    "open to all without a proxy": ({"trusted_proxy_hops": "0"}, "HOST can be reached .* set TRUSTED_PROXY_HOPS=1, or set HOST=127"),
    "the same by a name": ({"trusted_proxy_hops": "0", "host": "myserver"}, "HOST can be reached"),
    "links without TLS": ({"public_url": "http://haechi.example.com"}, "PUBLIC_URL has no TLS, .* give it as https"),
    "a proxy count that is none": ({"trusted_proxy_hops": "-1"}, "TRUSTED_PROXY_HOPS: input should be greater than or equal to 0"),
    "a port that is none": ({"port": "70000"}, "PORT: input should be less than or equal to 65535"),
    "no such folder of secrets": ({"secrets_dir": "/nowhere/at/all"}, "SECRETS_DIR names /nowhere/at/all, .*make it, or leave"),
}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def in_environment(monkeypatch, values):
    for name, value in values.items():
        monkeypatch.setenv(name.upper(), value)


def test_the_good_configuration_starts(monkeypatch):
    in_environment(monkeypatch, GOOD)
    assert load_settings().production


def test_new_secrets_are_never_refused(monkeypatch):
    import secrets

    for _ in range(200):
        in_environment(monkeypatch, GOOD | {"jwt_secret": secrets.token_hex(16), "encryption_key": Fernet.generate_key().decode(),
                                            "postgres_password": secrets.token_urlsafe(24), "redis_password": secrets.token_hex(16)})
        load_settings()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_configuration_is_refused_with_what_to_do(monkeypatch, name):
    changed, said = BAD[name]
    in_environment(monkeypatch, GOOD | changed)
    with pytest.raises(SettingsError, match=said) as refused:
        load_settings()
    sentence = str(refused.value)
    assert "\n" not in sentence
    assert sentence.startswith("The settings cannot be used: ")
    for secret in (JWT, KEY, DATABASE_PASSWORD, REDIS_PASSWORD, *(changed.get(one, "") for one in ("jwt_secret", "encryption_key"))):
        assert not secret or secret not in sentence


@pytest.mark.parametrize("name", [name for name in BAD if BAD[name][0].keys().isdisjoint({"environment", "trusted_proxy_hops", "port", "secrets_dir"})])
def test_only_what_is_wrong_is_named(monkeypatch, name):
    in_environment(monkeypatch, GOOD | BAD[name][0])
    with pytest.raises(SettingsError) as refused:
        load_settings()
    said = str(refused.value)
    others = set(GOOD) - set(BAD[name][0]) - {"environment", "host", "database_url", "redis_url", "jwt_secret", "postgres_password"}
    assert not [other.upper() for other in others if f"{other.upper()} " in said]


def test_everything_wrong_at_once_is_one_list(monkeypatch):
    in_environment(monkeypatch, {"environment": "production", "host": "0.0.0.0", "log_level": "debug", "cors_origins": "*",
                                 "database_url": "postgresql://haechi@db/haechi", "redis_url": "redis://cache"})
    with pytest.raises(SettingsError) as refused:
        load_settings()
    for name in ("JWT_SECRET", "ENCRYPTION_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "CORS_ORIGINS", "LOG_LEVEL", "HOST"):
        assert f"{name} " in str(refused.value)


@pytest.mark.parametrize(("mode", "starts"), [(0o600, True), (0o640, True), (0o644, False), (0o602, False)])
def test_an_env_file_open_to_everybody_is_refused(tmp_path, mode, starts):
    (tmp_path / ".env").write_text("".join(f"{name.upper()}={value}\n" for name, value in GOOD.items()))
    (tmp_path / ".env").chmod(mode)
    if starts:
        assert load_settings().production
        return
    with pytest.raises(SettingsError, match=r"\.env holds secrets and is open to everybody on this machine: chmod o= \.env"):
        load_settings()


@pytest.mark.parametrize(("mode", "starts"), [(0o400, True), (0o600, True), (0o604, False), (0o666, False)])
def test_secrets_come_from_files_of_their_own_that_nobody_else_reads(tmp_path, monkeypatch, mode, starts):
    apart = {name: GOOD[name] for name in ("jwt_secret", "encryption_key", "postgres_password", "redis_password")}
    for name, value in apart.items():
        (tmp_path / name).write_text(f"{value}\n")
        (tmp_path / name).chmod(0o600)
    (tmp_path / "encryption_key").chmod(mode)
    in_environment(monkeypatch, {name: value for name, value in GOOD.items() if name not in apart} | {"secrets_dir": str(tmp_path)})
    if starts:
        made = load_settings()
        assert (made.jwt_secret.get_secret_value(), made.encryption_keys) == (JWT, [KEY])
        return
    with pytest.raises(SettingsError, match="encryption_key holds secrets and is open to everybody"):
        load_settings()


def test_development_takes_the_example_as_it_is_copied(tmp_path):
    (tmp_path / ".env").write_text("JWT_SECRET=\nENCRYPTION_KEY=\nLOG_LEVEL=debug\nHOST=0.0.0.0\nDATABASE_URL=\n")
    (tmp_path / ".env").chmod(0o644)
    assert load_settings().log_level == "debug"


def test_sqlite_in_production_is_a_choice_that_is_said(monkeypatch):
    in_environment(monkeypatch, GOOD | {"database_url": "sqlite:////srv/haechi/haechi.db", "postgres_password": ""})
    assert load_settings().database == "sqlite+aiosqlite:////srv/haechi/haechi.db"
