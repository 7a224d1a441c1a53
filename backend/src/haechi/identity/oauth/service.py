"""The part of the house that signs people in elsewhere: out to a provider, back with a code, and from a one-time code to tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import IntegrityError

from haechi.errors import BadInput, Conflict, HaechiError, NotFound, NotPermitted
from haechi.identity.models import EMAIL_CHARS_MAX
from haechi.identity.oauth import flow as flows
from haechi.identity.oauth import words
from haechi.identity.oauth.codes import Codes
from haechi.identity.oauth.flow import Flow, Linker
from haechi.identity.oauth.id_tokens import IdTokens, refused
from haechi.identity.oauth.people import Links, Vouched
from haechi.identity.oauth.providers import Provider, configured
from haechi.identity.oauth.wire import Wire
from haechi.identity.origins import Origin
from haechi.identity.schemas import an_address
from haechi.identity.service import Identity
from haechi.identity.sessions import SignedIn
from haechi.identity.signing_in import Challenged
from haechi.platform.house import House

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Begun:
    """Where the browser goes, and the cookie it takes along."""

    address: str
    cookie: str


@dataclass(frozen=True)
class Answer:
    """What came back with the browser; all of it from outside. iss: RFC 9207."""

    state: str
    code: str = ""
    error: str = ""
    iss: str = ""


class OAuth:
    """`providers`: those that are configured, by name."""

    def __init__(self, house: House, providers: Mapping[str, Provider], wire: Wire) -> None:
        self.house, self.providers, self.wire = house, providers, wire
        self.identity = house.part(Identity)
        self.public_url = house.settings.public_url.rstrip("/")
        self.tokens = IdTokens(wire, house.clock)
        self.codes = Codes(house.database, house.clock)
        self.links = Links(house.clock, self.identity.accounts, open_to_all=house.settings.registration == "open")

    def provider(self, name: str) -> Provider:
        """Raises NotFound for one that is not configured."""
        if name not in self.providers:
            raise NotFound(f"Signing in through {name} is not set up on this server.", code="provider_not_configured")
        return self.providers[name]

    def redirect_uri(self, provider: Provider) -> str:
        """One for each provider, and from the settings: what a request calls its host means nothing."""
        return f"{self.public_url}/auth/oauth/{provider.name}/callback"

    async def begin(self, name: str, linker: Linker | None = None) -> Begun:
        """Raises NotFound."""
        provider = self.provider(name)
        flow = flows.begin(provider, self.house.clock.now_ms(), linker)
        return Begun(await flows.address(provider, flow, self.redirect_uri(provider)), flows.sealed(flow, self.house.vault))

    async def landing(self, name: str, answer: Answer, cookie: str, origin: Origin, *, in_browser: bool) -> str:
        """Where the browser goes in the end. A refusal is an address too, for people; else it is raised."""
        try:
            told = await self.come_back(name, answer, cookie, origin)
        except HaechiError as refusal:
            if not in_browser:
                raise
            told = f"oauth_error={refusal.code}"
        return f"{self.public_url}/#{told}"  # behind the #: never sent to a server, never in its log

    async def come_back(self, name: str, answer: Answer, cookie: str, origin: Origin) -> str:
        """`oauth=<one-time code>`, or `oauth_linked=<provider>`. Raises HaechiErrors of many kinds."""
        provider = self.provider(name)
        flow = flows.returned(cookie, self.house.vault, provider, answer.state, self.house.clock.now_ms())
        await self.codes.spend(flow, cookie)
        if answer.error:
            raise NotPermitted(f"{provider.title} was not allowed to sign you in; begin again if you want to.", code="provider_denied")
        if not answer.code or answer.iss not in ("", *provider.issuers):
            raise BadInput(f"This is no answer of {provider.title}; begin again.", code="provider_answer")
        vouched = await self.vouched(provider, flow, answer.code)
        try:
            return await self._settled(flow, vouched, origin)
        except IntegrityError:  # two first sign-ins of one person at once: the other one has the row
            raise Conflict("Somebody signed in with this account at the same moment; begin again.", code="oauth_race") from None

    async def vouched(self, provider: Provider, flow: Flow, code: str) -> Vouched:
        """Whom the provider says it is. Raises NotPermitted, ProviderFailed."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri(provider),
                "code_verifier": flow.verifier, "client_id": provider.client_id, "client_secret": provider.client_secret}
        given = await self.wire.ask("POST", provider.token_url, form=form)
        claims = await self.tokens.verified(provider, given.get("id_token"), flow.nonce)
        told = claims if provider.profile_url is None else await self._profile(provider, claims["sub"], given.get("access_token"))
        return Vouched(provider, claims["sub"], usable_address(provider.email_of(told)))

    async def _profile(self, provider: Provider, subject: str, token: object) -> dict[str, object]:
        """Of the same person, or it is none."""
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise refused(provider, "access token")
        profile = await self.wire.ask("GET", str(provider.profile_url), bearer=token)
        if str(profile.get("id")) != subject:
            raise refused(provider, "profile of somebody else")
        return profile

    async def _settled(self, flow: Flow, vouched: Vouched, origin: Origin) -> str:
        async with self.house.database.writing() as session:
            if flow.linker is None:
                user = await self.links.person(session, vouched, origin)
                return f"oauth={await self.codes.make(session, flow, user.id)}"
            linked = await self.links.attach(session, vouched, flow.linker, origin)
        if linked is not None:
            self.identity.letterbox.put(words.linked(linked.email, vouched.provider.title))
        return f"oauth_linked={vouched.provider.name}"

    async def finish(self, code: str, cookie: str, origin: Origin) -> SignedIn | Challenged:
        """Tokens for the one-time code, or the question for the second factor. Raises NotAllowed."""
        return await self.identity.signing_in.elsewhere(await self.codes.take(code, cookie), origin)

    async def unlink(self, user_id: str, session_id: str, link_id: str, origin: Origin) -> None:
        """All other sessions end: who came in through the link may hold one. Raises NotFound, Conflict."""
        async with self.house.database.writing() as session:
            await self.links.remove(session, user_id, link_id, origin, usable=set(self.providers))
            await self.identity.sessions.end_all(session, user_id, but=session_id)


def usable_address(email: object) -> str | None:
    """What a provider calls an e-mail address, if it can be one."""
    if not isinstance(email, str) or len(email) > EMAIL_CHARS_MAX:
        return None
    try:
        return an_address(email)
    except ValueError:
        return None


@asynccontextmanager
async def open_oauth(house: House) -> AsyncIterator[OAuth]:
    wire = Wire()
    try:
        yield OAuth(house, configured(house.settings), wire)
    finally:
        await wire.close()
