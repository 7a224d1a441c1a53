"""Bodies of /order. Prices, quantities and money are text."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, model_validator
from pydantic.config import JsonDict

from haechi.platform.paging import Page
from haechi.trading.account_schemas import Id, example, shown_text

Amount = Annotated[Decimal, Field(gt=0, le=Decimal("1e12"), max_digits=28, decimal_places=12, allow_inf_nan=False)]
Percent = Annotated[Decimal, Field(gt=0, lt=100, decimal_places=4, allow_inf_nan=False)]
Symbol = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$"), AfterValidator(str.upper)]
Kind = Literal["market", "limit", "post_only", "stop", "stop_limit"]
Status = Literal["sent", "open", "filled", "canceled", "rejected", "unknown"]
PRICED = ("limit", "post_only", "stop_limit")
TRIGGERED = ("stop", "stop_limit")


class Leg(BaseModel):
    """Where a stop-loss or take-profit lies: a price, or percent away from the price of the first fill."""

    model_config = example({"percent": "2"})

    price: Amount | None = None
    percent: Percent | None = None

    @model_validator(mode="after")
    def _one(self) -> Leg:
        if (self.price is None) == (self.percent is None):
            raise ValueError("give either price or percent")
        return self


class BracketBody(BaseModel):
    """One or both. They rest at the exchange once the order fills, as large as what filled; when one fills, the other goes."""

    model_config = example({"stop_loss": {"price": "58000"}, "take_profit": {"percent": "4"}})

    stop_loss: Leg | None = None
    take_profit: Leg | None = None

    @model_validator(mode="after")
    def _some(self) -> BracketBody:
        if self.stop_loss is None and self.take_profit is None:
            raise ValueError("give stop_loss, take_profit or both")
        return self


class SubmitBody(BaseModel):
    """quantity in the coin, or notional in USDT: then the largest quantity that is worth no more. price: of limit, post_only and
    stop_limit; trigger: of stop and stop_limit. leverage: without it, the symbol's as it is. account_id: without it, your paper account."""

    model_config = example({"symbol": "BTCUSDT", "side": "buy", "kind": "market", "quantity": "0.01", "leverage": 2,
                            "bracket": {"stop_loss": {"percent": "2"}, "take_profit": {"percent": "4"}}})

    symbol: Symbol
    side: Literal["buy", "sell"]
    kind: Kind = "market"
    quantity: Amount | None = None
    notional: Amount | None = None
    price: Amount | None = None
    trigger: Amount | None = None
    reduce_only: bool = False
    leverage: Annotated[int, Field(ge=1, le=125)] | None = None
    account_id: Id | None = None
    bracket: BracketBody | None = None

    @model_validator(mode="after")
    def _fits(self) -> SubmitBody:
        if (self.quantity is None) == (self.notional is None):
            raise ValueError("give either quantity or notional")
        if (self.kind in PRICED) != (self.price is not None):
            raise ValueError(f"a {self.kind} order {'needs a' if self.kind in PRICED else 'has no'} price")
        if (self.kind in TRIGGERED) != (self.trigger is not None):
            raise ValueError(f"a {self.kind} order {'needs a' if self.kind in TRIGGERED else 'has no'} trigger")
        if self.reduce_only and self.bracket is not None:
            raise ValueError("an order that reduces has no bracket: it opens nothing")
        if self.reduce_only and self.leverage is not None:
            raise ValueError("an order that reduces changes no leverage")
        return self


class CloseBody(BaseModel):
    """quantity: without it, all of it."""

    model_config = example({"quantity": "0.005"})

    quantity: Amount | None = None


class PanicBody(BaseModel):
    """close: also what you hold by hand, at the market."""

    model_config = example({"close": True, "reason": "the market has gone mad"})

    close: bool = False
    reason: Annotated[str, Field(max_length=200), AfterValidator(lambda text: shown_text(text) if text else "")] = ""


class LegsAnswer(BaseModel):
    stop_loss: str | None
    take_profit: str | None


ORDER: JsonDict = {
    "id": "m019ab0c4d5e6a1b2c3d4e5f60718293a-000001", "account_id": "019ab0c4d5e6a1b2c3d4e5f60718293a", "bot_id": "", "origin": "manual",
    "role": "bracket", "parent": None, "symbol": "BTCUSDT", "side": "buy", "kind": "market", "quantity": "0.01", "price": None,
    "trigger": None, "reduce_only": False, "leverage": 2, "status": "filled", "reason": "", "filled": "0.01",
    "average_price": "60012.30000000", "bracket": {"stop_loss": "58812.1", "take_profit": "62412.8"}, "note": "",
    "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:01Z"}


class OrderAnswer(BaseModel):
    """status: sent, open, filled, canceled, rejected, or unknown while the exchange has not said. reason: of its end. parent: of a stop or
    target, the order it protects. bracket: of an entry, what protects it; null until the first fill where it was given in percent."""

    model_config = example(ORDER, forbid=False)

    id: str
    account_id: str
    bot_id: str
    origin: str
    role: str
    parent: str | None
    symbol: str
    side: str
    kind: str
    quantity: str
    price: str | None
    trigger: str | None
    reduce_only: bool
    leverage: int
    status: Status
    reason: str
    filled: str
    average_price: str | None
    bracket: LegsAnswer | None
    note: str
    created_at: datetime
    updated_at: datetime


class OrdersPage(Page[OrderAnswer]):
    model_config = example({"items": [ORDER], "next_cursor": None}, forbid=False)


class PanicAnswer(BaseModel):
    """failed: what could not be done yet, each a sentence; the switch is on all the same."""

    model_config = example({"on": True, "since": "2026-01-01T00:00:00Z", "bots": ["019ab0c4d5e6a1b2c3d4e5f60718293a"], "canceling": 2,
                            "closing": ["019ab0c4d5e6a1b2c3d4e5f60718293a:BTCUSDT"], "failed": []}, forbid=False)

    on: bool
    since: datetime | None = None
    bots: list[str] = []
    canceling: int = 0
    closing: list[str] = []
    failed: list[str] = []
