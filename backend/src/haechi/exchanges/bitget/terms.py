"""How the account is set: one-way positions, margin mode and leverage of each symbol. Verified before a symbol's first order."""

from __future__ import annotations

import structlog

from haechi.exchanges.bitget import parse
from haechi.exchanges.bitget.answers import Answer, Silence, outcome
from haechi.exchanges.bitget.codes import Kind
from haechi.exchanges.bitget.endpoints import ACCOUNT, SET_LEVERAGE, SET_MARGIN_MODE, SET_POSITION_MODE, Endpoint
from haechi.exchanges.bitget.evidence import readable
from haechi.exchanges.bitget.parse import Terms
from haechi.exchanges.bitget.requests import COIN, PRODUCT
from haechi.exchanges.bitget.rest import Params, Rest
from haechi.exchanges.errors import Refused, Unreachable
from haechi.exchanges.port import Accepted, Outcome, Rejected, Unknown

log = structlog.get_logger(__name__)


class AccountTerms:
    """`known`: as last read, forgotten after a refusal that says the mode is another one."""

    def __init__(self, rest: Rest) -> None:
        self.rest = rest
        self.known: dict[str, Terms] = {}
        self.wanted_cross: dict[str, bool] = {}

    async def read(self, symbol: str) -> Terms:
        data = await self.rest.read(ACCOUNT, {"symbol": symbol, "productType": PRODUCT, "marginCoin": COIN}, urgent=True)
        self.known[symbol] = readable(ACCOUNT, parse.terms, data)
        return self.known[symbol]

    def forget(self, symbol: str) -> None:
        self.known.pop(symbol, None)

    async def ready(self, symbol: str) -> Terms | Outcome:
        """The symbol's terms when orders may be sent; an outcome when not. Nothing of the order was sent then."""
        try:
            terms = self.known.get(symbol) or await self.read(symbol)
            if terms.hedge:
                refused = await self._one_way()
                if refused is not None:
                    return refused
                terms = await self.read(symbol)
        except (Unreachable, Refused) as error:
            return unasked(error)
        wanted = self.wanted_cross.get(symbol)
        if terms.hedge or (wanted is not None and wanted != terms.cross):
            self.forget(symbol)
            return Rejected("mode")
        return terms

    async def _one_way(self) -> Outcome | None:
        """Hedge mode is left where nothing is held; None when it was."""
        made = await self.one_way()
        if isinstance(made, Rejected):
            log.error("bitget_hedge_mode", code=made.code)
            return made if made.reason not in ("position_open", "parameter") else Rejected("mode", made.code)
        return None

    async def set_leverage(self, symbol: str, leverage: int, *, cross: bool) -> Outcome:
        """Margin mode and leverage. Both may be set again and again, so an answer that was lost is settled by reading."""
        try:
            terms = await self.read(symbol)
            if terms.hedge:
                refused = await self._one_way()
                if refused is not None:
                    return refused
            if terms.cross != cross:
                made = await self.margin_mode(symbol, cross=cross)
                if isinstance(made, Rejected):
                    return made
                terms = await self.read(symbol)
            refused = await self._leverage(symbol, leverage, terms)
            terms = await self.read(symbol)
        except Unreachable as error:
            return Unknown(error.message)
        except Refused as error:
            return unasked(error)
        if terms.cross == cross and terms.leverage == leverage and not terms.hedge:
            self.wanted_cross[symbol] = cross
            return Accepted(symbol)
        return refused if isinstance(refused, Rejected) else Unknown(f"the account shows {terms}")

    async def one_way(self) -> Outcome:
        """One position a symbol, instead of a long and a short one. Refused while something is held or rests."""
        return await self._set(SET_POSITION_MODE, {"productType": PRODUCT, "posMode": "one_way_mode"})

    async def margin_mode(self, symbol: str, *, cross: bool) -> Outcome:
        return await self._set(SET_MARGIN_MODE, {"symbol": symbol, "productType": PRODUCT, "marginCoin": COIN,
                                                 "marginMode": "crossed" if cross else "isolated"})

    async def _leverage(self, symbol: str, leverage: int, terms: Terms) -> Outcome | None:
        if terms.leverage == leverage and terms.leverage_short == leverage:
            return None
        return await self._set(SET_LEVERAGE, {"symbol": symbol, "productType": PRODUCT, "marginCoin": COIN, "leverage": str(leverage)})

    async def _set(self, endpoint: Endpoint, params: Params) -> Outcome:
        """Asked again while nothing is heard; already as asked is as good as done."""
        reply = await self.rest.ask(endpoint, params, urgent=True)
        for _ in range(2):
            if not isinstance(reply, Silence):
                break
            reply = await self.rest.ask(endpoint, params, urgent=True)
        if isinstance(reply, Answer) and reply.meaning.kind is Kind.UNCHANGED:
            return Accepted("")
        return outcome(reply)


def unasked(error: Unreachable | Refused) -> Rejected:
    """What had to be known before could not be read, so nothing was sent."""
    details = error.details or {}
    word = str(details.get("word", "unreachable"))
    return Rejected("unreachable" if word in ("unknown", "busy") else word, str(details.get("exchange_code", "")))
