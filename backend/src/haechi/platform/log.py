"""Logs: one line of fields each, JSON in production, readable in development. Secrets are taken out on the way."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import structlog

HIDDEN = "[hidden]"
SECRET_NAMES = re.compile(r"pass(word|phrase)|secret|token|authorization|cookie|signature|api_?key|encryption_?key|private_?key|otp", re.I)
# Secrets inside a sentence: JSON web tokens, bearer headers, Telegram tokens, Fernet texts, passwords in addresses.
SECRET_SHAPES = re.compile(
    r"eyJ[\w-]+\.[\w-]+\.[\w-]*|(?i:bearer)\s+\S+|\b\d{6,12}:[\w-]{30,}|gAAAAA[\w=-]{20,}|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)|\bsk-[\w-]{16,}")
DEPTH_MAX = 6
# What every line passes first, whichever library wrote it.
SHARED: tuple[Any, ...] = (structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name,
                           structlog.processors.TimeStamper(fmt="iso", utc=True))


def configure(*, level: str, production: bool, stream: TextIO | None = None) -> None:
    """Send structlog and the standard library's loggers through the same processors to `stream` (stderr)."""
    stream = stream or sys.stderr
    if production:
        last: list[Any] = [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer(sort_keys=True)]
    else:
        last = [structlog.processors.format_exc_info, redact, one_line, structlog.dev.ConsoleRenderer(colors=stream.isatty())]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=SHARED, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    quiet_neighbours()
    # First of all: what the level leaves out costs nothing.
    structlog.configure(processors=[structlog.stdlib.filter_by_level, *SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
                        logger_factory=structlog.stdlib.LoggerFactory(), cache_logger_on_first_use=False)


def quiet_neighbours() -> None:
    """Libraries log through the root; those that repeat what we say ourselves speak up only when something is wrong."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for name in ("uvicorn.access", "alembic", "aiosqlite", "asyncio", "sqlalchemy"):
        logging.getLogger(name).setLevel(logging.WARNING)


def redact(_logger: object, _method: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """Hide fields with a secret's name and texts with a secret's shape, in nested values too."""
    return {name: HIDDEN if SECRET_NAMES.search(name) else clean(value, DEPTH_MAX) for name, value in event.items()}


def clean(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return SECRET_SHAPES.sub(HIDDEN, value)
    if depth == 0:
        return HIDDEN
    if isinstance(value, Mapping):
        return {k: HIDDEN if SECRET_NAMES.search(str(k)) else clean(v, depth - 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item, depth - 1) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return SECRET_SHAPES.sub(HIDDEN, str(value))


def one_line(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """A text from outside must not be able to begin a line of its own; only our tracebacks keep their lines."""
    return {name: value.replace("\r", "\\r").replace("\n", "\\n") if isinstance(value, str) and name != "exception" else value
            for name, value in event.items()}
