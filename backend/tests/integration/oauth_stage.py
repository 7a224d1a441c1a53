"""A server, its providers and browsers, for the tests of signing in elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from sqlalchemy import select

from haechi.identity.models import User
from haechi.identity.oauth import providers
from haechi.identity.oauth.flow import Flow, opened
from haechi.identity.oauth.models import OAuthLink
from haechi.identity.oauth.service import OAuth
from haechi.identity.oauth.wire import Wire
from haechi.platform.house import House

from .oauth_provider import FakeProvider

BOTH = ("google", "kakao")
BROWSER = {"accept": "text/html,application/xhtml+xml"}


@dataclass
class Stage:
    """The server, its providers, and browsers."""

    app: Any
    fakes: dict[str, FakeProvider]
    web: httpx.AsyncClient  # the way from a browser to a provider
    stack: AsyncExitStack
    mine: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.mine = self.app.http

    @property
    def oauth(self) -> OAuth:
        return self.app.house.part(OAuth)

    async def browser(self) -> httpx.AsyncClient:
        """Another one, without our cookies."""
        transport = httpx.ASGITransport(self.app.app, raise_app_exceptions=False)
        return await self.stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://haechi.test"))

    async def go(self, name: str, browser: httpx.AsyncClient | None = None, address: str = "") -> str:
        """Out to the provider and its screen; the address it sends the browser back to."""
        if not address:
            begun = await (browser or self.mine).get(f"/auth/oauth/{name}/start")
            assert begun.status_code == 302, begun.text
            address = begun.headers["location"]
        seen = await self.web.get(address)
        assert seen.status_code == 302, seen.text
        return seen.headers["location"]

    async def come_back(self, name: str, browser: httpx.AsyncClient | None = None) -> httpx.Response:
        return await (browser or self.mine).get(path_of(await self.go(name, browser)))

    async def code(self, name: str) -> str:
        landed = await self.come_back(name)
        assert landed.status_code == 302, landed.text
        return fragment(landed)["oauth"]

    async def finish(self, code: str, browser: httpx.AsyncClient | None = None) -> httpx.Response:
        return await (browser or self.mine).post("/auth/oauth/finish", json={"code": code})

    async def sign_in(self, name: str) -> dict[str, str]:
        """Headers of somebody who signed in there."""
        done = await self.finish(await self.code(name))
        assert done.status_code == 200, done.text
        return {"authorization": f"Bearer {done.json()['access_token']}"}

    async def link(self, name: str, headers: dict[str, str]) -> httpx.Response:
        begun = await self.mine.post(f"/auth/oauth/{name}/link", headers=headers)
        assert begun.status_code == 200, begun.text
        return await self.mine.get(path_of(await self.go(name, address=begun.json()["address"])))

    async def rows(self, table: type) -> list[Any]:
        async with self.app.house.database.reading() as session:
            return list((await session.execute(select(table).order_by(table.__table__.primary_key.columns[0]))).scalars())

    async def me(self, headers: dict[str, str]) -> dict[str, Any]:
        return (await self.mine.get("/auth/me", headers=headers)).json()


def path_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}"


def fragment(answer: httpx.Response) -> dict[str, str]:
    parts = urlsplit(answer.headers["location"])
    assert (f"{parts.scheme}://{parts.netloc}{parts.path}", parts.query) == ("http://127.0.0.1:8000/", "")
    return {name: values[0] for name, values in parse_qs(parts.fragment).items()}


def code_of(answer: httpx.Response) -> str:
    """Of a refusal."""
    assert answer.status_code >= 400, answer.headers
    return answer.json()["error"]["code"]


@asynccontextmanager
async def staged(folder: Path, running: Callable[..., Any], *, seconds_max: float = 5.0, names: tuple[str, ...] = BOTH,
                 **settings: Any) -> AsyncIterator[Stage]:
    """`running`: the fixture; seconds_max: how long a provider may take; names: which are set up."""
    async with AsyncExitStack() as stack:
        made: dict[str, Any] = {}
        real = {"google": providers.google("google-id", "google-secret-8c1f"), "kakao": providers.kakao("kakao-id", "kakao-secret-77ab")}
        fakes = {name: await stack.enter_async_context(FakeProvider(real[name], lambda: made["app"].clock).open()) for name in BOTH}

        @asynccontextmanager
        async def open_fakes(house: House) -> AsyncIterator[OAuth]:
            wire = Wire(seconds_max)
            try:
                yield OAuth(house, {name: fakes[name].provider for name in names}, wire)
            finally:
                await wire.close()

        app = made["app"] = await stack.enter_async_context(running(folder, parts=[open_fakes], **settings))
        way = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        yield Stage(app, fakes, way, stack)


async def refused_callback(stage: Stage, address: str, code: str, browser: httpx.AsyncClient | None = None) -> None:
    assert code_of(await (browser or stage.mine).get(path_of(address))) == code


def opened_flow(stage: Stage) -> Flow:
    return opened(stage.mine.cookies.get("haechi_oauth"), stage.app.house.vault)


async def refusals(stage: Stage, name: str, cases: dict[str, Any], prepare: Callable[[Any], None]) -> dict[str, str]:
    """Each case on its own way through; a minute apart, so that no limit is met. The code of each refusal; nobody is let in."""
    people, found = len(await stage.rows(User)), {}
    for case, given in cases.items():
        stage.app.clock.advance(timedelta(minutes=1))
        prepare(given)
        answer = await stage.come_back(name)
        found[case] = code_of(answer) if answer.status_code >= 400 else "let in"
    assert await stage.rows(OAuthLink) == []
    assert len(await stage.rows(User)) == people
    return found


def all_of(cases: dict[str, Any], code: str) -> dict[str, str]:
    return dict.fromkeys(cases, code)
