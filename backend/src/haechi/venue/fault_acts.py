"""Faults that act once: the owner's hand on the account, the exchange's on positions, symbols and keys, and a gap of the price.

Each is done by the domain's own operations; what the exchange would refuse is refused here too (Refusal).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from haechi.core.instrument import Instrument
from haechi.core.units import UnitError
from haechi.errors import BadInput
from haechi.venue import fault_orders, forced
from haechi.venue.fault_draws import Fault, Undo
from haechi.venue.records import NET, SHORT, ApiKey
from haechi.venue.requests import OrderRequest

if TYPE_CHECKING:
    from haechi.venue.faults import Faults
    from haechi.venue.member import Member

Act = Callable[["Faults", Fault], Awaitable[Undo | None]]
PERMISSIONS = ("read", "trade", "transfer", "withdraw")


# ---- the owner's hand

async def manual_order(faults: Faults, fault: Fault) -> None:
    member, m = faults.member(fault.wanted.member), faults.market(fault.wanted.symbol)
    one, price = faults.floor.instruments[m], fault["price"]
    lots = one.lots(fault["size"])
    if one.quantity(lots) != fault["size"]:
        raise BadInput(f"size {fault['size']} is not a multiple of {one.lot} of {one.symbol}")
    side = 1 if fault["side"] == "buy" else -1
    member.place(OrderRequest(m, side, lots, "limit" if price else "market", ticks(one, price) if price else 0,
                              closes=fault["reduce_only"], leg=order_leg(member, fault, side), entered="WEB"))


def order_leg(member: Member, fault: Fault, side: int) -> int:
    """In hedge mode a buy opens the long leg, or closes the short one."""
    if not member.hedge:
        return NET
    if fault["hold_side"] is not None:
        return NET if fault["hold_side"] == "long" else SHORT
    return NET if (side > 0) != fault["reduce_only"] else SHORT


async def manual_transfer(faults: Faults, fault: Fault) -> None:
    faults.member(fault.wanted.member).transfer(fault["amount"])


async def mode_changed(faults: Faults, fault: Fault) -> None:
    member = faults.member(fault.wanted.member)
    if fault["position_mode"] is not None:
        member.set_position_mode(fault["position_mode"])
    elif fault["margin_mode"] is not None:
        member.set_margin_mode(faults.market(fault.wanted.symbol), fault["margin_mode"] == "crossed")
    else:
        member.set_leverage(faults.market(fault.wanted.symbol), leverage=fault["leverage"])


# ---- the exchange and the market

async def gap_through_stop(faults: Faults, fault: Fault) -> None:
    m = faults.market(fault.wanted.symbol)
    one = faults.floor.instruments[m]
    if fault["price"] is not None:
        price = ticks(one, fault["price"])
    else:
        price = max(1, one.ticks_nearest(one.price(faults.floor.point(m)) * (1 + fault["fraction"])))
    await faults.floor.jump(m, price)


async def forced_liquidation(faults: Faults, fault: Fault) -> None:
    member, m = faults.member(fault.wanted.member), faults.market(fault.wanted.symbol)
    forced.liquidate(faults.floor, member, m, held_leg(member, m, fault["hold_side"]))


async def adl(faults: Faults, fault: Fault) -> None:
    member, m = faults.member(fault.wanted.member), faults.market(fault.wanted.symbol)
    one, leg = faults.floor.instruments[m], held_leg(member, m, fault["hold_side"])
    lots = one.lots(fault["size"]) if fault["size"] is not None else abs(member.account.lots(m, leg))
    if not lots and fault["size"] is not None:
        raise BadInput(f"size {fault['size']} is less than one lot ({one.lot}) of {one.symbol}")
    price = ticks(one, fault["price"]) if fault["price"] is not None else faults.floor.point(m)
    forced.deleverage(faults.floor, member, m, leg, lots, price)


async def delisting(faults: Faults, fault: Fault) -> None:
    forced.delist(faults.floor, faults.market(fault.wanted.symbol))


def held_leg(member: Member, m: int, hold_side: str | None) -> int:
    if not member.hedge:
        return NET
    if hold_side is not None:
        return NET if hold_side == "long" else SHORT
    held = [leg for leg in (NET, SHORT) if member.account.lots(m, leg)]
    if len(held) > 1:
        raise BadInput("both legs are held: say which with 'hold_side'")
    return held[0] if held else NET


def ticks(one: Instrument, price: Decimal) -> int:
    try:
        return one.ticks(price)
    except UnitError as wrong:
        raise BadInput(str(wrong)) from None


# ---- keys; deleting the fault, or its end, gives them back what they had

async def key_revoked(faults: Faults, fault: Fault) -> Undo:
    keys = keys_of(faults, fault)
    before = [key.revoked for key in keys]
    for key in keys:
        key.revoked = True

    def undo() -> None:
        for key, revoked in zip(keys, before, strict=True):
            key.revoked = revoked

    return undo


async def permission_reduced(faults: Faults, fault: Fault) -> Undo:
    unknown = set(fault["permissions"]) - set(PERMISSIONS)
    if unknown:
        raise BadInput(f"there is no permission {', '.join(sorted(unknown))}; there are {', '.join(PERMISSIONS)}")
    keys = keys_of(faults, fault)
    before = [key.permissions for key in keys]
    for key in keys:
        key.permissions = tuple(one for one in key.permissions if one in fault["permissions"])

    def undo() -> None:
        for key, permissions in zip(keys, before, strict=True):
            key.permissions = permissions

    return undo


async def ip_changed(faults: Faults, fault: Fault) -> Undo:
    keys = keys_of(faults, fault)
    before = [key.ips for key in keys]
    for key in keys:
        key.ips = fault["ips"]

    def undo() -> None:
        for key, ips in zip(keys, before, strict=True):
            key.ips = ips

    return undo


def keys_of(faults: Faults, fault: Fault) -> list[ApiKey]:
    name, only = fault.wanted.member, fault["key"]
    keys = [key for key in faults.floor.keys.values() if key.member == name and only in (None, key.key)]
    if not keys:
        raise BadInput(f"member {name!r} has no key" + (f" {only!r}" if only is not None else ""))
    return keys


async def partial_fill(faults: Faults, fault: Fault) -> None:
    fault_orders.partial_fill_named(faults, fault)


async def dropped_stream(faults: Faults, fault: Fault) -> None:
    faults.cut_streams(fault.wanted.member, None)


ACTS: dict[str, Act] = {
    "manual_order": manual_order, "manual_transfer": manual_transfer, "mode_changed": mode_changed, "gap_through_stop": gap_through_stop,
    "forced_liquidation": forced_liquidation, "adl": adl, "delisting": delisting, "key_revoked": key_revoked,
    "permission_reduced": permission_reduced, "ip_changed": ip_changed, "partial_fill": partial_fill, "dropped_stream": dropped_stream,
}
