"""The venue's own addresses: how it stands, new members, and steps of the market's clock. For the machine it runs on only."""

from __future__ import annotations

import secrets
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from aiohttp import web

from haechi.core.run import CAPITAL_MAX
from haechi.errors import BadInput
from haechi.venue.floor import Floor
from haechi.venue.pace import Steps
from haechi.venue.records import ApiKey
from haechi.venue.refusal import Refusal
from haechi.venue.wire.server import Control

LOOPBACK = ("127.0.0.1", "::1")
STEP_MAX_MS = 7 * 86_400_000
NAME_MAX = 40
PERMISSIONS = ("read", "trade", "transfer")


def make_key(floor: Floor, name: str, deposit: Decimal) -> ApiKey:
    """The first key of a member, made with it when there is none."""
    for key in floor.keys.values():
        if key.member == name and not key.revoked:
            return key
    key = ApiKey(f"haechi_{secrets.token_hex(12)}", secrets.token_hex(24), secrets.token_hex(8), name, PERMISSIONS)
    floor.open_member(name, deposit=deposit, key=key)
    return key


def controls(floor: Floor, label: str, steps: Steps | None) -> dict[tuple[str, str], Control]:
    """By method and path."""

    async def state(_request: web.Request, _body: bytes) -> Any:
        return {"market": label, "time": floor.now_ms, "members": len(floor.members), "stepped": steps is not None,
                "symbols": [one.symbol for one in floor.instruments]}

    async def members(request: web.Request, body: bytes) -> Any:
        local(request)
        name, deposit = member_of(read(body))
        key = make_key(floor, name, deposit)
        return {"name": name, "apiKey": key.key, "secret": key.secret, "passphrase": key.passphrase}

    async def step(request: web.Request, body: bytes) -> Any:
        local(request)
        if steps is None:
            raise BadInput("this venue runs by itself: start it with --speed step to step it")
        ms = read(body).get("ms")
        if not isinstance(ms, int) or isinstance(ms, bool) or not 0 < ms <= STEP_MAX_MS:
            raise BadInput(f"ms must be a whole number from 1 to {STEP_MAX_MS}")
        return {"time": await steps.step(ms), "over": steps.over}

    return {("GET", "/_venue/state"): state, ("POST", "/_venue/members"): members, ("POST", "/_venue/step"): step}


def local(request: web.Request) -> None:
    if request.remote not in LOOPBACK:
        raise Refusal("40018")


def read(body: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        raise BadInput("the body is not JSON") from None
    if not isinstance(said, dict):
        raise BadInput("the body must be a JSON object")
    return said


def member_of(said: dict[str, Any]) -> tuple[str, Decimal]:
    name, deposit = said.get("name"), said.get("deposit", "10000")
    if not isinstance(name, str) or not 0 < len(name) <= NAME_MAX or not name.replace("-", "").replace("_", "").isalnum():
        raise BadInput(f"name must have 1 to {NAME_MAX} letters, digits, - or _")
    try:
        money = Decimal(str(deposit))
    except InvalidOperation:
        raise BadInput("deposit must be a number") from None
    if not money.is_finite() or not 0 < money <= CAPITAL_MAX or money != money.quantize(Decimal("1e-8")):
        raise BadInput(f"deposit must be more than 0 and at most {CAPITAL_MAX}, with at most eight decimals")
    return name, money


