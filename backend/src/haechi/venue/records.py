"""What the venue remembers of a member: orders, plan orders, fills, bills, closed positions. Prices in ticks, sizes in lots,
money in 1e-8 quote; times in ms of the market's clock. The wire faces turn them into Bitget's words.

`m` is the market's number; `leg` 0 is the net (or in hedge mode the long) position, 1 the short one of hedge mode.
"""

from __future__ import annotations

import msgspec

NET, SHORT = 0, 1
LIVE, PARTLY, FILLED, CANCELED = "live", "partially_filled", "filled", "canceled"
PORT = "PORT"  # where an order was entered
PLAN_LIVE, PLAN_EXECUTED, PLAN_FAILED, PLAN_CANCELLED = "live", "executed", "fail_execute", "cancelled"
ENTRY_PLANS = ("normal_plan", "track_plan")
POSITION_PLANS = ("profit_plan", "loss_plan", "moving_plan", "pos_profit", "pos_loss")


class Preset(msgspec.Struct):
    """Take-profit and stop of an order, set on the position when it fills; ticks, 0 = none. execute 0 = at the market."""

    profit: int = 0
    profit_execute: int = 0
    loss: int = 0
    loss_execute: int = 0


class OrderRecord(msgspec.Struct):
    """side: the real direction, +1 buys, −1 sells. closes: reduce-only, or tradeSide close. quote: Σ price × lots of its fills."""

    order_id: str
    client_oid: str
    m: int
    leg: int
    side: int
    lots: int
    price: int  # 0: market order
    kind: str  # limit | market; by the port also stop | stop_limit
    force: str  # gtc | ioc | fok | post_only
    closes: bool
    hedge: bool
    cross: bool
    leverage: int
    created_ms: int
    updated_ms: int
    preset: Preset = msgspec.field(default_factory=Preset)
    source: str = "normal"  # orderSource
    entered: str = "API"  # enterPointSource
    status: str = LIVE
    filled: int = 0
    quote: int = 0
    fee: int = 0
    profit: int = 0
    reason: str = ""  # why it ended without (further) fill, our word; "" while it lives
    trade_side: str = ""  # set where it is not plain: burst_…, dte_sys_adl_…, reduce_…
    stp: str = "none"
    trigger: int = 0  # of a stop that came by the port of this process

    @property
    def open(self) -> bool:
        return self.status in (LIVE, PARTLY)

    @property
    def by_port(self) -> bool:
        """It came by the port of this process (paper.py), where nothing but its owner or the market ends it."""
        return self.entered == PORT

    @property
    def left(self) -> int:
        return self.lots - self.filled


class PlanRecord(msgspec.Struct):
    """A trigger, trailing or TP/SL order. trigger_above: it fires when the price is at or above `trigger`."""

    order_id: str
    client_oid: str
    m: int
    leg: int
    side: int
    plan_type: str
    lots: int  # 0 for pos_profit and pos_loss: the whole position
    trigger: int
    trigger_above: bool
    trigger_type: str  # fill_price | mark_price
    execute: int  # ticks, 0: at the market
    closes: bool
    hedge: bool
    cross: bool
    leverage: int
    created_ms: int
    updated_ms: int
    callback: int = 0  # trailing distance as a fraction in 1e-8
    active: bool = False  # trailing: the trigger was met, the extreme is followed
    extreme: int = 0
    preset: Preset = msgspec.field(default_factory=Preset)
    entered: str = "API"
    status: str = PLAN_LIVE
    executed_order_id: str = ""
    triggered_ms: int = 0
    reason: str = ""
    stp: str = "none"

    @property
    def open(self) -> bool:
        return self.status == PLAN_LIVE


class FillRecord(msgspec.Struct, frozen=True):
    """fee is what was paid (positive = paid); profit before fees. held: signed lots of the leg afterwards."""

    trade_id: str
    order_id: str
    client_oid: str
    m: int
    leg: int
    side: int
    lots: int
    price: int
    fee: int
    profit: int
    maker: bool
    closes: bool
    hedge: bool
    kind: str
    trade_side: str
    time_ms: int
    market: int = 0  # where the market stood, ticks
    held: int = 0


class Bill(msgspec.Struct, frozen=True):
    """One change of the wallet: balance after = before + amount − fee. business: Bitget's businessType."""

    bill_id: str
    m: int  # −1: no symbol
    amount: int
    fee: int
    business: str
    balance: int
    time_ms: int


class ClosedPosition(msgspec.Struct):
    """A position from its first fill to its last; the open one is kept in the same form until it closes."""

    position_id: str
    m: int
    leg: int
    side: int  # +1 long, −1 short
    cross: bool
    hedge: bool
    opened_ms: int
    updated_ms: int
    opened: int = 0  # lots
    closed: int = 0
    open_quote: int = 0  # Σ price × lots
    close_quote: int = 0
    profit: int = 0
    funding: int = 0  # paid positive
    open_fee: int = 0
    close_fee: int = 0


class ApiKey(msgspec.Struct):
    """permissions: read, trade, transfer, withdraw. ips empty: any. demo: needs the header `paptrading: 1`."""

    key: str
    secret: str
    passphrase: str
    member: str
    permissions: tuple[str, ...] = ("read", "trade")
    ips: tuple[str, ...] = ()
    revoked: bool = False
    demo: bool = False


class PublicTrade(msgspec.Struct, frozen=True):
    """side of the taker, +1 bought."""

    trade_id: str
    m: int
    price: int
    lots: int
    side: int
    time_ms: int
