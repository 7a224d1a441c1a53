"""compose.yaml and the Dockerfile, read, and what they start, tried: no root, nothing may write, only nginx is open, no secret in clear."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import yaml

from haechi.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
SECRETS = {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "JWT_SECRET", "ENCRYPTION_KEY"}
OF_POSTGRES = {"POSTGRES_PASSWORD": "POSTGRES_SUPERUSER_PASSWORD", "HAECHI_PASSWORD": "POSTGRES_PASSWORD"}  # the image's names, and .env's
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")


def lines_of(word: str) -> list[str]:
    return [line.removeprefix(word).strip() for line in DOCKERFILE.splitlines() if line.startswith(f"{word} ")]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_may_do_only_what_it_must(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(service["user"].split(":")[0]) > 0
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices", "env_file"} & service.keys()
    assert {"mem_limit", "pids_limit", "healthcheck", "restart", "logging"} <= service.keys()
    assert not any("docker.sock" in volume for volume in service.get("volumes", []))
    assert [volume for volume in service.get("volumes", []) if volume.startswith(".") and not volume.endswith(":ro")] == []


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_names_its_version(name):
    image, _, tag = SERVICES[name]["image"].partition(":")
    assert image
    assert re.match(r"\d", tag), f"{image} has no version"


def test_only_nginx_is_open_and_the_stores_are_reached_from_inside_only():
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"nginx"}
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert {name: sorted(service["networks"]) for name, service in SERVICES.items()} == {
        "nginx": ["edge"], "api": ["edge", "inside"], "postgres": ["inside"], "redis": ["inside"]}


def test_each_waits_until_the_other_is_well():
    assert SERVICES["api"]["depends_on"] == {name: {"condition": "service_healthy"} for name in ("postgres", "redis")}
    assert SERVICES["nginx"]["depends_on"] == {"api": {"condition": "service_healthy"}}
    assert all(volume.split(":")[0] in COMPOSE["volumes"] for service in SERVICES.values() for volume in service.get("volumes", [])
               if not volume.startswith("."))


def test_secrets_come_from_outside_and_must_be_given():
    assert {name: SERVICES["postgres"]["environment"][name] for name in OF_POSTGRES} == {
        name: f"${{{given}:?set it in .env}}" for name, given in OF_POSTGRES.items()}
    for service in [one for name, one in SERVICES.items() if name != "postgres"]:
        for name, value in service.get("environment", {}).items():
            if name in SECRETS:
                assert value.startswith(f"${{{name}:?"), f"{name} has to be given"
            elif re.search("PASSWORD|TOKEN|KEY|SECRET", name):
                assert value == f"${{{name}:-}}"
    assert SERVICES["api"]["environment"].keys() >= SECRETS


def test_the_names_the_api_gets_are_settings():
    assert {name.lower() for name in SERVICES["api"]["environment"]} <= Settings.model_fields.keys()


def test_what_compose_sets_is_a_configuration_that_starts(monkeypatch, tmp_path):
    """With good secrets in .env, the environment of `api` is accepted; nothing in it is refused by production itself."""
    from haechi.settings import load_settings

    given = {"POSTGRES_PASSWORD": "vE7mQz2kTb9LwXs4", "REDIS_PASSWORD": "hN5cRf8pYd3JgUa6", "JWT_SECRET": "Qm7xV2kP9sLwT4yB8nRdF6hJ3cZaE5gU",
             "ENCRYPTION_KEY": "pR0yY6vTqg3bq5y4mK7mC9l3bq6S4mWcQk8j1Jx2u5E=", "PUBLIC_URL": "https://haechi.example.com"}

    def filled(value: str) -> str:
        return re.sub(r"\$\{(\w+):([?-])([^}]*)\}", lambda found: given.get(found[1], found[3] if found[2] == "-" else ""), value)

    monkeypatch.chdir(tmp_path)
    for name, value in SERVICES["api"]["environment"].items():
        monkeypatch.setenv(name, filled(value))
    made = load_settings()
    assert (made.production, made.trusted_proxy_hops, made.speed) == (True, 1, 60)
    assert made.database == "postgresql+asyncpg://haechi:vE7mQz2kTb9LwXs4@postgres:5432/haechi"


def test_the_secrets_the_how_to_makes_are_accepted(monkeypatch, tmp_path):
    from haechi.settings import load_settings

    page = (ROOT / "docs" / "how-to" / "production.md").read_text()
    found = re.search(r"```sh\n(   umask.*?)```", page, re.S)
    assert found is not None
    subprocess.run(["sh", "-e", "-c", found[1]], cwd=tmp_path, check=True)
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    monkeypatch.chdir(tmp_path)
    for name, value in SERVICES["api"]["environment"].items():
        if not value.startswith("$"):
            monkeypatch.setenv(name, value)
    made = load_settings()
    assert (made.public_url, made.redis_password.get_secret_value() in (tmp_path / ".env").read_text()) == ("https://haechi.example.com", True)


PASSWORD = "vE7m'Qz2k\\Tb9 $LwXs4"  # with signs that mean something to SQL and shells


@pytest.fixture
def own_role(postgres, postgres_server) -> str:
    """Address of the database that the compose file's script makes, on the private server of the tests, for a role of the same name."""
    superuser, name = urlsplit(postgres), f"r{secrets.token_hex(8)}"
    script = ROOT / "deploy" / "postgres" / "role.sh"
    by_compose = {"POSTGRES_USER": superuser.username, "HAECHI_ROLE": name, "HAECHI_PASSWORD": PASSWORD}
    assert by_compose.keys() < SERVICES["postgres"]["environment"].keys()
    assert os.access(script, os.X_OK), "what is not executable the image would read into its own shell"
    given = {"PATH": os.environ["PATH"], "PGHOST": "127.0.0.1", "PGPORT": str(superuser.port), "PGPASSWORD": superuser.password} | by_compose
    subprocess.run([script], env=given, check=True)
    assert subprocess.run([script], env=given, capture_output=True).returncode != 0, "what fails is not passed over"
    assert not any(part in (postgres_server.folder / "log").read_text() for part in ("vE7m", "LwXs4"))
    return f"postgresql://{name}@127.0.0.1:{superuser.port}/{name}"


async def test_haechi_runs_as_a_role_that_owns_its_database(own_role, tmp_path, running):
    """Every table is made by the role itself, and the copy that the how-to makes can be put back by it."""
    async with running(tmp_path, database_url=own_role, postgres_password=PASSWORD) as app:
        await app.person()
    copy, given = tmp_path / "copy.dump", {"PATH": os.environ["PATH"], "PGPASSWORD": PASSWORD}
    for command in (["pg_dump", "--format", "custom", "--file", copy], ["pg_restore", "--clean", "--if-exists", "--exit-on-error", copy]):
        await asyncio.to_thread(subprocess.run, [*command, "--dbname", own_role], env=given, check=True)
    async with running(tmp_path, database_url=own_role, postgres_password=PASSWORD) as app:
        assert (await app.http.get("/health/ready")).status_code == 200


async def test_haechis_role_may_do_nothing_else(own_role):
    link = await asyncpg.connect(own_role, password=PASSWORD)
    try:
        assert await link.fetchrow("SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls AS more FROM pg_roles "
                                   "WHERE rolname = current_user") == (False,)
        for more in ("CREATE ROLE another", "CREATE DATABASE another", "SELECT * FROM pg_authid", "COPY pg_class TO PROGRAM 'cat'",
                     "SELECT pg_read_file('/etc/passwd')", "ALTER SYSTEM SET fsync = off"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await link.execute(more)
    finally:
        await link.close()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(own_role, password=PASSWORD, database="postgres")


def test_redis_starts_as_compose_says_and_wants_its_password(unused_port, tmp_path, redis_server):
    """The very command, on a free port. `redis_server` skips where there is no Redis."""
    shell = SERVICES["redis"]["command"][2].replace("$$", "$").replace("port 6379", f"port {unused_port}").replace("dir /tmp", f"dir {tmp_path}")
    health = SERVICES["redis"]["healthcheck"]["test"][1].replace("$$", "$").replace("redis-cli", f"redis-cli -p {unused_port}")
    given = {"PATH": os.environ["PATH"], "REDIS_PASSWORD": "hN5cRf8pYd3JgUa6"}
    with subprocess.Popen(["sh", "-c", shell], env=given, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert any("Ready to accept connections" in line for line in server.stdout)
            arguments = Path(f"/proc/{server.pid}/cmdline").read_text()
            assert arguments.startswith("redis-server"), "the shell is gone: signals reach the server"
            assert given["REDIS_PASSWORD"] not in arguments
            assert subprocess.run(["sh", "-c", health], env=given).returncode == 0
            assert subprocess.run(["sh", "-c", health], env=given | {"REDIS_PASSWORD": "wrong"}, stderr=subprocess.DEVNULL).returncode == 1
        finally:
            server.terminate()


def test_the_image_runs_without_root_and_installs_by_hash():
    users = lines_of("USER")
    assert users
    assert users[-1] == SERVICES["api"]["user"] == "10001:10001"
    assert any("--require-hashes" in line and "--only-binary :all:" in line for line in lines_of("RUN"))
    assert all(re.match(r"python:3\.11-", line) for line in lines_of("FROM"))
    assert lines_of("HEALTHCHECK")
    assert not lines_of("ADD")


def test_the_image_holds_nothing_secret():
    assert not [line for line in lines_of("ARG") + lines_of("ENV") if re.search("PASSWORD|SECRET|TOKEN|KEY", line)]
    copied = [line.split()[-2] for line in lines_of("COPY") if not line.startswith("--from")]
    assert set(copied) == {"backend/requirements.lock", "backend/pyproject.toml", "backend/src"}
    ignored = (ROOT / ".dockerignore").read_text().split("\n")
    assert "*" in ignored
    assert {line[1:] for line in ignored if line.startswith("!")} == set(copied)
    assert all((ROOT / path).exists() for path in copied)


def test_the_start_of_the_image_and_its_health_are_what_haechi_has():
    assert lines_of("CMD")[-1] == '["haechi", "serve"]'
    assert "/health/ready" in DOCKERFILE
    assert "/health/ready" in str(SERVICES["api"]["healthcheck"]["test"])
