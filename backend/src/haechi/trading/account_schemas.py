"""Bodies of /account: keys, accounts, balance and positions. Money is text."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic.config import JsonDict

from haechi.trading.key_words import sentence
from haechi.trading.keys import ExchangeKey
from haechi.trading.models import Account

Id = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
State = Literal["ok", "warn", "bad", "unknown"]


def shown_text(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise ValueError("give it printable characters")
    return text.strip()


def header_text(given: SecretStr) -> SecretStr:
    """What can stand in a header of a request."""
    text = given.get_secret_value()
    if not text.isascii() or not text.isprintable() or text != text.strip():
        raise ValueError("a key has printable ASCII characters only, without spaces around it")
    return given


Name = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(shown_text)]
Secret = Annotated[SecretStr, Field(min_length=8, max_length=128), AfterValidator(header_text)]
Passphrase = Annotated[SecretStr, Field(min_length=1, max_length=64), AfterValidator(header_text)]
Capital = Annotated[Decimal, Field(gt=0, le=Decimal("1e8"), decimal_places=8, allow_inf_nan=False)]


def example(fields: JsonDict, *, forbid: bool = True) -> ConfigDict:
    return ConfigDict(extra="forbid" if forbid else None, json_schema_extra={"examples": [fields]}, hide_input_in_errors=True)


class KeyBody(BaseModel):
    model_config = example({"mode": "demo", "label": "demo of Mina", "api_key": "bg_0123456789abcdef", "secret": "0123456789abcdef0123",
                            "passphrase": "words of mine"})

    exchange: Literal["bitget"] = "bitget"
    mode: Literal["demo", "live"]
    label: Name = "Bitget"
    api_key: Secret
    secret: Secret
    passphrase: Passphrase


class FixBody(BaseModel):
    model_config = example({"fix": "one_way"})

    fix: Literal["one_way", "cross"]


class CheckAnswer(BaseModel):
    """fix: what `POST /account/keys/{id}/fix` can do about it."""

    name: str
    state: State
    text: str
    fix: str | None


class KeyAnswer(BaseModel):
    """The key as it may be seen: `api_key` is masked. state: of the last check; unknown when there was none."""

    model_config = example({"id": "019ab0c4d5e6a1b2c3d4e5f60718293a", "exchange": "bitget", "mode": "demo", "label": "demo of Mina",
                            "api_key": "…cdef", "created_at": "2026-01-01T00:00:00Z", "checked_at": "2026-01-01T00:00:00Z", "state": "warn",
                            "checks": [{"name": "address", "state": "warn", "text": "The key works from every address.", "fix": None}]},
                           forbid=False)

    id: str
    exchange: str
    mode: str
    label: str
    api_key: str
    created_at: datetime
    checked_at: datetime | None
    state: State
    checks: list[CheckAnswer]

    @classmethod
    def of(cls, row: ExchangeKey, language: str) -> KeyAnswer:
        found: dict[str, Any] = row.last_check or {"state": "unknown", "checks": []}
        checks = [CheckAnswer(name=one["name"], state=one["state"], text=sentence(language, one["say"], one["facts"]),
                              fix=one["fix"] or None) for one in found["checks"]]
        return cls(id=row.id, exchange=row.exchange, mode=row.mode, label=row.label, api_key=f"…{row.tail}", created_at=row.created_at,
                   checked_at=row.checked_at, state=found["state"], checks=checks)


class KeysAnswer(BaseModel):
    """Newest first."""

    items: list[KeyAnswer]


class AccountBody(BaseModel):
    """key_id: for demo and live. capital: of paper money, for paper only."""

    model_config = example({"mode": "paper", "name": "Trying grids", "capital": "10000", "isolation": "exclusive"})

    mode: Literal["paper", "demo", "live"] = "paper"
    name: Name
    key_id: Id | None = None
    capital: Capital | None = None
    isolation: Literal["exclusive", "netted"] = "exclusive"


class IsolationBody(BaseModel):
    model_config = example({"isolation": "netted"})

    isolation: Literal["exclusive", "netted"]


class AccountAnswer(BaseModel):
    model_config = example({"id": "019ab0c4d5e6a1b2c3d4e5f60718293a", "mode": "paper", "name": "Paper", "isolation": "exclusive",
                            "key_id": None, "capital": "10000", "created_at": "2026-01-01T00:00:00Z", "closed_at": None}, forbid=False)

    id: str
    mode: str
    name: str
    isolation: str
    key_id: str | None
    capital: str
    created_at: datetime
    closed_at: datetime | None

    @classmethod
    def of(cls, row: Account) -> AccountAnswer:
        return cls(id=row.id, mode=row.mode, name=row.name, isolation=row.isolation, key_id=row.key_id, capital=format(row.capital, "f"),
                   created_at=row.created_at, closed_at=row.closed_at)


class AccountsAnswer(BaseModel):
    """Oldest first."""

    items: list[AccountAnswer]


class BalanceAnswer(BaseModel):
    """As the exchange says. wallet: without what positions have won or lost; equity: with it; available: for new orders."""

    model_config = example({"account_id": "019ab0c4d5e6a1b2c3d4e5f60718293a", "mode": "paper", "coin": "USDT", "wallet": "10010.00000000",
                            "equity": "10012.50000000", "available": "9890.00000000"}, forbid=False)

    account_id: str
    mode: str
    coin: str = "USDT"
    wallet: str
    equity: str
    available: str


class PositionAnswer(BaseModel):
    """quantity is signed. unrealised, leverage: null where they are not known. owners: whose part is how much, while a desk is open; the
    name is a bot's id, `` for what was done by hand, `external` for what is not ours."""

    id: str
    symbol: str
    quantity: str
    entry: str
    liquidation: str | None
    unrealised: str | None
    leverage: int | None
    owners: dict[str, str]


class PositionsAnswer(BaseModel):
    model_config = example({"account_id": "019ab0c4d5e6a1b2c3d4e5f60718293a", "mode": "paper", "items": [
        {"id": "019ab0c4d5e6a1b2c3d4e5f60718293a:BTCUSDT", "symbol": "BTCUSDT", "quantity": "0.012", "entry": "60012.3",
         "liquidation": "54310.1", "unrealised": "2.50000000", "leverage": 10, "owners": {}}]}, forbid=False)

    account_id: str
    mode: str
    items: list[PositionAnswer]


def money(value: Decimal) -> str:
    return f"{value:.8f}"


