"""Settings: development just works, production refuses what is weak."""

import re
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from haechi.settings import Settings, SettingsError, load_settings

ROOT = Path(__file__).resolve().parents[4]
GOOD = "Qm7xV2kP9sLwT4yB8nRdF6hJ3cZaE5gU"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def settings(tmp_path, **given):
    return load_settings(_env_file=None, haechi_var=tmp_path / "var", **given)


def test_development_needs_nothing_and_keeps_the_secrets_it_makes(tmp_path):
    first, second = settings(tmp_path), settings(tmp_path)
    assert first.jwt_secret == second.jwt_secret
    assert first.encryption_key == second.encryption_key
    assert first.database == f"sqlite+aiosqlite:///{tmp_path}/var/haechi.db"


def test_made_secrets_are_readable_by_their_owner_only(tmp_path):
    settings(tmp_path)
    kept = sorted((tmp_path / "var" / "secrets").iterdir())
    assert [path.name for path in kept] == ["encryption_key", "jwt_secret"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}


def test_production_lists_every_problem_in_one_sentence(tmp_path):
    with pytest.raises(SettingsError) as refused:
        settings(tmp_path, environment="production", cors_origins="*", database_url="postgresql://haechi@db/haechi")
    said = str(refused.value)
    for name in ("JWT_SECRET is missing", "ENCRYPTION_KEY is missing", "POSTGRES_PASSWORD", "CORS_ORIGINS"):
        assert name in said
    assert "\n" not in said
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize(("given", "said"), [
    ({"jwt_secret": "short"}, "5 characters, at least 32"),
    ({"jwt_secret": "a" * 40}, "repeats too few characters"),
    ({"encryption_key": "not-a-key"}, "number 1 is not a Fernet key"),
    ({"encryption_key": f"{Fernet.generate_key().decode()},zzz"}, "number 2 is not a Fernet key"),
    ({"database_url": "mysql://x/y"}, "begins with 'mysql'"),
])
def test_a_weak_or_broken_value_is_named(tmp_path, given, said):
    strong = {"jwt_secret": GOOD, "encryption_key": Fernet.generate_key().decode(), "environment": "production"}
    with pytest.raises(SettingsError, match=said):
        settings(tmp_path, **(strong | given))


def test_production_starts_with_strong_secrets_and_writes_none(tmp_path):
    made = settings(tmp_path, environment="production", jwt_secret=GOOD, encryption_key=Fernet.generate_key().decode(),
                    database_url="sqlite:////srv/haechi.db")
    assert made.production
    assert not (tmp_path / "var").exists()


def test_a_wrong_number_is_refused_without_repeating_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PORT", "hunter2-pasted-here")
    with pytest.raises(SettingsError, match="PORT") as refused:
        settings(tmp_path)
    assert "hunter2" not in str(refused.value)


def test_secrets_do_not_show_when_settings_are_printed(tmp_path):
    made = settings(tmp_path, jwt_secret=GOOD, telegram_bot_token="123456:secret-token")
    assert GOOD not in repr(made)
    assert "secret-token" not in str(made)


def test_the_password_joins_an_address_that_has_none(tmp_path):
    apart = settings(tmp_path, database_url="postgresql://haechi@db:5432/haechi", postgres_password="p@ss/word")
    assert apart.database == "postgresql+asyncpg://haechi:p%40ss%2Fword@db:5432/haechi"
    inside = settings(tmp_path, database_url="postgresql://haechi:own@db/haechi", postgres_password="other")
    assert inside.database == "postgresql+asyncpg://haechi:own@db/haechi"


def test_every_setting_is_in_the_example_and_in_the_documentation_and_no_other_is():
    names = {name.upper() for name in Settings.model_fields}
    example = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M))
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "settings.md").read_text(), re.M))
    assert example == names, "add or remove the line in .env.example"
    assert documented == names, "add or remove the row in docs/settings.md"


def test_the_example_file_as_it_is_starts_a_development_server(tmp_path):
    made = load_settings(_env_file=ROOT / ".env.example", haechi_var=tmp_path)
    assert (made.port, made.environment) == (8000, "development")
