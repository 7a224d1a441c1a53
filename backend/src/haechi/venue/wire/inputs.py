"""What a request asks, read from its query or body. Case does not matter, numbers may be text or numbers, unknown names are ignored."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from haechi.core.instrument import Instrument
from haechi.venue.floor import Floor
from haechi.venue.member import Member
from haechi.venue.records import ApiKey
from haechi.venue.refusal import Refusal

USDT = "USDT-FUTURES"
PRODUCTS = (USDT, "COIN-FUTURES", "USDC-FUTURES", "SUSDT-FUTURES", "SCOIN-FUTURES", "SUSDC-FUTURES")
CLIENT_OID = re.compile(r"[0-9A-Za-z+_#:.\-]+")
NUMBER = re.compile(r"[+-]?\d{1,20}(\.\d{0,20})?([eE][+-]?\d{1,2})?", re.ASCII)
CLIENT_OID_MAX = 50
ID_MAX = 20
MS_MAX = 10**14
MONEY_MAX = Decimal(10**10)  # int64 holds nine times as much in 1e-8
MONEY_STEP = Decimal("1e-8")


class Call:
    """One request: its parameters, and who asks; `member` only where the endpoint is private. now_ms: the wall clock as it is told."""

    __slots__ = ("floor", "given", "ip", "key", "now_ms", "who")

    def __init__(self, floor: Floor, given: dict[str, Any], ip: str, key: ApiKey | None, who: Member | None,
                 now_ms: int | None = None) -> None:
        self.floor, self.given, self.ip, self.key, self.who = floor, given, ip, key, who
        self.now_ms = floor.wall_ms() if now_ms is None else now_ms

    @property
    def member(self) -> Member:
        assert self.who is not None, "a public endpoint asked for a member"
        return self.who

    # ---- words

    def text(self, name: str, default: str | None = None) -> str:
        """A word; '' counts as absent. Refusal 40019 when it is needed and absent."""
        value = self.given.get(name)
        if isinstance(value, (dict, list)):
            raise Refusal("40020", name)
        text = "" if value is None else str(value)
        if text == "":
            if default is None:
                raise Refusal("40019", name)
            return default
        return text

    def word(self, name: str, words: tuple[str, ...], default: str | None = None) -> str:
        """One of these words, in any case."""
        text = self.text(name, default).lower()
        if text not in words and text != default:
            raise Refusal("40020", name)
        return text

    def flag(self, name: str) -> bool:
        return self.word(name, ("yes", "no", "true", "false"), "no") in ("yes", "true")

    def client_oid(self, name: str = "clientOid") -> str:
        text = self.text(name, "")
        if len(text) > CLIENT_OID_MAX:
            raise Refusal("40304")
        if text and not CLIENT_OID.fullmatch(text):
            raise Refusal("40402")
        return text

    def order_id(self, name: str = "orderId") -> str:
        text = self.text(name, "")
        if text and not (text.isascii() and text.isdigit() and len(text) <= ID_MAX):
            raise Refusal("40402")
        return text

    def whole(self, name: str, default: int | None = None, *, least: int = 0, most: int = MS_MAX) -> int:
        text = self.text(name, "" if default is None else str(default))
        if not text:
            raise Refusal("40019", name)
        if not (text.isascii() and text.isdigit()) or not least <= int(text[:20]) <= most:
            raise Refusal("40020", name)
        return int(text)

    def moment(self, name: str) -> int | None:
        """Milliseconds, or None."""
        return self.whole(name) if self.text(name, "") else None

    # ---- market

    def product(self, *, needed: bool = True) -> str:
        text = self.text("productType", None if needed else USDT).upper().replace("UMCBL", USDT)
        if text not in PRODUCTS:
            raise Refusal("40020", "productType")
        return text

    def ours(self, *, needed: bool = True) -> bool:
        """Whether it asks about the contracts that are traded here."""
        return self.product(needed=needed) in (USDT, "SUSDT-FUTURES")

    def symbol(self, *, needed: bool = True) -> int | None:
        text = self.text("symbol", None if needed else "").upper()
        if not text:
            return None
        m = self.floor.market.get(text)
        if m is None:
            raise Refusal("40034", text)
        return m

    def market(self) -> int:
        """The number of the symbol that must be given."""
        m = self.symbol()
        assert m is not None
        return m

    @property
    def instrument(self) -> Instrument:
        return self.floor.instruments[self.market()]

    def margin_coin(self, *, needed: bool = True) -> None:
        if self.text("marginCoin", None if needed else "USDT").upper() not in ("USDT", "SUSDT"):
            raise Refusal("40020", "marginCoin")

    # ---- figures

    def decimal(self, name: str, default: str | None = None) -> Decimal:
        value = self.given.get(name)
        if isinstance(value, bool):
            raise Refusal("40020", name)
        return figure(repr(value) if isinstance(value, float) else self.text(name, default), name)

    def amount(self, name: str) -> Decimal:
        """Money, of either sign, in steps of 1e-8."""
        value = self.decimal(name)
        if abs(value) > MONEY_MAX or value % MONEY_STEP:
            raise Refusal("40020", name)
        return value

    def ticks(self, name: str, one: Instrument, default: str | None = "0") -> int:
        """A price in ticks; 45115 off the grid."""
        price = self.decimal(name, default)
        if price < 0 or price > Decimal(10) ** 12:
            raise Refusal("40020", name)
        if price % one.tick:
            raise Refusal("45115", one.tick)
        return int(price / one.tick)

    def lots(self, name: str, one: Instrument, default: str | None = None) -> int:
        """A size in lots; finer than the step is refused."""
        size = self.decimal(name, default)
        if abs(size) > Decimal(10) ** 12:
            raise Refusal("45112")
        if size % one.lot:
            raise Refusal("40808", f"{name} checkBDScale error value={size} step={one.lot}")
        return int(size / one.lot)


def figure(text: str, name: str) -> Decimal:
    """A number as clients write it."""
    if not NUMBER.fullmatch(text):
        raise Refusal("40020", name)
    try:
        return Decimal(text)
    except InvalidOperation:
        raise Refusal("40020", name) from None
