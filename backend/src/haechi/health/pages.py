"""The server's own pages: `/` says how it is and lets one look after bots, `/docs` lists the API. No other host is asked for anything."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import HTMLResponse

import haechi
from haechi.health.checks import UP, database_condition, parts_conditions
from haechi.health.words import WORDS, language
from haechi.platform.house import TheHouse

router = APIRouter(include_in_schema=False)

Lang = Annotated[str | None, Query(max_length=8)]
Accepted = Annotated[str, Header(alias="accept-language", max_length=1000)]


@router.get("/")
async def status(house: TheHouse, lang: Lang = None, accepted: Accepted = "") -> HTMLResponse:
    """How the server is, for people."""
    spoken = language(lang, accepted)
    words = WORDS[spoken]
    database, parts = await database_condition(house), parts_conditions(house)
    well = all(one["state"] == UP for one in [database, *parts.values()])
    return page("status.html", spoken, {
        "state": "up" if well else "down",
        "state_word": words["running" if well else "degraded"],
        "environment_word": words[house.settings.environment],
        "database_word": f"{NAMES.get(database['kind'], database['kind'])} · {words[database['state']]}",
        "market_word": house.settings.market,
        "speed_word": f"{house.settings.speed:g} {words['times']}",
        "jobs_word": str(parts.get("jobs", {}).get("unfinished", "–")),
    }, script="status.js")


NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


@router.get("/docs")
async def reference(request: Request, lang: Lang = None, accepted: Accepted = "") -> HTMLResponse:
    """The API as a list, made from the OpenAPI document."""
    rows = "".join(operation_row(*operation) for operation in operations(request.app.openapi()))
    return page("reference.html", language(lang, accepted), {}, raw={"rows": rows})


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def operation_row(method: str, path: str, operation: Mapping[str, Any]) -> str:
    lock = source("lock.svg") if operation.get("security") else ""
    answers = " ".join(f"<span>{escape(status)}</span>" for status in operation["responses"])
    return (f'<tr><td><b class="method {escape(method)}">{escape(method.upper())}</b></td><td><code>{escape(path)}</code> {lock}</td>'
            f'<td>{escape(operation["summary"])}<p>{escape(operation.get("description", ""))}</p></td>'
            f'<td class="answers">{answers}</td></tr>')


def page(name: str, spoken: str, values: Mapping[str, str], *, raw: Mapping[str, str] | None = None,
         script: str | None = None) -> HTMLResponse:
    """Fill a page. Everything is escaped except `raw`; style and script run only with this answer's nonce."""
    nonce = secrets.token_urlsafe(16)
    words = WORDS[spoken]
    filled = {name: escape(text) for name, text in (words | {"version_word": haechi.__version__} | dict(values)).items()}
    filled |= {"nonce": nonce, "lang": spoken, "other": "en" if spoken == "ko" else "ko", "style": source("style.css"),
               "mark": source("mark.svg"), "script": Template(source(script)).substitute(words=in_script(words)) if script else ""}
    filled |= raw or {}
    return HTMLResponse(Template(source(name)).substitute(filled), headers={"content-security-policy": policy(nonce)})


def policy(nonce: str) -> str:
    return (f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; connect-src 'self'; "
            f"form-action 'none'; base-uri 'none'; frame-ancestors 'none'")


def in_script(words: Mapping[str, str]) -> str:
    """JSON that cannot end the script element it stands in."""
    return json.dumps(words, ensure_ascii=False).replace("<", "\\u003c")


@cache
def source(name: str) -> str:
    return (files("haechi.health") / "site" / name).read_text(encoding="utf-8")
