"""What came back of a request: an answer (evidence), silence (none), or nothing because it never left."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec

from haechi.exchanges.bitget.codes import SUCCESS, Kind, Meaning, meaning
from haechi.exchanges.port import Accepted, Outcome, Rejected, Unknown

WORDS_MAX = 200  # of the exchange's own sentence in a reason
GATE = {403: "403", 418: "429", 429: "429"}  # refused at the door, before anything is executed, whatever the page says


class Answer(msgspec.Struct, frozen=True):
    """Bitget's envelope. `data` holds text, whole numbers and Decimals, never a float."""

    code: str
    message: str
    data: Any
    status: int
    time_ms: int = 0

    @property
    def ok(self) -> bool:
        return self.code == SUCCESS and self.status < 500

    @property
    def meaning(self) -> Meaning:
        return Meaning(Kind.UNKNOWN, "unknown") if self.status >= 500 else meaning(self.code)


class Silence(msgspec.Struct, frozen=True):
    """The request went out, or may have; what became of it is not known."""

    why: str


class Unsent(msgspec.Struct, frozen=True):
    """Nothing left this machine: certainly not executed. word: rate | unreachable | not_sent."""

    word: str
    why: str


Reply = Answer | Silence | Unsent


class Unreadable(ValueError):
    """Text that is not what the exchange documents."""


def decoded(text: str | bytes) -> Any:
    """JSON with every number exact. Raises Unreadable."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not JSON: {type(error).__name__}") from None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def envelope(status: int, body: bytes) -> Reply:
    """Truncated, foreign or html bodies are silence, but for those of the gate, which execute nothing."""
    try:
        content = decoded(body)
    except Unreadable as error:
        return _page(status, str(error))
    code = content.get("code") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(code, str | int):
        return _page(status, "no envelope")
    time_ms = content.get("requestTime")
    message = content.get("msg", content.get("message"))
    return Answer(str(code), str(message or "")[:WORDS_MAX], content.get("data"), status, time_ms if isinstance(time_ms, int) else 0)


def _page(status: int, why: str) -> Reply:
    if status in GATE:
        return Answer(GATE[status], f"HTTP {status}", None, status)
    return Silence(f"HTTP {status}, {why}")


def outcome(reply: Reply, exchange_id: str = "") -> Outcome:
    """Of an order or a setting. Unknown is only ever resolved by later evidence."""
    match reply:
        case Unsent():
            return Rejected(reply.word)
        case Silence():
            return Unknown(reply.why)
        case Answer() if reply.ok:
            return Accepted(exchange_id)
    kind, word = reply.meaning
    if kind is Kind.UNKNOWN:
        return Unknown(f"HTTP {reply.status}, code {reply.code}: {reply.message}")
    return Rejected(word, reply.code)
