"""Asking a provider: JSON within ten seconds and 256 kB, from the address we asked and no other. Nothing of it is believed yet."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import httpx
import structlog

from haechi.errors import HaechiError, NotPermitted

SECONDS_MAX = 10.0
BYTES_MAX = 256 * 1024

log = structlog.get_logger(__name__)


class ProviderFailed(HaechiError):
    """The provider does not answer, or not as agreed."""

    status = 503
    code = "provider_failed"


class Wire:
    """`seconds_max`: for a whole answer, however slowly it drips."""

    def __init__(self, seconds_max: float = SECONDS_MAX) -> None:
        self.seconds_max = seconds_max

    @cached_property
    def client(self) -> httpx.AsyncClient:
        """Made when first needed: most houses have no provider. No proxy and no .netrc of the environment gets to see a secret."""
        return httpx.AsyncClient(timeout=self.seconds_max, follow_redirects=False, trust_env=False,
                                 headers={"accept": "application/json", "accept-encoding": "identity"})

    async def ask(self, method: str, url: str, *, form: Mapping[str, str] | None = None, bearer: str | None = None) -> dict[str, Any]:
        """The JSON object it answers. Raises ProviderFailed; NotPermitted when it refuses what we brought (4xx)."""
        try:
            async with asyncio.timeout(self.seconds_max):
                request = self.client.build_request(method, url, data=form)
                if bearer is not None:
                    request.headers["authorization"] = f"Bearer {bearer}"
                status, body = await self._answer(request)
        except (httpx.HTTPError, TimeoutError, UnicodeError) as error:
            raise failed(url, type(error).__name__) from None
        if 400 <= status < 500:
            log.warning("provider_refused", url=url, status=status)
            raise NotPermitted("The provider refused this sign-in; begin again.", code="provider_refused")
        if status != 200:
            raise failed(url, f"status {status}")
        return read(url, body)

    async def _answer(self, request: httpx.Request) -> tuple[int, bytes]:
        """Status and body, as it came: nothing is decompressed, a small body could grow without end."""
        answer = await self.client.send(request, stream=True)
        try:
            body = bytearray()
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > BYTES_MAX:
                    raise failed(str(request.url), "too large")
            return answer.status_code, bytes(body)
        finally:
            await answer.aclose()

    async def close(self) -> None:
        if "client" in self.__dict__:
            await self.client.aclose()


def read(url: str, body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise failed(url, "no JSON") from None
    if not isinstance(found, dict):
        raise failed(url, "no object")
    return found


def failed(url: str, why: str) -> ProviderFailed:
    log.warning("provider_failed", url=url, why=why)
    return ProviderFailed("The provider does not answer as it should; try again in a minute, or sign in with your password.")
