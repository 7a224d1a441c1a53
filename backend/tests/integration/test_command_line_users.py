"""`haechi users`, `haechi audit` and `haechi keys`: what they do, what they keep in the audit, and what they refuse."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import pty
import re
import select
import shlex
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from people import PASSWORD, bearer, code, signed_in, with_2fa
from sqlalchemy import text

from haechi import cli
from haechi.platform.db import Database

SECONDS_MAX = 60
PAGE = (Path(__file__).resolve().parents[3] / "docs" / "how-to" / "people.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The state folder of these commands is the one `running(tmp_path)` has; the log is as it was afterwards."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "ENCRYPTION_KEY", "JWT_SECRET", "ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield tmp_path
    root.handlers[:], level = before
    root.setLevel(level)


@pytest.fixture
def haechi(capsys, monkeypatch):
    """Runs a command -> (exit code, stdout, stderr)."""
    def run(command: str, given: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        status = cli.run(shlex.split(command))
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def entries(haechi):
    def read() -> list[dict]:
        status, out, err = haechi("audit export")
        assert (status, err) == (0, "")
        return [json.loads(line) for line in out.splitlines()]

    return read


def changed(folder: Path, statement: str) -> None:
    async def work() -> None:
        database = Database(f"sqlite+aiosqlite:///{folder}/var/haechi.db")
        async with database.writing() as session:
            await session.execute(text(statement))
        await database.close()

    asyncio.run(work())


# ---- people

def test_somebody_added_is_listed_verified_and_audited(haechi, entries):
    assert haechi("users add Mina@Example.com --password-stdin", PASSWORD + "\nmore\n")[:2] == (0, "Mina@Example.com was added.\n")
    status, out, _ = haechi("users add root@example.com --admin --password-stdin", PASSWORD)
    assert status == 0 and "second factor" in out
    assert [line.split()[:4] for line in haechi("users list")[1].splitlines()[1:]] == [
        ["mina@example.com", "user", "active", "off"], ["root@example.com", "admin", "active", "off"]]
    told = entries()
    assert [(one["number"], one["act"], one["actor"], one["details"]) for one in told] == [
        (1, "user.added", "system", {"by": "command line", "role": "user"}), (2, "user.added", "system", {"by": "command line", "role": "admin"})]
    assert PASSWORD not in str(told)


async def test_who_was_added_signs_in(here, running):
    await asyncio.to_thread(in_a_thread, "users add mina@example.com --password-stdin", PASSWORD)
    async with running(here) as app:
        await signed_in(app)


def in_a_thread(command: str, given: str = "") -> None:
    before, sys.stdin = sys.stdin, io.StringIO(given)
    try:
        assert cli.run(shlex.split(command)) == 0
    finally:
        sys.stdin = before


@pytest.mark.parametrize(("command", "given", "said"), [
    ("users add mina@example.com --password-stdin", "short\n", "too short"),
    ("users add mina@example.com --password-stdin", "password123\n", "many people have"),
    ("users add mina@example.com --password-stdin", "", "no password on stdin"),
    ("users add mina@example.com --password-stdin", "x" * 2000, "longer than"),
    ("users add mina --password-stdin", PASSWORD, "no e-mail address"),
    ("users add there@example.com --password-stdin", PASSWORD, "already"),
    ("users add THERE@example.com --password-stdin", PASSWORD, "already"),
    ("users role nobody@example.com admin", "", "no account for nobody@example.com"),
    ("users role there@example.com god", "", "there are user, admin"),
    ("users role root@example.com user", "", "last admin"),
    ("users suspend root@example.com", "", "last admin"),
    ("users suspend nobody@example.com", "", "no account"),
    ("users activate nobody@example.com", "", "no account"),
    ("users reset-2fa nobody@example.com", "", "no account"),
    ("users reset-2fa there@example.com", "", "off already"),
    ("users end-sessions nobody@example.com", "", "no account"),
    ("users end-sessions", "", "or say --all"),
    ("users end-sessions mina@example.com --all", "", "or say --all"),
    ("users add", "", "--help"),
    ("audit verify --head xyz", "", "whole hash"),
    ("audit verify --count -1", "", "--help"),
])
def test_what_cannot_be_done_is_one_sentence_and_changes_nothing(haechi, entries, command, given, said):
    haechi("users add there@example.com --password-stdin", PASSWORD)
    haechi("users add root@example.com --password-stdin --admin", PASSWORD)
    before, people = entries(), haechi("users list")[1]
    status, out, err = haechi(command, given)
    assert (status, out) == (2, "") and said in err and err.startswith("error: ") and len(err.splitlines()) == 1, err
    assert PASSWORD not in err and (entries(), haechi("users list")[1]) == (before, people)


def test_roles_and_suspension(haechi, entries):
    for name in ("mina", "root"):
        haechi(f"users add {name}@example.com --password-stdin", PASSWORD)
    assert haechi("users role mina@example.com admin")[0] == 0
    assert haechi("users suspend ROOT@example.com")[0] == 0
    assert [line.split()[1:3] for line in haechi("users list")[1].splitlines()[1:]] == [["admin", "active"], ["user", "suspended"]]
    assert haechi("users activate root@example.com")[0] == 0
    assert [line.split()[1:3] for line in haechi("users list")[1].splitlines()[1:]] == [["admin", "active"], ["user", "active"]]
    assert [(one["act"], one["actor"], one["details"]) for one in entries()[2:]] == [
        ("user.role", "system", {"by": "command line", "role": {"before": "user", "after": "admin"}}),
        ("user.suspended", "system", {"by": "command line", "suspended": {"before": False, "after": True}}),
        ("user.activated", "system", {"by": "command line", "suspended": {"before": True, "after": False}})]


async def test_sessions_end_and_a_lost_second_factor_is_reset_while_the_server_runs(here, running):
    async with running(here) as app:
        await app.add_person("mina@example.com", PASSWORD)
        first = bearer(await signed_in(app))
        await asyncio.to_thread(in_a_thread, "users end-sessions mina@example.com")
        assert (await app.http.get("/auth/me", headers=first)).status_code == 401
        third = bearer(await signed_in(app))
        await asyncio.to_thread(in_a_thread, "users end-sessions --all")
        assert (await app.http.get("/auth/me", headers=third)).status_code == 401
        second = bearer(await signed_in(app))
        secret, _ = await with_2fa(app, second)
        assert "challenge" in await signed_in(app) and code(app, secret)
        await asyncio.to_thread(in_a_thread, "users reset-2fa mina@example.com")
        assert (await app.http.get("/auth/me", headers=second)).status_code == 401
        assert "access_token" in await signed_in(app)


PROMPT = re.compile(r"(?:Password|Repeat for confirmation): ")  # the last space comes when the echo is off


def typed(command: list[str], answers: list[str]) -> tuple[int, str]:
    """In a terminal of its own, each answer when it is asked for -> exit code, all the terminal shows."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-m", "haechi.cli", *command])
    shown, given = "", 0
    with suppress(OSError):  # the other end was closed: it has ended
        while select.select([terminal], [], [], SECONDS_MAX)[0] and (got := os.read(terminal, 1024)):
            shown += got.decode()
            if given < min(len(answers), len(PROMPT.findall(shown))):
                os.write(terminal, answers[given].encode() + b"\n")
                given += 1
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown


def test_the_password_is_asked_for_twice_and_never_shown():
    status, shown = typed(["users", "add", "mina@example.com"], [PASSWORD, "something else", PASSWORD, PASSWORD])
    assert status == 0 and "was added" in shown and "do not match" in shown, shown
    assert PASSWORD not in shown and "something else" not in shown


# ---- audit

def test_a_chain_that_holds_is_told_with_what_to_keep(haechi, entries):
    assert haechi("audit verify")[:2] == (0, f"The chain holds: 0 entries, head {'0' * 64}\n")
    haechi("users add mina@example.com --password-stdin", PASSWORD)
    head = entries()[-1]["hash"]
    assert haechi("audit verify")[:2] == (0, f"The chain holds: 1 entry, head {head}\n")
    assert haechi(f"audit verify --count 1 --head {head}")[0] == 0


def test_a_chain_that_does_not_hold_is_told_place_by_place(here, haechi, entries):
    for name in ("a", "b", "c"):
        haechi(f"users add {name}@example.com --password-stdin", PASSWORD)
    head = entries()[-1]["hash"]
    changed(here, "UPDATE audit SET actor = 'nobody' WHERE number = 2")
    assert haechi("audit verify")[:2] == (1, "entry 2: it was changed after it was written\n")
    changed(here, "DELETE FROM audit WHERE number >= 2")
    assert haechi("audit verify")[0] == 0
    status, out, _ = haechi(f"audit verify --count 3 --head {head}")
    assert status == 1 and len(out.splitlines()) == 2 and "once had 3 entries" in out


# ---- keys

def test_a_key_is_changed_and_the_old_one_taken_out(here, haechi, entries, monkeypatch):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    haechi("users add mina@example.com --password-stdin", PASSWORD)
    monkeypatch.setenv("ENCRYPTION_KEY", old)
    from haechi.identity.second_factor import context
    from haechi.platform.crypto import Vault

    who = entries()[0]["subject"]
    changed(here, f"UPDATE users SET totp = '{Vault([old]).seal('JBSWY3DPEHPK3PXP', context(who))}'")

    status, out, _ = haechi("keys rotate")
    assert status == 0 and "0 of 1" in out and "There is one key" in out
    monkeypatch.setenv("ENCRYPTION_KEY", new)
    status, out, _ = haechi("keys rotate")
    assert status == 1 and f"users.totp {who}: no key" in out and "Take no key out" in out
    monkeypatch.setenv("ENCRYPTION_KEY", f"{new},{old}")
    status, out, _ = haechi("keys rotate")
    assert status == 0 and "1 of 1" in out and "run this again" in out
    status, out, _ = haechi("keys rotate")
    assert status == 0 and "0 of 1" in out and "can be taken out" in out
    monkeypatch.setenv("ENCRYPTION_KEY", new)
    assert haechi("keys rotate")[0] == 0
    told = [one["details"] for one in entries() if one["act"] == "keys.rotated"]
    assert [(one["sealed_again"], one["broken"]) for one in told] == [(0, 0), (0, 1), (1, 0), (0, 0), (0, 0)]


# ---- around

def test_a_database_of_another_version_is_left_alone(here, haechi):
    haechi("users list")
    changed(here, "UPDATE alembic_version SET version_num = 'r0001'")
    status, out, err = haechi("users list")
    assert (status, out) == (2, "") and "haechi migrate" in err


def test_a_database_that_is_gone_is_one_sentence(haechi, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/haechi")
    status, _, err = haechi("users list")
    assert status == 2 and "haechi doctor" in err and len(err.splitlines()) == 1


@pytest.mark.parametrize("command", re.findall(r"^haechi (.+)$", "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.S)), re.M))
def test_a_command_of_the_page_runs(haechi, here, command):
    haechi("users add root@example.com --admin --password-stdin", PASSWORD)
    if "users add" not in command:
        haechi("users add mina@example.com --password-stdin", PASSWORD)
        changed(here, "UPDATE users SET totp = 'x', suspended_at = '2026-01-01' WHERE email LIKE 'mina%'")
    if "keys" in command:
        changed(here, "UPDATE users SET totp = NULL")
    status, _, err = haechi(command + (" --password-stdin" if "add" in command else ""), PASSWORD)
    assert status == 0, err


def test_the_page_names_every_command_there_is():
    from haechi.identity import audit_commands, commands, key_commands

    for module, group in ((commands, "users"), (audit_commands, "audit"), (key_commands, "keys")):
        for one in module.app.registered_commands:
            assert f"haechi {group} {one.name or one.callback.__name__}" in PAGE
