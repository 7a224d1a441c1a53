"""What the pages about trading show is done: their commands run against a server with a market, their tables are compared with the code."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from haechi.bots.recovery import BACKOFFS, Kind
from haechi.core import risk
from haechi.trading import desk_watch
from haechi.trading.key_doctor import CHECKS
from haechi.trading.kill_switch import LOOK_S
from haechi.trading.ledger import BOOKS
from haechi.trading.limits import LEVERAGE_OF_BOT, defaults
from haechi.trading.models import NEXT

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "backend" / "src" / "haechi"
HOW_TO = ROOT / "docs" / "how-to"
PAGES = ("first-bot", "connect-bitget-demo", "when-an-alarm-rings", "stop-everything", "read-the-ledger")
TRADING = ("trading.md", "trading.ko.md")
SHELL = ["bash", "-euo", "pipefail", "-c"]
curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def blocks(name: str, language: str = "bash") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page(f"how-to/{name}.md"), re.S)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def started(arguments: list[str], environment: dict[str, str], folder: Path, pattern: str) -> Iterator[dict[str, str]]:
    """A command of haechi as its user starts it, until it has said what `pattern` looks for: the named groups."""
    command = [sys.executable, "-m", "haechi.cli", *arguments]
    with open(folder / "log.txt", "w") as log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder,
                                                              env={**environment, "PYTHONUNBUFFERED": "1"}) as server:
        assert server.stdout is not None
        said, found = "", None
        try:
            while found is None:
                line = server.stdout.readline()
                assert line, f"it ended:\n{said}\n{(folder / 'log.txt').read_text()}"
                said += line
                found = re.search(pattern, said)
            yield found.groupdict()
        finally:
            server.terminate()


@contextmanager
def server(folder: Path, **settings: str) -> Iterator[dict[str, str]]:
    """The environment of the pages."""
    folder.mkdir()
    port = str(free_port())
    environment = {**os.environ, "PORT": port, "HAECHI_VAR": str(folder / "var"), "HAECHI_DATA": str(folder / "data"), **settings}
    with started(["serve"], environment, folder, r"demo@haechi\.local\s+(?P<PASSWORD>\S+)") as said:
        url = f"http://127.0.0.1:{port}"
        wait = ["curl", "-sS", "--fail", "--retry", "60", "--retry-connrefused", "--retry-delay", "1", "--retry-max-time", "60",
                f"{url}/health/ready"]
        subprocess.run(wait, check=True, capture_output=True)
        yield {**environment, **said, "URL": url}


def run(script: str, environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run([*SHELL, script], env=environment, cwd=folder, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def whole(name: str) -> str:
    """A page's commands, after the lines that sign in."""
    sign_in = blocks("first-bot")[0]
    mine = blocks(name)
    return "\n".join(mine if name == "first-bot" else [sign_in, *mine])


# ---- the how-tos

@curl
@pytest.mark.parametrize("name", [name for name in PAGES if name != "connect-bitget-demo"])
def test_the_commands_of_a_page_run(name: str, tmp_path: Path) -> None:
    with server(tmp_path / "house") as environment:
        run(whole(name), environment, tmp_path)
        console = [line for block in blocks(name, "console") for line in block.splitlines() if line.startswith("$ haechi ")]
        codes = []
        for line in console:
            given = shlex.split(line.removeprefix("$ haechi "))
            codes.append(subprocess.run([sys.executable, "-m", "haechi.cli", *given], env=environment, cwd=tmp_path).returncode)
        assert codes == [int(line == "$ haechi kills") for line in console]  # as the page says: 1 while something is on
        if console:
            assert subprocess.run([sys.executable, "-m", "haechi.cli", "kills"], env=environment, cwd=tmp_path).returncode == 0


@curl
def test_a_key_of_bitget_is_connected_and_a_bot_trades_on_it(tmp_path: Path) -> None:
    there = tmp_path / "venue"
    there.mkdir()
    said = r"on (?P<URL>http://\S+) .*\n.*key (?P<KEY>\S+)  secret (?P<SECRET>\S+)  passphrase (?P<PASSPHRASE>\S+)"
    with started(["venue", "--port", "0"], dict(os.environ), there, said) as venue:
        address = venue.pop("URL")
        stream = address.replace("http", "ws", 1) + "/v2/ws/"
        with server(tmp_path / "house", BITGET_REST=address, BITGET_PUBLIC=f"{stream}public", BITGET_PRIVATE=f"{stream}private") as house:
            told = run(whole("connect-bitget-demo"), {**house, **venue}, tmp_path)
    assert '"mode":"demo"' in told and '"observed":"stopping"' in told


@pytest.mark.parametrize("name", PAGES)
def test_both_languages_show_the_same_commands(name: str) -> None:
    for language in ("bash", "sh", "console", "json"):
        assert blocks(name, language) == blocks(f"{name}.ko", language)


@pytest.mark.parametrize("name", [*(f"how-to/{name}{end}" for name in PAGES for end in (".md", ".ko.md")), *TRADING, "reliability.md"])
def test_every_link_to_a_heading_finds_it(name: str) -> None:
    for target, heading in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page(name)):
        text = ((ROOT / "docs" / name).parent / target).read_text(encoding="utf-8") if target else page(name)
        titles = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.M)}
        assert heading in titles, f"{name} links to {target}#{heading}"


@pytest.mark.parametrize("name", ["when-an-alarm-rings", "when-an-alarm-rings.ko"])
def test_every_alarm_has_its_row(name: str) -> None:
    rung = set()
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        rung |= set(re.findall(r"""\b(?:alarm|ring)\((?:[\w.]+|""|Owner\([^)]*\)), "([a-z_]+)",""", text)) if "bitget" not in str(path) else set(
            re.findall(r"""\balarm\("([a-z_]+)",""", text))
    rung |= {"key", "unreachable"}
    assert len(rung) >= 13
    assert set(re.findall(r"^\| `([a-z_]+)` \|", page(f"how-to/{name}.md"), re.M)) - {"code"} == rung


# ---- trading.md

def section(name: str, title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", page(name), re.M | re.S)
    assert found is not None, f"{name} has no section {title!r}"
    return found[1]


def first_cells(text: str) -> list[str]:
    return re.findall(r"^\| `([a-z_]+)`", text, re.M)


@pytest.mark.parametrize(("name", "title"), [("trading.md", "The risk gate"), ("trading.ko.md", "위험 관문")])
def test_every_rule_of_the_gate_has_its_row(name: str, title: str) -> None:
    rules = re.findall(r'Refused\("([a-z_]+)"', (SOURCE / "core" / "risk.py").read_text(encoding="utf-8"))
    extra = {"journal", "lease", "sent_before"}  # of the door, behind the gate
    assert len(risk.RULES) + len(risk.REDUCING) >= 24
    assert set(first_cells(section(name, title))) == set(rules) | extra


@pytest.mark.parametrize(("name", "title"), [("trading.md", "Your limits"), ("trading.ko.md", "내 한도")])
def test_the_defaults_of_the_limits_are_those_of_the_code(name: str, title: str) -> None:
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| ([^|]+) \|", section(name, title), re.M))
    expected = defaults()
    assert set(rows) == set(expected)
    for word, value in expected.items():
        if value is not None:
            assert rows[word].split()[0].replace(",", "") == f"{value}"
    assert f" {LEVERAGE_OF_BOT}" in section(name, title)


@pytest.mark.parametrize(("name", "title"), [("trading.md", "The key doctor"), ("trading.ko.md", "키 점검")])
def test_every_check_of_a_key_has_its_row(name: str, title: str) -> None:
    checks = {"key" if check.__name__ == "key_valid" else check.__name__ for check in CHECKS}
    assert set(first_cells(section(name, title))) == checks


@pytest.mark.parametrize(("name", "title"), [("trading.md", "Recovery"), ("trading.ko.md", "복구")])
def test_the_back_off_is_that_of_the_code(name: str, title: str) -> None:
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| ([^|]+) \|", section(name, title), re.M))
    assert set(rows) == {str(kind) for kind in Kind}
    for kind in Kind:
        figures = [float(one) for one in re.findall(r"\d+(?:\.\d+)?", rows[str(kind)])]
        backoff = BACKOFFS.get(kind)
        expected = [] if backoff is None else [backoff.first_ms / 1000, backoff.cap_ms / 1000]
        assert figures[:2] == expected, kind
        assert figures[2:] == ([] if backoff is None or backoff.tries is None else [backoff.tries])


@pytest.mark.parametrize("name", TRADING)
def test_books_and_states_are_those_of_the_code(name: str) -> None:
    text = page(name)
    assert [book for book in BOOKS if f"| `{book}` |" not in text] == []
    assert [state for state in NEXT if f"| `{state}` |" not in text] == []


def test_times_that_are_named_are_those_of_the_code() -> None:
    assert (desk_watch.NAKED_MS, desk_watch.EVERY_S, desk_watch.EVIDENCE_EVERY, LOOK_S) == (3_000, 1, 10, 0.5)
    assert "within 3 s" in page("trading.md") and "every half second" in page("trading.md")
