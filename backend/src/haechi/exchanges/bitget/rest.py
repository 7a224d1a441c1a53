"""One request, one answer or none. Signs, keeps the budget, applies the clock offset; decides nothing about orders."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import aiohttp
import structlog
from yarl import URL

from haechi.exchanges.bitget.answers import Answer, Reply, Silence, Unreadable, Unsent, envelope
from haechi.exchanges.bitget.budget import SECOND_MS, Budget
from haechi.exchanges.bitget.clock import PROBES, ServerClock
from haechi.exchanges.bitget.codes import Kind
from haechi.exchanges.bitget.endpoints import TIME, Endpoint
from haechi.exchanges.bitget.sign import ApiKey, headers
from haechi.exchanges.errors import Refused, Unreachable
from haechi.exchanges.port import Still

ADDRESS = "https://api.bitget.com"
ANSWER_SECONDS_MAX = 10
CONNECT_SECONDS_MAX = 5
BODY_BYTES_MAX = 8_000_000  # 1,000 bars are 0.1 MB, all contracts 1 MB
READS_MAX = 3
READ_BACK_OFF_MS = 250
BAN_MS = 300_000  # beyond 6,000 requests a minute Bitget shuts the address out for 5 minutes

Params = Mapping[str, Any]
log = structlog.get_logger(__name__)


class Rest:
    """Bitget over HTTP for one key (or for nobody: public data only)."""

    def __init__(self, session: aiohttp.ClientSession, budget: Budget, clock: ServerClock, *, key: ApiKey | None = None,
                 address: str = ADDRESS, demo: bool = False) -> None:
        self.session, self.budget, self.clock, self.key = session, budget, clock, key
        self.address, self.demo = address.rstrip("/"), demo
        self._measuring = asyncio.Lock()
        self.measured = 0

    # ---- reading: asked again while that makes sense, raises otherwise

    async def read(self, endpoint: Endpoint, params: Params | None = None, *, urgent: bool = False) -> Any:
        """The `data` of the answer. Raises Unreachable (no usable answer) or Refused (a clear no)."""
        reply: Reply = Silence("not asked")
        for attempt in range(READS_MAX):
            if attempt:
                await self.budget.sleep(READ_BACK_OFF_MS * 4 ** (attempt - 1))
            reply = await self.ask(endpoint, params, urgent=urgent)
            if isinstance(reply, Answer):
                if reply.ok:
                    return reply.data
                if reply.meaning.kind not in (Kind.UNKNOWN, Kind.RETRY, Kind.MAINTENANCE):
                    break
        raise failed(endpoint, reply)

    # ---- one request

    async def ask(self, endpoint: Endpoint, params: Params | None = None, *, urgent: bool = False, still: Still | None = None) -> Reply:
        """Once; a second time only when the first was refused for its timestamp, which is evidence that nothing happened. still: asked
        when nothing has to be waited for any more; False: it does not leave."""
        if endpoint.signed and self.clock.offset_ms is None:
            try:
                await self.measure()
            except Unreachable as error:
                return Unsent("unreachable", error.message)
        reply = await self._once(endpoint, params or {}, urgent=urgent, still=still)
        if endpoint.signed and isinstance(reply, Answer) and reply.meaning.kind is Kind.CLOCK:
            log.warning("bitget_clock_refused", code=reply.code, offset_ms=self.clock.offset_ms)
            try:
                await self.measure()
            except Unreachable:
                return reply
            return await self._once(endpoint, params or {}, urgent=urgent, still=still)
        return reply

    async def _once(self, endpoint: Endpoint, params: Params, *, urgent: bool, still: Still | None = None) -> Reply:
        if not await self.budget.take(endpoint, urgent=urgent):
            return Unsent("rate", f"the request budget of {endpoint.path} is used up")
        if still is not None and not still():
            return Unsent("not_sent", "it may no longer leave")
        given = {name: value for name, value in params.items() if value is not None}
        target, body = endpoint.path, ""
        if endpoint.method == "POST":
            body = json.dumps(given, separators=(",", ":"))
        elif given:
            target += "?" + urlencode(given)
        return await self._send(endpoint, target, body)

    async def _send(self, endpoint: Endpoint, target: str, body: str) -> Reply:
        url = URL(self.address + target, encoded=True)
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX, sock_connect=CONNECT_SECONDS_MAX)
        try:
            async with self.session.request(endpoint.method, url, data=body.encode() or None, headers=self._headers(endpoint, target, body),
                                            timeout=timeout, allow_redirects=False) as answer:
                reply = envelope(answer.status, await whole(answer))
                self._heed(endpoint, reply, answer)
                return reply
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Unsent("unreachable", f"{self.address}: {type(error).__name__}")
        except (aiohttp.ClientError, OSError, TimeoutError, Unreadable) as error:
            return Silence(f"{type(error).__name__} {error}".strip()[:200])

    def _headers(self, endpoint: Endpoint, target: str, body: str) -> dict[str, str]:
        made = {"Content-Type": "application/json", "locale": "en-US"}
        if self.demo:
            made["paptrading"] = "1"
        if endpoint.signed:
            if self.key is None:
                raise RuntimeError(f"{endpoint.path} needs an API key, this client has none")
            made |= headers(self.key, self.clock.now_ms(), endpoint.method, target, body)
        return made

    def _heed(self, endpoint: Endpoint, reply: Reply, answer: aiohttp.ClientResponse) -> None:
        """What the answer says about how much may still be asked."""
        limited = answer.status in (403, 418, 429) or (isinstance(reply, Answer) and reply.code == "429")
        if not limited or (answer.status == 403 and isinstance(reply, Answer) and reply.meaning.kind is Kind.KEY):
            return
        told = answer.headers.get("Retry-After", "")
        wait_ms = int(told) * 1000 if told.isdigit() and len(told) < 8 else None
        if answer.status == 429 or answer.status == 200:
            self.budget.too_many(endpoint, wait_ms if wait_ms is not None else SECOND_MS)
        else:
            self.budget.banned(wait_ms if wait_ms is not None else BAN_MS)
        log.warning("bitget_limited", path=endpoint.path, status=answer.status, wait_ms=wait_ms)

    # ---- the clock

    async def measure(self) -> None:
        """Their clock against ours. Raises Unreachable when no probe was answered."""
        before = self.measured
        async with self._measuring:
            if self.measured > before:
                return  # another task has just done it
            self.clock.begin()
            answered = [await self._probe() for _ in range(PROBES)]
            if not any(answered):
                raise Unreachable(f"{self.address} does not tell its time; check the address and the network")
            self.measured += 1
            log.info("bitget_clock", offset_ms=self.clock.offset_ms, uncertainty_ms=self.clock.uncertainty_ms)

    async def _probe(self) -> bool:
        sent = self.clock.clock.now_ms()
        reply = await self._once(TIME, {}, urgent=True)
        if not isinstance(reply, Answer) or not reply.ok or not isinstance(reply.data, dict):
            return False
        told = str(reply.data.get("serverTime", ""))
        if not told.isdigit() or len(told) > 15:
            return False
        self.clock.probed(sent, self.clock.clock.now_ms(), int(told))
        return True


async def whole(answer: aiohttp.ClientResponse) -> bytes:
    """The body, as long as it has a usual size."""
    parts, size = [], 0
    async for part in answer.content.iter_chunked(65_536):
        size += len(part)
        if size > BODY_BYTES_MAX:
            raise Unreadable(f"an answer of more than {BODY_BYTES_MAX} bytes")
        parts.append(part)
    return b"".join(parts)


def failed(endpoint: Endpoint, reply: Reply) -> Exception:
    """What a read raises when it got no data."""
    if isinstance(reply, Answer):
        kind, word = reply.meaning
        sentence = f"Bitget refuses {endpoint.path}: {reply.message or word} (code {reply.code})"
        details = {"exchange_code": reply.code, "word": word, "kind": str(kind)}
        if kind in (Kind.UNKNOWN, Kind.RETRY, Kind.MAINTENANCE, Kind.RATE, Kind.CLOCK):
            return Unreachable(sentence, details=details)
        return Refused(sentence, details=details)
    word = reply.word if isinstance(reply, Unsent) else "unknown"
    return Unreachable(f"Bitget does not answer {endpoint.path}: {reply.why}", details={"word": word})


def of_key(error: Refused) -> bool:
    """Whether it is the key that is refused, and so everything."""
    return (error.details or {}).get("kind") == str(Kind.KEY)
