"""docs/security.md says what the code does, and docs/security/asvs.md has a row for every requirement, each shown by a test that exists."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections import Counter
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.responses import PlainTextResponse

from haechi import app as application
from haechi.health import pages
from haechi.identity import tokens
from haechi.identity.current import FRESH
from haechi.identity.passwords import PASSWORD_CHARS_MIN, Passwords
from haechi.identity.second_factor import RECOVERY_CODES
from haechi.platform.clock import SystemClock
from haechi.platform.limits import Rule
from haechi.platform.web import Door

ROOT = Path(__file__).resolve().parents[3]
TESTS, SOURCE, DOCS = ROOT / "backend" / "tests", ROOT / "backend" / "src" / "haechi", ROOT / "docs"
WORDS_MIN = 4  # of a reason
SECTION_WORDS_MIN = 25
CRYPTOGRAPHY = {"cryptography", "hashlib", "hmac", "jwt", "pwdlib", "pyotp", "random", "secrets", "ssl", "uuid"}
# Requirements about documentation: their row links the section that answers them.
DOCUMENTED = ["V2.1.2", "V2.1.3", "V5.1.1", "V6.1.1", "V6.1.2", "V6.1.3", "V7.1.1", "V7.1.2", "V7.1.3", "V8.1.1", "V8.1.2",
              "V11.1.1", "V11.1.2", "V13.1.1", "V14.1.1", "V14.1.2", "V15.1.1", "V15.1.3", "V16.1.1"]


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """The cells of every table row, without heads and rules."""
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("|---")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def section(page: str, title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", page, re.M | re.S)
    assert found is not None, f"there is no section {title!r}"
    return found[1]


PAGE = read("security.md")
IDS = dict(line.split() for line in read("security/asvs-ids.txt").splitlines() if not line.startswith("#"))
TABLE = [row for row in rows(read("security/asvs.md")) if re.fullmatch(r"V[\d.]+", row[0])]


# ---- the table of requirements

@cache
def functions(path: str) -> frozenset[str]:
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    return frozenset(one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


def wrong_with(shown: str) -> str | None:
    """None when the last cell of a row is what it should be."""
    for word in ("n.a.: ", "open: "):
        if shown.startswith(word):
            return None if len(shown.removeprefix(word).split()) >= WORDS_MIN else f"a reason has {WORDS_MIN} words or more"
    for name in re.split(r",? ", shown):
        path, _, function = name.strip("`").partition("::")
        if not name.startswith("`") or not function.startswith("test_") or not (TESTS / path).is_file():
            return f"{name} is no `file::test`, `n.a.: reason` or `open: what is missing`"
        if function not in functions(path):
            return f"{path} has no test {function}"
    return None


def test_every_requirement_has_one_row_in_order() -> None:
    assert Counter(IDS.values()) == {"1": 70, "2": 183}
    assert [row[0] for row in TABLE] == list(IDS)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_a_row_says_how_and_names_a_test_that_exists_or_a_reason(row: list[str]) -> None:
    assert len(row) == 3 and len(row[1].split()) >= WORDS_MIN, "id, how, shown by"
    assert wrong_with(row[2]) is None, f"{row[0]}: {wrong_with(row[2])}"


def test_the_numbers_on_top_of_the_table_are_those_of_its_rows() -> None:
    kinds = Counter("open" if row[2].startswith("open") else "n.a." if row[2].startswith("n.a.") else "shown" for row in TABLE)
    found = re.search(r"(\d+) requirements: (\d+) shown by tests, (\d+) not applicable, (\d+) open", read("security/asvs.md"))
    assert found is not None
    assert [int(one) for one in found.groups()] == [len(TABLE), kinds["shown"], kinds["n.a."], kinds["open"]]


@pytest.mark.parametrize("name", DOCUMENTED)
def test_what_has_to_be_documented_is_a_section_that_is_written(name: str) -> None:
    (how,) = [row[1] for row in TABLE if row[0] == name]
    anchors = re.findall(r"\(\.\./security\.md#([a-z-]+)\)", how)
    assert anchors, f"{name} wants documentation: link its section"
    for anchor in anchors:
        assert len(section(PAGE, anchor.replace("-", " ").capitalize()).split()) >= SECTION_WORDS_MIN, anchor


# ---- the page

def value_of(name: str) -> Any:
    """`module.NAME`, `module.NAME[key]`, or `module.name()` for how many it gives."""
    path, key = re.fullmatch(r"([\w.]+?)(?:\[(\w+)\]|\(\))?", name).groups()  # type: ignore[union-attr]
    module, _, attribute = path.rpartition(".")
    value = getattr(importlib.import_module(module), attribute)
    return len(value()) if name.endswith("()") else value if key is None else value[key]


def meant(written: str, like: Any) -> Any:
    """What a cell says, as the same kind of value."""
    if isinstance(like, timedelta):
        number, unit = written.split()
        return timedelta(**{f"{unit.rstrip('s')}s": int(number)})
    if hasattr(like, "window"):
        times, _, window = written.partition(" in ")
        return type(like)(int(times), meant(window, timedelta()))
    return type(like)(int(written.split(maxsplit=1)[0].replace(",", "")))


FIGURES = [row for row in rows(section(PAGE, "Figures")) if row[2].startswith("`")]


def test_there_are_figures() -> None:
    assert len(FIGURES) >= 35


@pytest.mark.parametrize("row", FIGURES, ids=lambda row: row[2].strip("`"))
def test_a_figure_is_the_codes(row: list[str]) -> None:
    value = value_of(row[2].strip("`"))
    assert meant(row[1], value) == value


def test_the_korean_page_has_the_same_figures() -> None:
    found = re.search(r"쓰지 않으면 (\d+)일, 계속 써도 (\d+)일", read("security.ko.md"))
    assert found is not None and [timedelta(days=int(one)) for one in found.groups()] == [tokens.REFRESH_LIFE, tokens.SESSION_LIFE]
    for figure in (f"{PASSWORD_CHARS_MIN}자 이상", f"복구 코드 {RECOVERY_CODES}개", f"{FRESH // timedelta(minutes=1)}분 안의 본인 확인"):
        assert figure in read("security.ko.md"), figure


def test_a_new_hash_costs_what_the_page_says() -> None:
    found = re.search(r"Argon2id \((\d+) MiB, (\d+) passes, (\d+) lanes\)", section(PAGE, "Signing in"))
    assert found is not None
    memory, passes, lanes = (int(one) for one in found.groups())
    passwords = Passwords()
    try:
        assert passwords.hashers.hash("a few good words").split("$")[3] == f"m={memory * 1024},t={passes},p={lanes}"
    finally:
        passwords.close()


def rules() -> set[tuple[str, int, int, str]]:
    """Of every route: what `limited(…)` and `counted(…)` were given."""
    calls = [one.call for router in application.ROUTERS for route in router.routes if isinstance(route, APIRoute)
             for one in route.dependant.dependencies if inspect.isfunction(one.call)]
    found = [inspect.getclosurevars(call).nonlocals.get("rule") for call in calls]
    return {(one.name, one.times, one.seconds, one.fail) for one in found if isinstance(one, Rule)}


def test_the_limits_are_those_of_the_routes() -> None:
    told = {(name.strip("`"), int(times), int(meant(within, timedelta()).total_seconds()), {"refused": "closed", "let through": "open"}[without])
            for name, _, times, within, without in rows(section(PAGE, "Limits"))[1:]}
    assert told == rules()


async def test_the_headers_are_those_of_every_answer() -> None:
    door = Door(PlainTextResponse("well"), clock=SystemClock(), production=True)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://haechi.test") as http:
        sent = dict((await http.get("/")).headers)
    told = {name.strip("`"): value.strip("`") for name, value in rows(section(PAGE, "Answers"))[1:]}
    assert told == {name: value for name, value in sent.items() if name not in ("content-length", "content-type", "x-request-id")}


def test_the_methods_are_those_of_the_routes() -> None:
    routes = [route for router in [*application.ROUTERS, pages.router] for route in router.routes if isinstance(route, APIRoute)]
    found = re.search(r"Methods that any address knows: (.*?)\.", section(PAGE, "Answers"))
    assert found is not None
    assert set(re.findall(r"`([A-Z]+)`", found[1])) == {method for route in routes for method in route.methods} | {"HEAD"}


def test_every_file_that_uses_cryptography_is_in_the_inventory() -> None:
    def imported(path: Path) -> set[str]:
        found = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Import | ast.ImportFrom)]
        names = [one.module or "" if isinstance(one, ast.ImportFrom) else alias.name for one in found for alias in one.names]
        return {name.split(".")[0] for name in names}

    using = {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if imported(path) & CRYPTOGRAPHY}
    told = {name for row in rows(section(PAGE, "Keys and encryption")) for name in re.findall(r"`([\w/]+\.py)`", row[0])}
    assert told == using, f"not in the inventory: {using - told}; not there any more: {told - using}"


def test_every_act_of_the_audit_is_told() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py"))
    written = set(re.findall(r'\b(?:Act|act)\(\s*"([a-z0-9_]+\.[a-z0-9_]+)"', code)) | set(re.findall(r'"(user\.[a-z_]+)"', code))
    told = set(re.findall(r"`([a-z0-9_]+\.[a-z_]+)`", section(PAGE, "Audit and logs").split("In the audit:")[1].split(". An act")[0]))
    assert told == written


def test_the_status_page_hides_the_password_takes_what_is_pasted_and_lets_one_leave() -> None:
    page = pages.source("status.html")
    (field,) = re.findall(r"<input name=\"password\"[^>]*>", page)
    assert 'type="password"' in field and 'autocomplete="current-password"' in field and "readonly" not in field
    assert "paste" not in page + pages.source("status.js") and 'id="out"' in page
