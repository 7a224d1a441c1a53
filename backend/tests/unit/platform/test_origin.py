"""Who asks: no header that somebody may invent changes it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import HTTPConnection

from haechi.platform.origin import UNKNOWN, address, client_address, network_of

PEER = "203.0.113.7"


def asked(*headers: tuple[str, str], hops: int = 0, peer: str | None = PEER) -> str:
    app = SimpleNamespace(state=SimpleNamespace(house=SimpleNamespace(settings=SimpleNamespace(trusted_proxy_hops=hops))))
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return client_address(HTTPConnection({"type": "http", "app": app, "headers": raw, "client": peer and (peer, 4000)}))


@pytest.mark.parametrize("header", [
    ("X-Forwarded-For", "198.51.100.1"), ("X-Real-IP", "198.51.100.1"), ("Forwarded", "for=198.51.100.1"), ("X-Client-IP", "198.51.100.1"),
    ("CF-Connecting-IP", "198.51.100.1"), ("True-Client-IP", "198.51.100.1"), ("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-For", ""),
])
def test_without_a_trusted_proxy_only_the_peer_counts(header):
    assert asked(header) == PEER


def test_other_headers_mean_nothing_behind_a_proxy_either():
    assert asked(("X-Real-IP", "198.51.100.1"), ("Forwarded", "for=198.51.100.1"), hops=1) == PEER


@pytest.mark.parametrize(("said", "hops", "found"), [
    ("198.51.100.1", 1, "198.51.100.1"), ("6.6.6.6, 198.51.100.1", 1, "198.51.100.1"), ("6.6.6.6,5.5.5.5,198.51.100.1", 1, "198.51.100.1"),
    ("198.51.100.1, 10.0.0.2", 2, "198.51.100.1"), ("6.6.6.6, 198.51.100.1, 10.0.0.2", 2, "198.51.100.1"),
    ("198.51.100.1", 2, PEER), ("", 1, PEER), ("6.6.6.6,", 1, PEER), ("6.6.6.6, unknown", 1, PEER), ("198.51.100.1,,", 2, PEER),
    ("a, b, 198.51.100.1", 1, "198.51.100.1"),
])
def test_the_entry_of_the_outermost_trusted_proxy_counts(said, hops, found):
    assert asked(("X-Forwarded-For", said), hops=hops) == found


def test_two_headers_are_one_list():
    assert asked(("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "198.51.100.1"), hops=1) == "198.51.100.1"
    assert asked(("X-Forwarded-For", "198.51.100.1"), ("X-Forwarded-For", "10.0.0.2"), hops=2) == "198.51.100.1"


def test_a_socket_without_a_peer_has_a_name_of_its_own():
    assert asked(peer=None) == UNKNOWN
    assert network_of(UNKNOWN) == UNKNOWN


V4, V6 = "198.51.100.1", "2001:db8::1"
SPELLINGS = {
    V4: [V4, " 198.51.100.1", "198.51.100.1\t", "198.51.100.1:443", "198.51.100.1:1", "[198.51.100.1]", "[198.51.100.1]:443",
         "::ffff:198.51.100.1", "::FFFF:198.51.100.1", "[::ffff:198.51.100.1]:80", "::ffff:c633:6401", "0:0:0:0:0:ffff:198.51.100.1",
         "0000:0000:0000:0000:0000:ffff:c633:6401"],
    V6: [V6, "2001:DB8::1", "2001:0db8::0001", "2001:db8:0:0:0:0:0:1", "2001:0db8:0000:0000:0000:0000:0000:0001", "[2001:db8::1]",
         "[2001:db8::1]:8080", " [2001:db8::1]:1 ", "2001:db8::1%eth0", "[2001:db8::1%25eth0]:443", "2001:db8::0.0.0.1"],
    None: ["", " ", "unknown", "_hidden", "localhost", "198.51.100", "198.51.100.256", "198.051.100.001", "0xC6336401", "3325256705",
           "198.51.100.1:", "198.51.100.1:123456", "198.51.100.1/24", "[2001:db8::1", "2001:db8::1]", "[]:80", "[[::1]]", "2001:db8::1::2",
           "::gggg", '"198.51.100.1"', "for=198.51.100.1", "198.51.100.1\n", "198.51.100.1 6.6.6.6", "１９８.51.100.1", "%eth0", "a" * 5000],
}


@pytest.mark.parametrize(("spelled", "meant"), [(spelled, meant) for meant, group in SPELLINGS.items() for spelled in group])
def test_one_address_has_one_spelling_and_garbage_none(spelled, meant):
    found = address(spelled)
    assert (None if found is None else str(found)) == meant


@given(st.text())
def test_no_text_breaks_it(text):
    found = address(text)
    assert found is None or address(str(found)) == found
    assert network_of(network_of(text)) == network_of(text)


def test_a_network_is_what_one_customer_has():
    assert {network_of(f"2001:db8:1:2:{n:x}::{n:x}") for n in range(1, 500)} == {"2001:db8:1:2::/64"}
    assert network_of("2001:db8:1:3::1") == "2001:db8:1:3::/64"
    assert network_of("::ffff:198.51.100.1") == network_of(V4) == V4
