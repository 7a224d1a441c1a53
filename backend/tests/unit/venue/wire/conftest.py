"""The REST face over HTTP, with two members and no limits."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient, TestServer
from trading_floor import trading
from wire_caller import ANN, BOB, READER, Caller

from haechi.venue.wire.server import make_app


@pytest.fixture
async def rest() -> AsyncIterator[Caller]:
    """Signed calls of ann; markets stand at 60000 and 3000, leverage 10, cross margin, one-way."""
    played = await trading()
    for key in (ANN, READER, BOB):
        played.floor.open_member(key.member, key=key)
    async with TestClient(TestServer(make_app(played.floor, limits=False))) as http:
        yield Caller(http, played)
