"""Before anything is sent: is this the kind of account and key the adapter may trade with? Says no in one sentence."""

from __future__ import annotations

import msgspec
import structlog

from haechi.exchanges.bitget.answers import Answer
from haechi.exchanges.bitget.codes import Kind
from haechi.exchanges.bitget.endpoints import ACCOUNTS, KEY_INFO, UNIFIED_SETTINGS
from haechi.exchanges.bitget.requests import PRODUCT
from haechi.exchanges.bitget.rest import Rest, failed
from haechi.exchanges.errors import Refused

CLASSIC = "25245"  # "The account is not the unified account mode"
OFFSET_MS_MAX = 3_600_000  # a clock an hour off is a fault of the machine

log = structlog.get_logger(__name__)


class Examined(msgspec.Struct, frozen=True):
    """permissions: as far as the key shows them, () where it may not look at itself."""

    offset_ms: int
    uncertainty_ms: int
    permissions: tuple[str, ...]


async def examine(rest: Rest) -> Examined:
    """Raises Refused with what is wrong and what to do, Unreachable when nothing can be said."""
    await rest.measure()
    offset = rest.clock.offset_ms or 0
    if abs(offset) > OFFSET_MS_MAX:
        raise Refused(f"This machine's clock is {abs(offset) // 1000} s off Bitget's; set it right, then start again.")
    await _classic(rest)
    permissions = await _permissions(rest)
    await rest.read(ACCOUNTS, {"productType": PRODUCT})
    log.info("bitget_examined", offset_ms=offset, permissions=permissions)
    return Examined(offset, rest.clock.uncertainty_ms, permissions)


async def _classic(rest: Rest) -> None:
    """The question for a unified account's settings must be refused; anything else is another kind of account, or no answer."""
    reply = await rest.ask(UNIFIED_SETTINGS)
    if isinstance(reply, Answer) and reply.ok:
        raise Refused("This is a unified Bitget account; haechi trades classic ones. Make a sub-account with a classic futures account and "
                      "give its key.", details={"word": "account_mode"})
    if isinstance(reply, Answer) and (reply.code == CLASSIC or reply.meaning.kind in (Kind.GIVE_UP, Kind.NOT_FOUND)):
        return
    if isinstance(reply, Answer) and reply.meaning.kind is Kind.KEY:
        raise Refused(f"Bitget refuses the key: {reply.message or reply.meaning.word} (code {reply.code}). Check key, secret, passphrase "
                      "and the addresses it is bound to.", details={"word": "key", "exchange_code": reply.code, "kind": str(Kind.KEY)})
    raise failed(UNIFIED_SETTINGS, reply)


async def _permissions(rest: Rest) -> tuple[str, ...]:
    reply = await rest.ask(KEY_INFO)
    if not isinstance(reply, Answer) or not reply.ok or not isinstance(reply.data, dict):
        log.warning("bitget_permissions_unseen", why=reply.code if isinstance(reply, Answer) else reply.why)
        return ()
    told = reply.data.get("authorities")
    permissions = tuple(str(one).lower() for one in told) if isinstance(told, list) else ()
    if any("withdraw" in one for one in permissions):
        raise Refused("This key may withdraw money; haechi does not take such keys. Make one that may only read and trade futures.",
                      details={"word": "withdraw"})
    return permissions
