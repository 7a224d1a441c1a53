"""Where a request comes from: the peer, or what the configured number of trusted proxies in front of us say.

Only X-Forwarded-For is read, and of it only the entry our own outermost proxy wrote: everything left of that one came
with the request and may be invented. The server must not rewrite the peer itself (uvicorn: `proxy_headers=False`).
"""

from __future__ import annotations

import ipaddress
import re

from starlette.requests import HTTPConnection

from haechi.platform.house import house_of

UNKNOWN = "unknown"  # a Unix socket has no peer address
NETWORK_BITS_V6 = 64  # what one customer gets; within it addresses change at will
WITH_PORT = re.compile(r"\[([^\[\]]+)\](?::\d{1,5})?|([^:\[\]]+):\d{1,5}")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def client_address(connection: HTTPConnection) -> str:
    """The canonical address of who asks. With fewer entries than trusted hops, or one that is no address: the peer."""
    peer = connection.client.host if connection.client else UNKNOWN
    hops = house_of(connection).settings.trusted_proxy_hops
    said = forwarded(connection.headers.getlist("x-forwarded-for"), hops) if hops else None
    return str(said or address(peer) or peer)


def forwarded(headers: list[str], hops: int) -> Address | None:
    """The entry `hops` places from the right; several headers are one list. Empty entries count: skipping them would shift it."""
    entries = ",".join(headers).rsplit(",", hops)
    return address(entries[-hops]) if len(entries) >= hops else None


def address(text: str) -> Address | None:
    """Without brackets, port and zone; an IPv4 address inside IPv6 as IPv4. None when it is none."""
    text = text.strip(" \t")
    if bare := WITH_PORT.fullmatch(text):
        text = bare[1] or bare[2]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found


def network_of(text: str) -> str:
    """What limits count by: an IPv4 address itself, an IPv6 address as its /64, anything else as it is."""
    found = address(text)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, NETWORK_BITS_V6), strict=False))
    return str(found or text)
