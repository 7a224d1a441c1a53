"""What a member asks for, and what it is shown of its holdings. Requests in ticks and lots, views in prices and money."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from haechi.venue.records import Preset


class OrderRequest(msgspec.Struct):
    """side: the real direction, +1 buys. closes: reduce-only, or tradeSide close. leg: hedge 0 long, 1 short; one-way 0."""

    m: int
    side: int
    lots: int
    kind: str = "limit"  # limit | market
    price: int = 0
    force: str = "gtc"
    client_oid: str = ""
    closes: bool = False
    leg: int = 0
    cross: bool | None = None  # None: as the symbol is set
    preset: Preset = msgspec.field(default_factory=Preset)
    stp: str = "none"
    source: str = "normal"
    entered: str = "API"


class PlanRequest(msgspec.Struct):
    """As OrderRequest. lots 0 for pos_profit and pos_loss. callback: trailing distance, a fraction in 1e-8."""

    m: int
    side: int
    plan_type: str
    lots: int
    trigger: int
    trigger_type: str = "fill_price"
    execute: int = 0
    client_oid: str = ""
    closes: bool = False
    leg: int = 0
    callback: int = 0
    preset: Preset = msgspec.field(default_factory=Preset)
    cross: bool | None = None
    entered: str = "API"
    stp: str = "none"


class PositionView(msgspec.Struct, frozen=True):
    """An open leg. lots > 0; frozen: lots its resting closes hold; resting: lots of its resting opening orders."""

    m: int
    leg: int
    side: int
    lots: int
    frozen: int
    resting: int
    entry: Decimal
    mark: Decimal
    margin: Decimal
    leverage: int
    cross: bool
    hedge: bool
    unrealised: Decimal
    realised: Decimal
    liquidation: Decimal | None
    maintenance_rate: Decimal
    margin_ratio: Decimal
    break_even: Decimal
    fees: Decimal
    opened_ms: int
    updated_ms: int
    auto_margin: bool
    position_id: str
    profit_id: str = ""
    loss_id: str = ""
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None


class BalanceView(msgspec.Struct, frozen=True):
    """Quote money. equity: wallet plus unrealised at the marks; locked: margin of resting orders."""

    wallet: Decimal
    locked: Decimal
    available: Decimal
    cross_available: Decimal
    isolated_available: Decimal
    max_transfer: Decimal
    equity: Decimal
    unrealised: Decimal
    cross_unrealised: Decimal
    isolated_unrealised: Decimal
    isolated_margin: Decimal
    cross_margin: Decimal
    risk_rate: Decimal
