"""What a member's account is worth where the markets stand now, and what is left of it to trade with.

The engine marks positions at the closes of bars (docs/engine.md); these figures follow every price.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from haechi.core import layout as at
from haechi.core.margin import initial_margin, liquidation, maintenance, tier_of
from haechi.core.money import fee
from haechi.core.position import tiers_of
from haechi.core.units import unscaled
from haechi.venue.requests import BalanceView, PositionView

if TYPE_CHECKING:
    from haechi.venue.member import Member

ZERO = Decimal(0)


def money(amount: int) -> Decimal:
    return unscaled(int(amount))


def cost(member: Member, m: int, leg: int) -> int:
    """What the leg's lots were entered for, 1e-8."""
    account = member.account
    return abs(int(account.machine.state[account.row(m, leg), at.COST])) * int(account.plans[m, at.UNIT])


def unrealised(member: Member, m: int, leg: int) -> int:
    held = member.account.machine.state[member.account.row(m, leg)]
    lots = int(held[at.LOTS])
    return (lots * member.floor.point(m) - int(held[at.COST])) * int(member.account.plans[m, at.UNIT]) if lots else 0


def locked(member: Member) -> int:
    """Margin and fees that resting opening orders will need."""
    total = 0
    for order in member.open_orders():
        if not order.closes and order.price:
            notional = order.left * order.price * int(member.account.plans[order.m, at.UNIT])
            total += int(initial_margin(notional, order.leverage)) + int(fee(notional, member.account.plans[order.m, at.TAKER]))
    return total


def cross_unrealised(member: Member) -> int:
    return sum(unrealised(member, m, leg) for m, leg in member.held if member.cross(m))


def free(member: Member, m: int) -> int:
    """For new margin in this market: wallet − held − locked, under cross margin with what cross positions have won or lost."""
    state = member.account.machine.state
    left = int(state[0, at.WALLET]) - int(state[0, at.HELD]) - locked(member)
    return left + cross_unrealised(member) if member.cross(m) else left


def transferable(member: Member) -> int:
    state = member.account.machine.state
    return max(0, int(state[0, at.WALLET]) - int(state[0, at.HELD]) - locked(member) + min(0, cross_unrealised(member)))


def tier_leverage(member: Member, m: int, notional: int) -> int:
    tiers = tiers_of(member.account.plans[m])
    return int(tiers[tier_of(tiers, notional), 2])


def maintenance_of(member: Member, m: int, leg: int) -> int:
    account = member.account
    plan, lots = account.plans[m], account.lots(m, leg)
    return int(maintenance(lots, member.floor.point(m), int(plan[at.UNIT]), int(plan[at.TAKER]), tiers_of(plan))) if lots else 0


def max_open(member: Member, m: int, leg: int, price: int) -> int:
    plan = member.account.plans[m]
    notional = price * int(plan[at.UNIT])
    if notional <= 0:
        return 0
    # margin + fee of n lots: n·notional·(1/leverage + taker)
    rate = 10**8 // member.leverage(m, leg) + int(plan[at.TAKER])
    lots = max(0, free(member, m)) * 10**8 // (notional * rate)
    return min(lots, member.floor.contracts[m].max_lots)


def liquidation_if(member: Member, m: int, leg: int, lots: int, price: int) -> Decimal:
    account = member.account
    plan, held = account.plans[m], account.machine.state[account.row(m, leg)]
    side = 1 if leg == 0 else -1
    if not member.hedge and int(held[at.LOTS]):
        side = 1 if held[at.LOTS] > 0 else -1
    after_lots, after_cost = int(held[at.LOTS]) + side * lots, int(held[at.COST]) + side * lots * price
    more = int(initial_margin(lots * price * int(plan[at.UNIT]), member.leverage(m, leg)))
    carried = int(account.machine.state[0, at.WALLET]) if member.cross(m) else int(held[at.MARGIN]) + more
    ticks = int(liquidation(after_lots, after_cost, carried, int(plan[at.UNIT]), int(plan[at.TAKER]), tiers_of(plan)))
    return account.instruments[m].price(ticks)


def margin_of(member: Member, m: int, leg: int) -> int:
    """Isolated: what is set aside. Cross: size × mark / leverage."""
    account = member.account
    if not member.cross(m):
        return int(account.machine.state[account.row(m, leg), at.MARGIN])
    notional = abs(account.lots(m, leg)) * member.floor.point(m) * int(account.plans[m, at.UNIT])
    return int(initial_margin(notional, member.leverage(m, leg))) if notional else 0


def position(member: Member, m: int, leg: int) -> PositionView | None:
    account, held = member.account, member.holding(m, leg)
    lots = account.lots(m, leg)
    if held is None or not lots:
        return None
    one, leg_row = account.instruments[m], account.machine.state[account.row(m, leg)]
    entry = one.tick * int(leg_row[at.COST]) / lots
    won, margin, kept = unrealised(member, m, leg), margin_of(member, m, leg), maintenance_of(member, m, leg)
    closes = [order for order in member.open_orders(m) if order.leg == leg]
    at_risk = int(account.machine.state[0, at.WALLET]) + cross_unrealised(member) if member.cross(m) else margin + won
    fees = held.open_fee + held.close_fee + held.funding
    quantity = one.quantity(abs(lots))
    side = 1 if lots > 0 else -1
    stop = int(leg_row[at.LIQUIDATION])
    plans = {plan.plan_type: plan for plan in member.open_plans(m) if plan.leg == leg}
    profit, loss = plans.get("pos_profit"), plans.get("pos_loss")
    tiers = tiers_of(account.plans[m])
    rate = money(int(tiers[tier_of(tiers, abs(lots) * member.floor.point(m) * one.unit), 1]))
    return PositionView(
        m, leg, side, abs(lots), sum(order.left for order in closes if order.closes),
        sum(order.left for order in closes if not order.closes), entry, one.price(member.floor.point(m)), money(margin),
        member.leverage(m, leg), member.cross(m), held.hedge, money(won), money(held.profit), one.price(stop) if stop > 0 else None,
        rate, Decimal(kept) / at_risk if at_risk > 0 else Decimal(1), entry + side * money(fees - held.profit) / quantity, money(fees),
        held.opened_ms, held.updated_ms, member.auto_margin.get((m, leg), False), held.position_id,
        profit.order_id if profit else "", loss.order_id if loss else "",
        one.price(profit.trigger) if profit else None, one.price(loss.trigger) if loss else None)


def balance(member: Member) -> BalanceView:
    state = member.account.machine.state
    wallet, held, waiting = int(state[0, at.WALLET]), int(state[0, at.HELD]), locked(member)
    crossed = cross_unrealised(member)
    isolated = sum(unrealised(member, m, leg) for m, leg in member.held if not member.cross(m))
    isolated_margin = sum(margin_of(member, m, leg) for m, leg in member.held if not member.cross(m))
    cross_margin = sum(margin_of(member, m, leg) for m, leg in member.held if member.cross(m))
    kept = sum(maintenance_of(member, m, leg) for m, leg in member.held if member.cross(m))
    free_cross = max(0, wallet - held - waiting + crossed)
    free_isolated = max(0, wallet - held - waiting + min(0, crossed))
    worth = wallet - isolated_margin + crossed
    return BalanceView(
        money(wallet), money(waiting), money(free_cross), money(free_cross), money(free_isolated), money(transferable(member)),
        money(wallet + crossed + isolated), money(crossed + isolated), money(crossed), money(isolated), money(isolated_margin),
        money(cross_margin), Decimal(kept) / worth if kept and worth > 0 else ZERO)
