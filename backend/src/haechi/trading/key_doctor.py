"""The key doctor: what is right and wrong with a key and its account, one small check each, and what can be mended from here.

All questions are asked first; the checks only read the answers. An exchange that does not answer makes `unknown`, never an error.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from haechi.exchanges.bitget import parse
from haechi.exchanges.bitget.answers import Answer, Reply, Silence, Unreadable
from haechi.exchanges.bitget.codes import Kind
from haechi.exchanges.bitget.endpoints import ACCOUNT, ACCOUNTS, CONTRACTS, KEY_INFO, UNIFIED_SETTINGS, Endpoint
from haechi.exchanges.bitget.examine import CLASSIC, OFFSET_MS_MAX
from haechi.exchanges.bitget.requests import COIN, PRODUCT
from haechi.exchanges.bitget.rest import Rest
from haechi.exchanges.bitget.terms import AccountTerms
from haechi.exchanges.bitget.text import exact, maybe
from haechi.exchanges.errors import Unreachable
from haechi.exchanges.port import Outcome

OK, WARN, BAD, UNKNOWN = "ok", "warn", "bad", "unknown"
WORST_FIRST = (BAD, UNKNOWN, WARN, OK)
ONE_WAY, CROSS = "one_way", "cross"
SYMBOL = "BTCUSDT"  # whose settings are shown
OFFSET_MS_FINE = 1_000
TRIES = 2
READS = frozenset({"readonly", "read"})


class Check(msgspec.Struct, frozen=True):
    """state: ok | warn | bad | unknown. say: the sentence in key_words.py, with facts. fix: what `mended` can do about it, '' nothing."""

    name: str
    state: str
    say: str
    facts: dict[str, str] = {}
    fix: str = ""


class Report(msgspec.Struct, frozen=True):
    """What is kept of a check. state: the worst of its checks."""

    state: str
    checks: list[Check]

    def of(self, name: str) -> Check:
        return next(one for one in self.checks if one.name == name)


class Told(msgspec.Struct, frozen=True):
    """The answers to all questions. offset_ms None: nobody told the time."""

    offset_ms: int | None
    unified: Reply
    info: Reply
    wallets: Reply
    contracts: Reply
    terms: Reply


async def examined(rest: Rest) -> Report:
    """Never raises for what the exchange does."""
    try:
        await rest.measure()
    except Unreachable as error:
        silence = Silence(error.message)
        return report(Told(None, silence, silence, silence, silence, silence))
    common = {"productType": PRODUCT}
    return report(Told(rest.clock.offset_ms, await asked(rest, UNIFIED_SETTINGS), await asked(rest, KEY_INFO),
                       await asked(rest, ACCOUNTS, common), await asked(rest, CONTRACTS, common),
                       await asked(rest, ACCOUNT, {**common, "symbol": SYMBOL, "marginCoin": COIN})))


async def asked(rest: Rest, endpoint: Endpoint, params: dict[str, str] | None = None) -> Reply:
    """A second time when the first answer says nothing."""
    reply: Reply = Silence("not asked")
    for _ in range(TRIES):
        reply = await rest.ask(endpoint, params)
        if isinstance(reply, Answer) and reply.meaning.kind not in (Kind.UNKNOWN, Kind.RETRY) or reply_ok(reply):
            break
    return reply


def reply_ok(reply: Reply) -> bool:
    return isinstance(reply, Answer) and reply.ok


def report(told: Told) -> Report:
    checks = [check(told) for check in CHECKS]
    states = {one.state for one in checks}
    return Report(next(state for state in WORST_FIRST if state in states), checks)


# ---- the checks

def silent(name: str) -> Check:
    return Check(name, UNKNOWN, "silent")


def reachable(told: Told) -> Check:
    return silent("reachable") if told.offset_ms is None else Check("reachable", OK, "reachable")


def key_valid(told: Told) -> Check:
    replies = (told.info, told.wallets)
    if any(reply_ok(one) for one in replies):
        return Check("key", OK, "key_valid")
    refused = next((one for one in replies if isinstance(one, Answer) and one.meaning.kind is Kind.KEY), None)
    if refused is None or refused.meaning.word == "account_mode":
        return silent("key")
    return Check("key", BAD, "key_demo" if refused.meaning.word == "demo" else "key_refused", {"code": refused.code})


def permissions(told: Told) -> list[str]:
    listed = field_of(told.info, "authorities")
    return [str(one).lower() for one in listed] if isinstance(listed, list) else []


def field_of(reply: Reply, name: str) -> Any:
    return reply.data.get(name) if isinstance(reply, Answer) and reply.ok and isinstance(reply.data, dict) else None


def withdraw(told: Told) -> Check:
    may = permissions(told)
    if any("withdraw" in one for one in may):
        return Check("withdraw", BAD, "withdraw")
    return Check("withdraw", OK, "no_withdraw") if may else Check("withdraw", UNKNOWN, "permissions_unseen")


def trade(told: Told) -> Check:
    may = permissions(told)
    if not may:
        return Check("trade", UNKNOWN, "permissions_unseen")
    if any("trade" in one for one in may):
        return Check("trade", OK, "may_trade")
    if set(may) <= READS:
        return Check("trade", BAD, "read_only")
    return Check("trade", WARN, "trade_unclear", {"permissions": ", ".join(may)[:100]})


def address(told: Told) -> Check:
    bound = field_of(told.info, "ips")
    if not isinstance(bound, str):
        return silent("address")
    return Check("address", OK, "bound", {"addresses": bound[:200]}) if bound else Check("address", WARN, "not_bound")


def account_mode(told: Told) -> Check:
    reply = told.unified
    wallets = told.wallets.meaning.word if isinstance(told.wallets, Answer) and not told.wallets.ok else ""
    if reply_ok(reply) or wallets == "account_mode":
        return Check("account_mode", BAD, "unified")
    if isinstance(reply, Answer) and (reply.code == CLASSIC or reply.meaning.kind in (Kind.GIVE_UP, Kind.NOT_FOUND)):
        return Check("account_mode", OK, "classic")
    return silent("account_mode")


def terms_of(told: Told) -> parse.Terms | None:
    try:
        return parse.terms(told.terms.data) if isinstance(told.terms, Answer) and told.terms.ok else None
    except Unreadable:
        return None


def position_mode(told: Told) -> Check:
    terms = terms_of(told)
    if terms is None:
        return silent("position_mode")
    return Check("position_mode", BAD, "hedge", fix=ONE_WAY) if terms.hedge else Check("position_mode", OK, "one_way")


def margin_mode(told: Told) -> Check:
    terms = terms_of(told)
    if terms is None:
        return silent("margin_mode")
    if terms.cross:
        return Check("margin_mode", OK, "cross", {"symbol": SYMBOL, "leverage": str(terms.leverage)})
    return Check("margin_mode", WARN, "isolated", {"symbol": SYMBOL}, CROSS)


def clock(told: Told) -> Check:
    if told.offset_ms is None:
        return silent("clock")
    off = abs(told.offset_ms)
    if off <= OFFSET_MS_FINE:
        return Check("clock", OK, "clock", {"ms": str(off)})
    return Check("clock", BAD if off > OFFSET_MS_MAX else WARN, "clock_off", {"ms": str(off)})


def equity(told: Told) -> Check:
    """Against the smallest value an order of any contract may have."""
    try:
        worth, least = worth_of(told.wallets), least_of(told.contracts)
    except (Unreadable, ValueError):
        return silent("equity")
    facts = {"equity": format(worth, "f"), "least": format(least, "f")}
    return Check("equity", OK, "enough", facts) if worth >= least else Check("equity", WARN, "too_little", facts)


def worth_of(reply: Reply) -> Decimal:
    if not isinstance(reply, Answer) or not reply.ok:
        raise Unreadable("no answer")
    mine = [one for one in parse.lists(reply.data, "list") if maybe(one, "marginCoin").upper() == COIN]
    return parse.balance(mine[0]).equity if mine else Decimal(0)


def least_of(reply: Reply) -> Decimal:
    if not isinstance(reply, Answer) or not reply.ok:
        raise Unreadable("no answer")
    return min(exact(one["minTradeUSDT"]) for one in parse.lists(reply.data, "list") if maybe(one, "minTradeUSDT"))


CHECKS = (reachable, key_valid, withdraw, trade, address, account_mode, position_mode, margin_mode, clock, equity)


# ---- mending

async def mended(rest: Rest, fix: str) -> Outcome:
    """one_way: positions of the account; cross: margin of the symbol that is shown. The exchange refuses while something is held."""
    terms = AccountTerms(rest)
    return await (terms.one_way() if fix == ONE_WAY else terms.margin_mode(SYMBOL, cross=True))
