"""The authorization matrix, made from the router: every kind of caller at every operation, on what is theirs, another's, and nobody's."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from authorization_table import ADMIN, ALL, FRESH, FRESH_ADMIN, NOT_IN_OPENAPI, PERSON, PUBLIC
from sqlalchemy import update
from test_app_sign_in import routes
from test_app_strange_input import operations, schema_of

from haechi.bots.models import Bot
from haechi.exchanges.bitget.sign import ApiKey
from haechi.identity.audit import Act
from haechi.identity.models import User, UserSession
from haechi.identity.oauth.models import OAuthLink
from haechi.identity.origins import Origin
from haechi.identity.service import Identity
from haechi.platform.ids import new_id
from haechi.research.models import Backtest
from haechi.trading import keys
from haechi.trading.models import Account, Order

MISSING = "0" * 32
HOME, ABROAD = "127.0.0.1", "203.0.113.9"


@dataclass
class Who:
    user: User
    headers: dict[str, str]
    address: str = HOME


class Matrix:
    """A server, its document, and callers of every kind, each made new."""

    def __init__(self, app: Any) -> None:
        self.app, self.document = app, app.app.openapi()
        self.identity: Identity = app.house.part(Identity)
        self.number = 0
        self.http = {address: httpx.AsyncClient(transport=httpx.ASGITransport(app.app, raise_app_exceptions=False, client=(address, 4711)),
                                                base_url="http://haechi.test") for address in (HOME, ABROAD)}

    async def person(self, *, role: str = "user", with_2fa: bool = False, fresh: bool = True, address: str = HOME) -> Who:
        self.number += 1
        async with self.app.house.database.writing() as session:
            user = await self.identity.accounts.add(session, email=f"p{self.number}@example.com", password_hash=None, role=role)
            if with_2fa:
                self.identity.factor.begin(user)
                user.totp_at = self.app.clock.now()
            signed_in = await self.identity.sessions.begin(session, user, Origin(), with_2fa=with_2fa)
            if not fresh:
                await session.execute(update(UserSession).where(UserSession.user_id == user.id)
                                      .values(fresh_at=self.app.clock.now() - timedelta(minutes=6)))
        return Who(user, {"authorization": f"Bearer {signed_in.access_token}"}, address)

    async def suspended(self) -> Who:
        """Whose token was made before, and whose session was not ended by it."""
        who = await self.person()
        async with self.app.house.database.writing() as session:
            await session.execute(update(User).where(User.id == who.user.id).values(suspended_at=self.app.clock.now()))
        return who

    async def nobody(self) -> Who:
        who = await self.person()
        return Who(who.user, {})

    async def wrong_token(self) -> Who:
        who = await self.person()
        return Who(who.user, {"authorization": f"Bearer {self.identity.tokens.device(who.user.id)}"})

    async def expired(self) -> Who:
        who = await self.person()
        async with self.app.house.database.writing() as session:
            await session.execute(update(UserSession).where(UserSession.user_id == who.user.id).values(expires_at=self.app.clock.now()))
        return who

    async def signed_out(self) -> Who:
        who = await self.person()
        async with self.app.house.database.writing() as session:
            await self.identity.sessions.end_all(session, who.user.id)
        return who

    async def admin(self) -> Who:
        return await self.person(role="admin", with_2fa=True)

    async def ask(self, who: Who, method: str, path: str, operation: dict[str, Any], object_id: str) -> httpx.Response:
        schema = schema_of(self.document, operation)
        example = (schema.get("examples") or [{}])[0] if schema is not None else None
        address = path.replace("{provider}", "google").replace("{id}", object_id)
        return await self.http[who.address].request(method, address, headers=who.headers, json=example, params=wanted(operation), follow_redirects=False)

    async def close(self) -> None:
        for one in self.http.values():
            await one.aclose()


def wanted(operation: dict[str, Any]) -> dict[str, str]:
    """Query parameters an operation cannot do without, as its document gives them an example."""
    return {one["name"]: str(one.get("example") or QUERIES.get(one["name"], "x")) for one in operation.get("parameters", [])
            if one["in"] == "query" and one.get("required")}


QUERIES = {"symbol": "BTCUSDT", "timeframe": "1m"}

# ---- what somebody can own, by the beginning of its path

Make = Callable[[Any, User], Awaitable[str]]


async def a_session(matrix: Matrix, user: User) -> str:
    async with matrix.app.house.database.writing() as session:
        await matrix.identity.sessions.begin(session, user, Origin(), with_2fa=False)
    return (await matrix.identity.sessions.of(user.id))[0].id


async def a_backtest(matrix: Matrix, user: User) -> str:
    return await kept(matrix, Backtest(id=new_id(1), user_id=user.id, status="done", strategy="rsi", symbol="BTCUSDT", timeframe="1m", request={},
                                       metrics=None, error=None, created_at=matrix.app.clock.now(), started_at=None, finished_at=None))


async def a_link(matrix: Matrix, user: User) -> str:
    return await kept(matrix, OAuthLink(id=new_id(1), user_id=user.id, provider="google", issuer="https://issuer", subject=new_id(2),
                                        created_at=matrix.app.clock.now(), email=user.email))


async def a_bot(matrix: Matrix, user: User) -> str:
    now = matrix.app.clock.now()
    account = await kept(matrix, Account(id=new_id(1), user_id=user.id, mode="paper", capital=100, created_at=now))
    return await kept(matrix, Bot(id=new_id(1), user_id=user.id, account_id=account, strategy="rsi", symbol="BTCUSDT", timeframe="1m", spec={}, capital=100,
                                  desired="stopped", observed="stopped", reason="", created_at=now, ended_at=now))


async def an_account(matrix: Matrix, user: User) -> str:
    return await kept(matrix, Account(id=new_id(1), user_id=user.id, mode="paper", capital=100, created_at=matrix.app.clock.now()))


async def a_key(matrix: Matrix, user: User) -> str:
    given = ApiKey("bg_0123456789abcdef", "cAnArY-exchange-secret", "words of mine")
    return await kept(matrix, keys.sealed(matrix.app.house.vault, user.id, given, mode="demo", label="mine", now=matrix.app.clock.now()))


async def an_instance(matrix: Matrix, user: User) -> str:
    now = matrix.app.clock.now()
    account = await kept(matrix, Account(id=new_id(1), user_id=user.id, mode="paper", capital=100, created_at=now))
    return await kept(matrix, Bot(id=new_id(1), user_id=user.id, account_id=account, strategy="rsi", symbol="BTCUSDT", timeframe="1m", capital=0,
                                  spec={"strategy": "rsi", "params": {}, "overrides": {}}, origin="instance", name="a bot", desired="stopped",
                                  observed="stopped", reason="", created_at=now, ended_at=None))


async def a_grid(matrix: Matrix, user: User) -> str:
    """Its account is a paper one without money: what a start says then is 409."""
    from decimal import Decimal

    import msgspec

    from haechi.bots.grid_memory import GridSpec
    from haechi.core.grid_plan import GridPlan
    from haechi.core.plan import Costs
    from haechi.markets.feed import MARKETS

    now, plan = matrix.app.clock.now(), GridPlan(lower=Decimal(50_000), upper=Decimal(70_000), cells=10, quantity=Decimal("0.01"))
    account = await kept(matrix, Account(id=new_id(1), user_id=user.id, mode="paper", capital=100, created_at=now))
    spec = msgspec.to_builtins(GridSpec(plan, MARKETS[0][0], Costs(), 60_000))
    return await kept(matrix, Bot(id=new_id(1), user_id=user.id, account_id=account, strategy="grid", symbol="BTCUSDT", timeframe="1m", capital=0, spec=spec,
                                  kind="grid", origin="instance", name="a grid", desired="stopped", observed="stopped", reason="", created_at=now, ended_at=None))


async def an_order(matrix: Matrix, user: User) -> str:
    """A row of long ago: at the exchange it never arrived, so cancelling it finds that it is over."""
    account, now = await an_account(matrix, user), matrix.app.clock.now_ms()
    return await kept(matrix, Order(id=f"m{account}-000001", user_id=user.id, account_id=account, bot_id="", symbol="BTCUSDT", role="manual", side="buy",
                                    kind="limit", quantity=Decimal("0.01"), price=Decimal(50_000), trigger=None, reduce_only=False, status="open", reason="",
                                    exchange_id="", origin="manual", sent_ms=now - 60_000, created_ms=now, updated_ms=now))


async def the_person(_matrix: Matrix, user: User) -> str:
    return user.id


async def kept(matrix: Matrix, row: Any) -> str:
    from decimal import Decimal

    if hasattr(row, "capital"):
        row.capital = Decimal(row.capital)
    async with matrix.app.house.database.writing() as session:
        session.add(row)
    return str(row.id)


OBJECTS: dict[str, Make] = {"/auth/sessions/": a_session, "/auth/oauth/links/": a_link, "/backtest/": a_backtest, "/admin/users/": the_person,
                            "/admin/bots/": a_bot, "/bot-instances/": an_instance, "/grid-bot/": a_grid, "/account/{id}": an_account, "/account/keys/": a_key, "/order/{id}": an_order}


def maker(path: str) -> Make | None:
    if "{id}" not in path:
        return None
    found = [make for begin, make in OBJECTS.items() if path.startswith(begin)]
    assert len(found) == 1, f"{path}: say in OBJECTS how one is made"
    return found[0]


@pytest.fixture
async def matrix(tmp_path, running):
    settings = {"rate_limit_per_minute": 1_000_000, "admin_addresses": "127.0.0.0/8", "oauth_google_id": "id", "oauth_google_secret": "cAnArY-google-secret"}
    async with running(tmp_path, **settings) as app:
        made = Matrix(app)
        yield made
        await made.close()


# ---- the matrix

def test_every_operation_is_in_the_table_once(matrix):
    there = {operation["operationId"] for _, _, operation in operations(matrix.app)}
    listed = [name for one in ALL for name in one]
    assert sorted(listed) == sorted(set(listed)), "an operation is in two lists"
    assert there == set(listed), f"not in the table: {there - set(listed)}; not there any more: {set(listed) - there}"


def test_what_is_outside_the_document_is_known(matrix):
    documented = {path for _, path, _ in operations(matrix.app)}
    hidden = {path for path, _ in routes(matrix.app.app) if path not in documented and not path.startswith("/api/v1")}
    assert hidden == NOT_IN_OPENAPI


async def test_who_is_not_signed_in_gets_nothing(matrix):
    """Anonymous, suspended, signed out, expired, with a token of another type: 401 everywhere but at the public operations."""
    for name in ("nobody", "suspended", "signed_out", "expired", "wrong_token"):
        who = await getattr(matrix, name)()
        owner = await matrix.person()
        for method, path, operation in operations(matrix.app):
            make = maker(path)
            for object_id in [MISSING] if make is None else [await make(matrix, who.user), await make(matrix, owner.user), MISSING]:
                answer = await matrix.ask(who, method, path, operation, object_id)
                if operation["operationId"] in PUBLIC:
                    assert answer.status_code < 500, (name, path)
                else:
                    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not_authenticated"), (name, method, path, answer.text)


async def test_ones_own_is_ones_own_and_anothers_looks_missing(matrix):
    for method, path, operation in operations(matrix.app):
        if operation["operationId"] not in PERSON | FRESH:
            continue
        make, who, other = maker(path), await matrix.person(), await matrix.person()
        if make is None:
            answer = await matrix.ask(who, method, path, operation, "")
            assert answer.status_code < 500 and answer.status_code not in (401, 403) or operation["operationId"] in ("confirm", "change_password"), (path, answer.text)
            assert other.user.id not in answer.text and other.user.email not in answer.text
            continue
        foreign = await make(matrix, other.user)
        before = await everything(matrix, other.user)
        anothers, missing = [await matrix.ask(who, method, path, operation, one) for one in (foreign, MISSING)]
        assert (anothers.status_code, missing.status_code) == (404, 404), (path, anothers.text, missing.text)
        assert anothers.json()["error"] == missing.json()["error"], path
        assert await everything(matrix, other.user) == before, f"{method} {path} changed what is another's"
        own = await matrix.ask(who, method, path, operation, await make(matrix, who.user))
        assert own.status_code in (200, 204, 409), (path, own.text)


async def everything(matrix: Matrix, user: User) -> str:
    from haechi.identity.export import everything_of

    async with matrix.app.house.database.reading() as session:
        return json.dumps(await everything_of(session, user.id), sort_keys=True, default=str)


async def test_delicate_operations_want_a_fresh_proof(matrix):
    for method, path, operation in operations(matrix.app):
        if operation["operationId"] in FRESH:
            who = await matrix.person(fresh=False)
            answer = await matrix.ask(who, method, path, operation, MISSING)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "fresh_2fa_needed"), (path, answer.text)
            strong = await matrix.person(with_2fa=True, fresh=False)
            assert (await matrix.ask(strong, method, path, operation, MISSING)).status_code == 403


async def test_admin_operations_are_for_admins_with_two_factors_at_home(matrix):
    outsiders = {"admin_only": await matrix.person(with_2fa=True), "two_factor_needed": await matrix.person(role="admin"),
                 "admin_address": await matrix.person(role="admin", with_2fa=True, address=ABROAD)}
    victim = await matrix.person()
    before = await everything(matrix, victim.user)
    for method, path, operation in operations(matrix.app):
        if operation["operationId"] not in ADMIN | FRESH_ADMIN:
            continue
        make = maker(path)
        for object_id in [MISSING] if make is None else [await make(matrix, victim.user), MISSING]:
            for code, who in outsiders.items():
                answer = await matrix.ask(who, method, path, operation, object_id)
                assert (answer.status_code, answer.json()["error"]["code"]) == (403, code), (path, answer.text)
        if operation["operationId"] in FRESH_ADMIN:
            stale = await matrix.person(role="admin", with_2fa=True, fresh=False)
            assert (await matrix.ask(stale, method, path, operation, MISSING)).status_code == 403, path
    after = json.loads(await everything(matrix, victim.user))
    assert after["users"] == json.loads(before)["users"]


async def test_an_admin_may_what_admins_may(matrix):
    for method, path, operation in operations(matrix.app):
        if operation["operationId"] not in ADMIN | FRESH_ADMIN:
            continue
        who, make, subject = await matrix.admin(), maker(path), await matrix.person()
        answer = await matrix.ask(who, method, path, operation, "" if make is None else await make(matrix, subject.user))
        assert answer.status_code in (200, 201, 204, 409, 422), (path, answer.text)
        if make is not None:
            assert (await matrix.ask(who, method, path, operation, MISSING)).status_code == 404, path


async def test_a_demoted_admin_is_none_any_more_at_once(matrix):
    who, _ = await matrix.admin(), await matrix.admin()
    await matrix.identity.accounts.set_role(who.user.id, "user", Act("user.role", subject=who.user.id))
    assert (await matrix.http[HOME].get("/admin/users", headers=who.headers)).status_code == 401
