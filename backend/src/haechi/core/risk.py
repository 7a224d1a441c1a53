"""The risk gate's rules: one pure function each, with the numbers in its refusal.

What reduces a position passes all of them, for getting out must always be possible; only its size is looked at (REDUCING). A new rule
is one function, one row in RULES and its rows in the table of the tests. State comes as an argument: `Recent`.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

ZERO = Decimal(0)
HUNDRED = Decimal(100)


class Intent(msgspec.Struct, frozen=True):
    """An order that somebody wishes. notional in quote at `price`; reduces: it can only make the position smaller.

    price: the limit, the trigger of a `stop`, the market price of a `market` order; trigger: of a `stop_limit`, else 0.
    cause: what made it; the same text for every order that comes of one wish, '' when nobody says.
    """

    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    notional: Decimal
    leverage: int
    reduces: bool
    kind: str = "market"
    trigger: Decimal = ZERO
    cause: str = ""


class View(msgspec.Struct, frozen=True):
    """What is known when the order is judged. Money in quote; what nobody could fetch is NaN, and a doubt, never zero.

    allocated: equity this owner may use; position: signed, of this owner; position_notional: absolute, of the account on this symbol;
    positions: symbols held, or with orders that may open one; position_notional: with them, the worse side; age_ms: of the last price,
    negative for one from our future; loss_today: positive is lost; others: signed position of the account's other owners on this symbol,
    others_short and others_long: how far each may come on either side by what they hold and have ordered, summed; doubts: why no new risk
    may be taken.
    """

    equity: Decimal
    available: Decimal
    allocated: Decimal
    position: Decimal
    position_notional: Decimal
    positions: int
    market: Decimal
    age_ms: int
    loss_today: Decimal
    others: Decimal
    doubts: tuple[str, ...]
    others_short: Decimal = ZERO
    others_long: Decimal = ZERO


class Recent(msgspec.Struct, frozen=True):
    """What the gate knows of its owner itself. Orders: approved before, new risk only, of a second or a minute.

    same_ms: since the same order passed, None if it did not; children: orders that came of the same cause; killed: the switch that is on.
    """

    killed: str = ""
    orders_second: int = 0
    orders_minute: int = 0
    orders_minute_user: int = 0
    same_ms: int | None = None
    children: int = 0


class Limits(msgspec.Struct, frozen=True):
    """Of an owner; the defaults are the product's. Percent are numbers such as 5; symbols: None allows all."""

    leverage_max: int = 10
    positions_max: int = 5
    daily_loss_max: Decimal = Decimal(500)
    exposure_max: Decimal = Decimal(20)  # notional on one symbol over equity
    order_value_min: Decimal = ZERO
    order_value_max: Decimal = Decimal(1_000_000)
    collar_percent: Decimal = Decimal(5)  # how much worse than the market an order may trade at once
    distance_percent: Decimal = Decimal(80)  # how far from the market a price may lie, on either side
    orders_second_max: int = 10
    orders_minute_max: int = 300
    orders_minute_user_max: int = 1_200
    children_max: int = 3
    duplicate_ms: int = 0  # the same order again within this is refused; 0: never, for a grid puts a line back after its fill
    age_ms_max: int = 120_000
    skew_ms_max: int = 1_000
    taker_fee: Decimal = Decimal("0.0006")
    symbols: frozenset[str] | None = None


class Refused(msgspec.Struct, frozen=True):
    """rule, and what was asked against what is allowed."""

    rule: str
    asked: str
    allowed: str


def plain(value: Decimal) -> str:
    """To 1e-8, without zeros that say nothing."""
    return f"{value:.8f}".rstrip("0").rstrip(".")


Rule = Callable[[Intent, View, Limits, Recent], Refused | None]


# ---- may anything be added at all

def not_killed(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    return Refused("killed", intent.symbol, f"nothing while the kill switch of the {recent.killed} is on") if recent.killed else None


def no_doubt(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    return Refused("doubt", intent.symbol, f"nothing while: {', '.join(view.doubts)}") if view.doubts else None


def order_sound(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    """Finite and positive, a side that exists, leverage of 1 or more."""
    amounts = (("quantity", intent.quantity), ("price", intent.price), ("notional", intent.notional))
    unsound = next((f"{name} {value}" for name, value in amounts if not value.is_finite() or value <= 0), None)
    if unsound is None and intent.side not in ("buy", "sell"):
        unsound = f"side {intent.side}"
    if unsound is None and (not intent.trigger.is_finite() or intent.trigger < 0):
        unsound = f"trigger {intent.trigger}"
    if unsound is None and intent.leverage < 1:
        unsound = f"leverage {intent.leverage}"
    return None if unsound is None else Refused("order", unsound, "finite and positive")


def view_known(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    """A number that nobody knows is no number: NaN would also compare as nothing."""
    if (view.equity.is_finite() and view.available.is_finite() and view.allocated.is_finite() and view.position.is_finite()
            and view.position_notional.is_finite() and view.market.is_finite() and view.loss_today.is_finite() and view.others.is_finite()
            and view.others_short.is_finite() and view.others_long.is_finite() and view.market > 0):
        return None
    names = ("equity", "available", "allocated", "position", "position_notional", "market", "loss_today", "others", "others_short",
             "others_long")
    unknown = [f"{name} {getattr(view, name)}" for name in names if not getattr(view, name).is_finite()]
    return Refused("unknown", ", ".join(unknown) or f"market {view.market}", "numbers that are known")


def data_fresh(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    return None if view.age_ms <= limits.age_ms_max else Refused("stale_data", f"{view.age_ms} ms", f"{limits.age_ms_max} ms")


def clock_right(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    """A price from our future is a clock that is wrong, too."""
    off = -view.age_ms
    return None if off <= limits.skew_ms_max else Refused("clock_skew", f"{off} ms", f"{limits.skew_ms_max} ms")


def symbol_allowed(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    if limits.symbols is None or intent.symbol in limits.symbols:
        return None
    return Refused("symbol", intent.symbol, ", ".join(sorted(limits.symbols)) or "none")


def not_opposite(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    """Under `netted` all owners of a symbol are on one side, also when all their orders fill: nobody closes another's position, nobody
    trades with himself."""
    held, coming = (view.others, view.others_short) if intent.side == "buy" else (-view.others, -view.others_long)
    if held >= 0 and coming >= 0:
        return None
    why = f"others hold {plain(view.others)}" if held < 0 else f"others have ordered {plain(coming if intent.side == 'buy' else -coming)}"
    return Refused("opposite", f"{intent.side} {intent.quantity}", why)


# ---- how much

def leverage_within_limit(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    if intent.leverage <= limits.leverage_max:
        return None
    return Refused("leverage", str(intent.leverage), str(limits.leverage_max))


def positions_within_limit(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    more = view.positions + (view.position_notional == 0)
    return None if more <= limits.positions_max else Refused("positions", str(more), str(limits.positions_max))


def value_not_below(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    if intent.notional >= limits.order_value_min:
        return None
    return Refused("order_value_min", plain(intent.notional), plain(limits.order_value_min))


def value_not_above(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    if intent.notional <= limits.order_value_max:
        return None
    return Refused("order_value_max", plain(intent.notional), plain(limits.order_value_max))


def exposure_within_limit(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    after, most = view.position_notional + intent.notional, view.equity * limits.exposure_max
    return None if after <= most else Refused("exposure", plain(after), plain(most))


def balance_available(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    """Initial margin and the taker's fee, as the exchange will want them."""
    needed = intent.notional / intent.leverage + intent.notional * limits.taker_fee
    return None if needed <= view.available else Refused("available", plain(needed), plain(view.available))


def within_allocation(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    """The margin of what this owner would hold; the other way than its position, what is left of both."""
    held = view.position if intent.side == "buy" else -view.position
    needed = abs(held * view.market + intent.notional) / intent.leverage
    return None if needed <= view.allocated else Refused("allocation", plain(needed), plain(view.allocated))


def loss_within_limit(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    if view.loss_today < limits.daily_loss_max:
        return None
    return Refused("daily_loss", plain(view.loss_today), plain(limits.daily_loss_max))


# ---- at which price

def price_within_collar(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    """A limit that would trade at once must not be much worse than the market (than its trigger, for a stop_limit).

    A `stop` has no limit; on the other side of the market an order waits, and `price_not_far` looks at it.
    """
    if intent.kind == "stop":
        return None
    base = intent.trigger or view.market
    worse = intent.price - base if intent.side == "buy" else base - intent.price
    most = base * limits.collar_percent / HUNDRED
    if worse <= most:
        return None
    edge = base + most if intent.side == "buy" else base - most
    return Refused("price_collar", plain(intent.price), f"{plain(edge)} ({plain(limits.collar_percent)} % from {plain(base)})")


def price_not_far(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    """A limit or trigger price of another order of magnitude is a slip of the hand."""
    most = view.market * limits.distance_percent / HUNDRED
    far = next((price for price in (intent.price, intent.trigger or view.market) if abs(price - view.market) > most), None)
    return None if far is None else Refused("price_distance", plain(far), f"{plain(limits.distance_percent)} % from {plain(view.market)}")


# ---- how often

def second_within_limit(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    if recent.orders_second < limits.orders_second_max:
        return None
    return Refused("orders_second", str(recent.orders_second + 1), str(limits.orders_second_max))


def minute_within_limit(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    if recent.orders_minute < limits.orders_minute_max:
        return None
    return Refused("orders_minute", str(recent.orders_minute + 1), str(limits.orders_minute_max))


def users_minute_within_limit(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    if recent.orders_minute_user < limits.orders_minute_user_max:
        return None
    return Refused("orders_minute_user", str(recent.orders_minute_user + 1), str(limits.orders_minute_user_max))


def not_twice(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    if recent.same_ms is None or recent.same_ms >= limits.duplicate_ms:
        return None
    return Refused("duplicate", f"the same order {recent.same_ms} ms ago", f"{limits.duplicate_ms} ms apart")


def children_within_limit(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    """One wish that becomes ever more orders is a fault (Knight Capital, 2012: 212 wishes, 4 million orders)."""
    if recent.children < limits.children_max:
        return None
    return Refused("children", str(recent.children + 1), str(limits.children_max))


# ---- getting out

def quantity_sound(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    if intent.quantity.is_finite() and intent.quantity > 0:
        return None
    return Refused("order", f"quantity {intent.quantity}", "finite and positive")


def reduces_at_most(intent: Intent, view: View, limits: Limits, recent: Recent) -> Refused | None:
    """What closes more than is held would open the other side. A position that is NaN holds nothing that is known."""
    held = ZERO
    if view.position.is_finite():
        held = max(ZERO, {"sell": view.position, "buy": -view.position}.get(intent.side, ZERO))
    return None if intent.quantity <= held else Refused("reduces_at_most", f"{intent.side} {intent.quantity}", plain(held))


RULES: tuple[Rule, ...] = (
    not_killed, no_doubt, order_sound, view_known, data_fresh, clock_right, symbol_allowed, not_opposite,
    leverage_within_limit, positions_within_limit, value_not_below, value_not_above, exposure_within_limit, balance_available,
    within_allocation, loss_within_limit, price_within_collar, price_not_far,
    second_within_limit, minute_within_limit, users_minute_within_limit, not_twice, children_within_limit)
REDUCING: tuple[Rule, ...] = (quantity_sound, reduces_at_most)

# Refusals that a moment cures by itself: whoever wished may ask again a little later.
PASSING = frozenset({"orders_second", "orders_minute", "orders_minute_user", "duplicate"})


def judge(intent: Intent, view: View, limits: Limits, recent: Recent = Recent()) -> Refused | None:
    """The first rule that refuses, or None."""
    for rule in REDUCING if intent.reduces else RULES:
        refused = rule(intent, view, limits, recent)
        if refused is not None:
            return refused
    return None


def tighter(one: Limits, other: Limits) -> Limits:
    """What both allow."""
    lower = {name: min(getattr(one, name), getattr(other, name)) for name in LESS_IS_TIGHTER}
    higher = {name: max(getattr(one, name), getattr(other, name)) for name in MORE_IS_TIGHTER}
    symbols = other.symbols if one.symbols is None else one.symbols if other.symbols is None else one.symbols & other.symbols
    return Limits(**lower, **higher, symbols=symbols)


MORE_IS_TIGHTER = ("order_value_min", "duplicate_ms", "taker_fee")
LESS_IS_TIGHTER = tuple(name for name in Limits.__struct_fields__ if name not in (*MORE_IS_TIGHTER, "symbols"))
