"""How errors are told over HTTP: always `{"error": {"code", "message", "details"?}, "request_id"}`, never with internals."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from haechi.core.units import UnitError
from haechi.errors import BadInput, HaechiError
from haechi.platform.db import DatabaseUnavailable, unreachable

PROBLEMS_SHOWN = 10
NOT_IN_REPERTOIRE = "22021"  # PostgreSQL's word for it, appendix A of its manual
RETRY_AFTER_S = 5

log = structlog.get_logger(__name__)


class ErrorBody(BaseModel):
    code: str
    message: str
    details: dict[str, Any] | None = None


class ErrorAnswer(BaseModel):
    """The one shape of every error."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "error": {"code": "not_found", "message": "No such back-test."}, "request_id": "3f6f0a0c5d1b4a56b6f3c1e0d9a7e812"}]})

    error: ErrorBody
    request_id: str


MEANINGS = {
    401: "No valid sign-in: the access token is missing, wrong, expired or its session has ended.",
    403: "Signed in, but this is not for this person, or wants a fresh proof (code `fresh_2fa_needed`, `two_factor_needed`).",
    404: "Missing, or another user's: the two look alike.",
    409: "Right in itself, but not in the state things are in.",
    413: "The body is larger than the server takes.",
    422: "The input cannot be used; the message says what and why.",
    429: "Too much at once; try again later.",
    500: "A fault of ours; the request id finds it in the log.",
    503: "Not ready, too busy or too slow; try again.",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, for OpenAPI. 413, 429, 500 and 503 can come from everywhere."""
    return {status: {"model": ErrorAnswer, "description": MEANINGS[status]} for status in sorted({*statuses, 413, 429, 500, 503})}


def page_errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The same for a route that answers with a page: its errors are JSON all the same."""
    schema = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorAnswer"}}}
    return {status: {"content": schema, "description": described["description"]} for status, described in errors(*statuses).items()}


def envelope(status: int, code: str, message: str, *, details: Mapping[str, Any] | None = None,
             headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An error answer; the request id is the one bound to this request."""
    error: dict[str, Any] = {"code": code, "message": message}
    if details is not None:
        error["details"] = dict(details)
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    return JSONResponse({"error": error, "request_id": request_id}, status, headers=dict(headers or {}))


def fault() -> JSONResponse:
    """The answer to what nobody expected: no word about what it was."""
    return envelope(500, "internal", "Something went wrong on our side. The request id finds it in the server's log.")


def install(app: FastAPI) -> None:
    """Teach the application to answer our errors, the framework's and the core's in the one shape."""
    app.add_exception_handler(HaechiError, on_haechi_error)  # type: ignore[arg-type]
    app.add_exception_handler(UnitError, on_unit_error)
    app.add_exception_handler(SQLAlchemyError, on_database_error)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, on_validation_error)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, on_http_exception)  # type: ignore[arg-type]


async def on_haechi_error(_request: Request, error: HaechiError) -> JSONResponse:
    return refusal(error)


def refusal(error: HaechiError) -> JSONResponse:
    """An error of ours as an answer; those that carry `headers` (when to come again) have them sent."""
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else error.headers
    return envelope(error.status, error.code, error.message, details=error.details, headers=headers)


async def on_unit_error(_request: Request, error: Exception) -> JSONResponse:
    return envelope(BadInput.status, BadInput.code, str(error))


async def on_database_error(_request: Request, error: SQLAlchemyError) -> JSONResponse:
    """Gone for now: 503, and the next request tries anew. Text with a NUL, which PostgreSQL does not keep: 422. Anything else the
    database says is a fault of ours."""
    if getattr(getattr(error, "orig", None), "sqlstate", None) == NOT_IN_REPERTOIRE:
        return envelope(422, "validation", "The input cannot be used: text may not contain the character U+0000.")
    if not unreachable(error):
        raise error
    log.error("database unavailable", error=type(error).__name__)
    return envelope(DatabaseUnavailable.status, DatabaseUnavailable.code, "The database does not answer. Try again in a few seconds; look "
                    "first whether a change was kept.", headers={"Retry-After": str(RETRY_AFTER_S)})


async def on_validation_error(_request: Request, error: RequestValidationError) -> JSONResponse:
    found = [problem(e) for e in error.errors()]
    sentence = "; ".join(f"{item['where']}: {item['problem']}" for item in found[:PROBLEMS_SHOWN])
    more = f" (and {len(found) - PROBLEMS_SHOWN} more)" if len(found) > PROBLEMS_SHOWN else ""
    return envelope(422, "validation", f"The input cannot be used: {sentence}{more}.", details={"problems": found[:PROBLEMS_SHOWN]})


def problem(error: Mapping[str, Any]) -> dict[str, str]:
    """Where and what; never the value itself, it may be a password."""
    where = ".".join(place(part) for part in error["loc"]) or "body"
    return {"where": where, "problem": str(error["msg"]).removeprefix("Value error, ")[:300]}


def place(part: str | int) -> str:
    """A part of a path as text; keys come from outside, so they are kept short."""
    return str(part)[:60]


async def on_http_exception(_request: Request, error: HTTPException) -> JSONResponse:
    status = HTTPStatus(error.status_code)
    code = CODES.get(error.status_code, status.name.lower())
    said = error.detail if isinstance(error.detail, str) and error.detail != status.phrase else SENTENCES.get(error.status_code)
    return envelope(error.status_code, code, said or f"{status.phrase}.", headers=error.headers)


CODES = {404: "no_such_path", 413: "body_too_large"}
SENTENCES = {404: "There is nothing at this address.", 405: "This address does not know that method."}
