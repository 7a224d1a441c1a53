"""The server, put together: which routers it has, what lives beside them, and in which order all opens and closes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import uvicorn
from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware

import haechi
from haechi.admin.log_ring import open_log_ring
from haechi.admin.routers import ROUTERS as ADMIN
from haechi.bots.grid_router import alias as grid
from haechi.bots.grid_router import router as grid_bot
from haechi.bots.instance_router import router as instances
from haechi.bots.order_router import router as order
from haechi.bots.router import router as bot
from haechi.bots.service import open_bots
from haechi.bots.template_router import router as templates
from haechi.health import pages
from haechi.health.metrics import Measured, open_metrics
from haechi.health.metrics import router as metrics
from haechi.health.router import router as health
from haechi.health.status import open_status
from haechi.health.status import router as api_status
from haechi.identity.oauth.router import router as oauth
from haechi.identity.oauth.service import open_oauth
from haechi.identity.router import router as auth
from haechi.identity.service import DEMO_EMAIL, Identity, open_identity
from haechi.identity.two_factor_router import router as two_factor
from haechi.markets.feed import open_market
from haechi.markets.router import router as chart
from haechi.platform import answers, log
from haechi.platform.clock import Clock, SystemClock
from haechi.platform.crypto import Vault
from haechi.platform.db import Database
from haechi.platform.gate import Gate
from haechi.platform.house import House, OpenPart
from haechi.platform.idempotency import open_idempotency
from haechi.platform.limits import open_limits
from haechi.platform.migrate import upgrade
from haechi.platform.web import Door
from haechi.research.jobs import open_jobs
from haechi.research.router import router as backtest
from haechi.research.strategy_router import router as strategy
from haechi.settings import Settings
from haechi.trading.account_router import router as account
from haechi.trading.connections import open_connections
from haechi.trading.desks import open_desks
from haechi.trading.gate import open_gate
from haechi.trading.key_router import router as account_keys
from haechi.trading.kill_switch import open_kills
from haechi.trading.ledger_router import router as account_ledger
from haechi.trading.limits import open_risk
from haechi.trading.risk_router import router as risk
from haechi.trading.standing import open_standing

# Every router, mounted at the root and again under /api/v1. A new domain adds its line here.
ROUTERS: tuple[APIRouter, ...] = (
    auth,  # /auth
    two_factor,  # /auth/2fa
    oauth,  # /auth/oauth
    backtest,  # /backtest
    bot,  # /bot
    instances,  # /bot-instances
    order,  # /order
    account_ledger,  # /account/ledger, /account/equity, /account/pnl: before /account/{id}
    account,  # /account
    account_keys,  # /account/keys
    risk,  # /account/risk-settings
    grid_bot,  # /grid-bot
    grid,  # /grid/market
    templates,  # /templates
    strategy,  # /strategy
    chart,  # /chart
    health,  # /health
    api_status,  # /api-status
    metrics,  # /metrics
    *ADMIN,  # /admin, /auth/users
)

# What lives between requests, opened in this order and closed in the reverse. Later ones may use `house.part(EarlierClass)`.
PARTS: tuple[OpenPart, ...] = (open_log_ring, open_metrics, open_status, open_limits, open_idempotency, open_identity, open_oauth,
                               open_jobs, open_kills, open_risk, open_gate, open_market, open_connections,
                               open_desks, open_bots, open_standing)

API = "/api/v1"
EXPOSED = ["X-Request-ID", "Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Idempotency-Replayed"]
DEVELOPMENT_ORIGINS = ["http://localhost:5173", "http://127.0.0.1:5173"]  # the dashboard's development server

DESCRIPTION = """Automated crypto futures trading where back-test, paper and live agree trade for trade.

Every path exists at the root and again under `/api/v1`. Money is text, times are ISO 8601 UTC. Every error has the shape
`{"error": {"code", "message", "details"?}, "request_id"}`. Sign in with `POST /auth/login`, then send `Authorization: Bearer …`."""


def create_app(settings: Settings, *, clock: Clock | None = None, routers: Sequence[APIRouter] = (), parts: Sequence[OpenPart] = (),
               announce: Callable[[str], None] = print) -> FastAPI:
    """The application. `routers` and `parts` are added to the tables above; `announce` hears the demo user's password, once."""
    clock = clock or SystemClock()
    house = House(settings=settings, clock=clock, database=Database(settings.database), vault=Vault(settings.encryption_keys))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with opened(house, [*PARTS, *parts], announce):
            yield

    app = FastAPI(title="haechi", version=haechi.__version__, description=DESCRIPTION, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.house = house
    for router in [*ROUTERS, *routers]:
        app.include_router(router)
        app.include_router(router, prefix=API, include_in_schema=False)
    app.include_router(pages.router)
    answers.install(app)
    app.add_middleware(Gate, house=house)
    allow_origins(app, settings)
    app.add_middleware(Door, clock=clock, seconds_max=settings.request_seconds_max, production=settings.production)
    app.add_middleware(Measured, house=house)  # added last: outermost
    return app


@asynccontextmanager
async def opened(house: House, parts: Sequence[OpenPart], announce: Callable[[str], None]) -> AsyncIterator[None]:
    """Tables first, then the parts; whatever fails, what was opened is closed again."""
    async with AsyncExitStack() as stack:
        stack.push_async_callback(house.database.close)
        await upgrade(house.database)
        for open_part in parts:
            part = await stack.enter_async_context(open_part(house))
            house.parts[type(part)] = part
        stack.callback(house.parts.clear)
        if not house.settings.production:
            await welcome(house, announce)
        yield


async def welcome(house: House, announce: Callable[[str], None]) -> None:
    """Development only, in a database without people: somebody must be able to sign in."""
    password = await house.part(Identity).make_demo_user()
    if password is not None:
        announce(f"Made a demo user, shown this once:  {DEMO_EMAIL}  {password}")


def allow_origins(app: FastAPI, settings: Settings) -> None:
    """Browsers on other origins: those named; in development also the dashboard's own server. No cookies are used."""
    origins = settings.origins or ([] if settings.production else DEVELOPMENT_ORIGINS)
    if origins:
        app.add_middleware(CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST", "PUT", "DELETE"],
                           allow_headers=["Authorization", "Content-Type", "Idempotency-Key"], expose_headers=EXPOSED)


def serve(settings: Settings, *, routers: Sequence[APIRouter] = (), parts: Sequence[OpenPart] = ()) -> None:
    """Run until stopped; logs go to stderr, the demo user's password to stdout."""
    log.configure(level=settings.log_level, production=settings.production)
    app = create_app(settings, routers=routers, parts=parts)
    uvicorn.run(app, host=settings.host, port=settings.port, log_config=None, access_log=False, server_header=False,
                proxy_headers=False)  # uvicorn would believe X-Forwarded-For of every local peer; platform/origin.py reads it
