"""From where somebody comes, for sessions, counters and the audit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from haechi.platform.origin import client_address, network_of

DEVICE_CHARS_MAX = 160


@dataclass(frozen=True)
class Origin:
    """address: of the client, behind the trusted proxies; network: it, or the /64 of IPv6; device: how it calls itself."""

    address: str = ""
    network: str = ""
    device: str = ""


async def origin_of(request: Request) -> Origin:
    address = client_address(request)
    said = "".join(sign for sign in request.headers.get("user-agent", "") if sign.isprintable())
    return Origin(address, network_of(address), said[:DEVICE_CHARS_MAX])


From = Annotated[Origin, Depends(origin_of)]
