"""Figures for Prometheus. Labels come from the route table and from fixed words, never from what somebody sent.

`GET /metrics` wants no token, for Prometheus brings none: it is open to ADMIN_ADDRESSES, and without a list to this machine only.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from haechi.bots.models import FAILED, RUNNING, STARTING, STOPPED, STOPPING, Bot
from haechi.errors import NotPermitted
from haechi.health.checks import UP, database_condition
from haechi.identity.current import may_administer
from haechi.platform.answers import page_errors
from haechi.platform.house import House, TheHouse
from haechi.platform.origin import address, client_address

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
STATES = (STARTING, RUNNING, STOPPING, STOPPED, FAILED)
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# Where one signs in, and what was shown there.
SIGN_INS = {"/auth/login": "password", "/auth/login/2fa": "second_factor", "/auth/oauth/finish": "elsewhere"}
PROXIED = ("forwarded", "x-forwarded-for", "x-real-ip")

router = APIRouter(tags=["health"])


class Metrics:
    """The part of the house that counts. Its registry is its own, so that several houses may live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        named: dict[str, Any] = {"registry": self.registry, "namespace": "haechi"}
        self.requests = Counter("requests", "Answers, by route template.", ("route", "method", "status"), **named)
        self.seconds = Histogram("request_seconds", "From the first byte asked to the last one answered.", ("route", "method"),
                                 buckets=SECONDS, **named)
        self.sign_ins = Counter("sign_ins", "What was shown at signing in; after a right password a second factor may still be wanted.",
                                ("step", "outcome"), **named)
        for step in SIGN_INS.values():
            for outcome in ("ok", "failed"):
                self.sign_ins.labels(step, outcome)
        self.bots = Gauge("bots", "Bots, by what they really do.", ("state",), **named)
        self.database_up = Gauge("database_up", "Whether the database answers.", **named)
        self.database_seconds = Gauge("database_seconds", "What one question to the database takes; NaN while it is down.", **named)

    def answered(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")  # without /api/v1: one operation, one name
        method = scope["method"] if scope["method"] in METHODS else "other"
        self.requests.labels(route, method, str(status)).inc()
        self.seconds.labels(route, method).observe(seconds)
        if route in SIGN_INS and status in (200, 401):
            self.sign_ins.labels(SIGN_INS[route], "ok" if status == 200 else "failed").inc()

    async def text(self, house: House) -> bytes:
        """What Prometheus reads; what must be asked for is asked now."""
        condition = await database_condition(house)
        self.database_up.set(condition["state"] == UP)
        self.database_seconds.set(condition.get("latency_ms", float("nan")) / 1000)
        self.bots.clear()
        for state, number in (await bots_by_state(house) if condition["state"] == UP else {}).items():
            self.bots.labels(state).set(number)
        return generate_latest(self.registry)


async def bots_by_state(house: House) -> dict[str, int]:
    """Every state; nothing at all when the database has gone meanwhile."""
    try:
        async with house.database.reading() as session:
            rows = (await session.execute(select(Bot.observed, func.count()).group_by(Bot.observed))).all()
    except (SQLAlchemyError, OSError):
        return {}
    return dict.fromkeys(STATES, 0) | {state: number for state, number in rows}


class Measured:
    """The outermost layer of HTTP: measures what the caller really gets, refusals and faults too."""

    def __init__(self, app: ASGIApp, *, house: House) -> None:
        self.app, self.house = app, house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, start = 500, self.house.clock.monotonic()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            self.house.part(Metrics).answered(scope, status, self.house.clock.monotonic() - start)


@router.get("/metrics", operation_id="metrics", summary="Figures for Prometheus", response_class=Response,
            responses=page_errors(403) | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Text format."}})
async def metrics(request: Request, house: TheHouse) -> Response:
    """From ADMIN_ADDRESSES, and without such a list from this machine only; no token is wanted."""
    if not may_read(request, house):
        raise NotPermitted("The figures are not for this address; see ADMIN_ADDRESSES.", code="admin_address")
    return Response(await house.part(Metrics).text(house), media_type=CONTENT_TYPE_LATEST)


def may_read(connection: HTTPConnection, house: House) -> bool:
    """Behind a proxy nobody told us of, everybody would seem to come from this machine: then nobody may."""
    whence = client_address(connection)
    if house.settings.admin_networks:
        return may_administer(whence, house.settings)
    found = address(whence)
    hidden = house.settings.trusted_proxy_hops == 0 and any(name in connection.headers for name in PROXIED)
    return isinstance(found, ipaddress.IPv4Address | ipaddress.IPv6Address) and found.is_loopback and not hidden


@asynccontextmanager
async def open_metrics(_house: House) -> AsyncIterator[Metrics]:
    yield Metrics()
