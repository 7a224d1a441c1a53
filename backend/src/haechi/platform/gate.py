"""The general limit of every address, before anything of a request is looked at.

Inside of CORS, so that a browser on another origin may read the refusal, and its preflights do not count.
"""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from haechi.errors import HaechiError
from haechi.platform.answers import refusal
from haechi.platform.house import House
from haechi.platform.limits import Limiter, Rule
from haechi.platform.origin import client_address, network_of
from haechi.platform.paths import never_limited

WINDOW_S = 60


class Gate:
    """Lets `RATE_LIMIT_PER_MINUTE` requests of a network through, and every way out."""

    def __init__(self, app: ASGIApp, *, house: House) -> None:
        self.app = app
        self.house = house
        self.rule = Rule("general", house.settings.rate_limit_per_minute, WINDOW_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not never_limited(scope["path"]):
            connection = HTTPConnection(scope)
            connection.state.network = network_of(client_address(connection))
            try:
                self.house.part(Limiter).turn_away(scope["path"])
                await self.house.part(Limiter).check(connection, self.rule, connection.state.network)
            except HaechiError as error:
                await refusal(error)(scope, receive, send)
                return
        await self.app(scope, receive, send)
