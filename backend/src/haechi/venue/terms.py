"""The terms a member trades on: leverage, margin mode, position mode, added margin, transfers."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from haechi.core import layout as at
from haechi.core.margin import initial_margin
from haechi.core.position import refresh_liquidation
from haechi.core.units import scaled
from haechi.venue import views
from haechi.venue.records import Bill
from haechi.venue.refusal import Refusal

if TYPE_CHECKING:
    from haechi.venue.member import Member

MODES = ("one_way_mode", "hedge_mode")


def busy(member: Member, m: int | None = None) -> bool:
    held = any(m in (None, market) for market, _ in member.held)
    return held or bool(member.open_orders(m)) or bool(member.open_plans(m))


def set_leverage(member: Member, m: int, leverage: int | None, long: int | None, short: int | None) -> None:
    """One figure for the symbol; in isolated hedge mode also one for each leg. An isolated position is given the margin it now needs."""
    def first_of(*figures: int | None) -> int | None:
        return next((figure for figure in figures if figure is not None), None)

    two = member.hedge and not member.cross(m)
    wanted = {0: first_of(long, leverage), 1: first_of(short, leverage)} if two else {0: first_of(leverage, long, short)}
    if all(figure is None for figure in wanted.values()):
        raise Refusal("40019", "leverage")
    for figure in wanted.values():
        if figure is not None and not 1 <= figure <= member.floor.contracts[m].leverage_max:
            raise Refusal("45045" if figure > 1 else "43050")
    if any(order.m == m for order in member.open_orders(m)):
        raise Refusal("45097")
    for leg, figure in wanted.items():
        if figure is not None:
            _carry(member, m, leg, figure)
    first = wanted[0]
    if first is not None:
        member.account.plans[m, at.LEVERAGE] = first
    if len(wanted) == 1:
        for leg in (0, 1):
            member.account.leverages.pop((m, leg), None)
    else:
        member.account.leverages.update({(m, leg): figure for leg, figure in wanted.items() if figure is not None})
    refresh_liquidation(member.account.machine.state, member.account.plans, m)
    member.told("account", None)


def _carry(member: Member, m: int, leg: int, leverage: int) -> None:
    """The margin of what is held, under the new leverage; 40893 when the money is not there."""
    state, r = member.account.machine.state, member.account.row(m, leg)
    legs = (leg,) if member.hedge and not member.cross(m) else (0, 1)
    for one in legs:
        r = member.account.row(m, one)
        if not state[r, at.LOTS]:
            continue
        need = int(initial_margin(views.cost(member, m, one), leverage))
        more = need - int(state[r, at.MARGIN])
        if more > views.free(member, m):
            raise Refusal("40893")
        state[r, at.MARGIN] += more
        state[0, at.HELD] += more


def set_margin_mode(member: Member, m: int, *, cross: bool) -> None:
    if member.cross(m) == cross:
        return
    if busy(member, m):
        raise Refusal("45117")
    member.account.plans[m, at.CROSS] = int(cross)
    if cross:
        for leg in (0, 1):
            member.account.leverages.pop((m, leg), None)
    member.told("account", None)


def set_position_mode(member: Member, mode: str) -> None:
    if mode not in MODES:
        raise Refusal("40020", "posMode")
    if mode == member.pos_mode:
        return
    if busy(member):
        raise Refusal("40920")
    member.pos_mode = mode
    member.account.plans[:, at.HEDGE] = int(mode == MODES[1])
    member.account.leverages.clear()
    member.told("account", None)


def set_auto_margin(member: Member, m: int, leg: int, *, on: bool) -> None:
    if member.cross(m):
        raise Refusal("22011")
    member.auto_margin[m, leg] = on
    member.told("account", None)


def add_margin(member: Member, m: int, leg: int, amount: Decimal) -> None:
    """Isolated only; what is taken back must leave the initial margin."""
    state, r, money = member.account.machine.state, member.account.row(m, leg), scaled(amount)
    if member.cross(m):
        raise Refusal("40875")
    if not state[r, at.LOTS]:
        raise Refusal("43043")
    if not money:
        raise Refusal("40020", "amount")
    if money > 0 and money > views.free(member, m):
        raise Refusal("40754")
    least = int(initial_margin(views.cost(member, m, leg), member.leverage(m, leg)))
    if money < 0 and int(state[r, at.MARGIN]) + money < least:
        raise Refusal("40800")
    state[r, at.MARGIN] += money
    state[0, at.HELD] += money
    refresh_liquidation(state, member.account.plans, m)
    bill(member, m, 0, "append_margin" if money > 0 else "reduce_margin")
    member.told("position", (m, leg))


def transfer(member: Member, amount: Decimal) -> None:
    """Money in (+) or out (−) of the futures account; never more out than is free."""
    state, money = member.account.machine.state, scaled(amount)
    if money < 0 and -money > views.transferable(member):
        raise Refusal("43012")
    state[0, at.WALLET] += money
    member.floor.clearing.deposits += money
    for m in range(len(member.account.instruments)):
        refresh_liquidation(state, member.account.plans, m)
    member.balance_now += money
    bill(member, -1, money, "trans_from_exchange" if money > 0 else "trans_to_exchange")


def bill(member: Member, m: int, amount: int, what: str) -> None:
    member.bills.append(Bill(member.floor.next_id(), m, amount, 0, what, member.balance_now, member.floor.now_ms))
    member.told("account", None)
