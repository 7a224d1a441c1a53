"""Trigger, trailing and take-profit/stop orders of a member. In the account they rest as stops, so the path meets them exactly.

A trailing order follows the extreme at the end of every straight line of the price and rests as a stop behind it; a line is
monotone, so nothing is missed. Position plans never outgrow the position: they are cut when it shrinks, ended when it closes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from haechi.core.matching import Order
from haechi.venue import orders
from haechi.venue.records import (
    ENTRY_PLANS,
    PLAN_CANCELLED,
    PLAN_FAILED,
    POSITION_PLANS,
    OrderRecord,
    PlanRecord,
    Preset,
)
from haechi.venue.refusal import Refusal
from haechi.venue.requests import OrderRequest, PlanRequest

if TYPE_CHECKING:
    from haechi.venue.member import Member

PLANS_MAX = 200
TRAILING = ("track_plan", "moving_plan")
WHOLE = ("pos_profit", "pos_loss")
SCALE = 10**8
SOURCES = {"normal_plan": "plan", "track_plan": "tracking", "moving_plan": "move", "profit_plan": "profit", "loss_plan": "loss",
           "pos_profit": "pos_profit", "pos_loss": "pos_loss"}
# (profit or loss, long or short) -> Bitget's code when the trigger is on the wrong side of the market
WRONG_SIDE = {("profit", 1): "40830", ("loss", 1): "40834", ("profit", -1): "40832", ("loss", -1): "40836"}


def source(plan: PlanRecord) -> str:
    """orderSource of the order a plan becomes."""
    return f"{SOURCES[plan.plan_type]}_{'limit' if plan.execute else 'market'}"


def place(member: Member, request: PlanRequest) -> PlanRecord:
    if request.client_oid and request.client_oid in member.by_client:
        raise Refusal("45034")
    orders.check_symbol(member, request.m, opens=not request.closes)
    if request.trigger <= 0:
        raise Refusal("45052")
    if len(member.open_plans(request.m)) >= PLANS_MAX:
        raise Refusal("40889")
    if request.plan_type in POSITION_PLANS:
        check_position_plan(member, request)
    else:
        size = OrderRequest(request.m, request.side, request.lots, "limit" if request.execute else "market",
                            request.execute or request.trigger, closes=request.closes)
        orders.check_size(member, size)
    return rest(member, make(member, request))


def check_position_plan(member: Member, request: PlanRequest) -> None:
    held = member.account.lots(request.m, request.leg)
    if not held or (held > 0) == (request.side > 0):
        raise Refusal("40837")
    if request.plan_type in WHOLE:
        request.lots = 0
        if any(plan.plan_type == request.plan_type and plan.leg == request.leg for plan in member.open_plans(request.m)):
            raise Refusal("43030" if request.plan_type == "pos_profit" else "43031")
    elif not 0 < request.lots <= abs(held):
        raise Refusal("43023")
    request.closes = True
    word = "loss" if request.plan_type.endswith(("loss", "loss_plan")) else "profit"
    point, side = member.floor.point(request.m), 1 if held > 0 else -1
    ahead = request.trigger > point if (word == "profit") == (side > 0) else request.trigger < point
    if not ahead and request.plan_type != "moving_plan":
        raise Refusal(WRONG_SIDE[word, side])


def make(member: Member, request: PlanRequest) -> PlanRecord:
    now, order_id = member.floor.now_ms, member.floor.next_id()
    plan = PlanRecord(order_id, request.client_oid or member.floor.next_id(), request.m, request.leg, request.side, request.plan_type,
                      request.lots, request.trigger, rising(member, request), request.trigger_type, request.execute, request.closes,
                      member.hedge, member.cross(request.m), member.leverage(request.m, request.leg), now, now, request.callback,
                      preset=request.preset, entered=request.entered, stp=request.stp)
    member.plans[order_id] = plan
    member.by_client[plan.client_oid] = order_id
    return plan


def rising(member: Member, request: PlanRequest) -> bool:
    """Whether a rising market meets the trigger."""
    if request.plan_type in ENTRY_PLANS:
        return request.trigger >= member.floor.point(request.m)
    profit = not request.plan_type.endswith(("loss", "loss_plan"))
    return profit == (request.side < 0)


def rest(member: Member, plan: PlanRecord) -> PlanRecord:
    """Let the account hold it: as a stop, or while a trailing order is not active yet, not at all."""
    number = member.account.number()
    member.plan_numbers[number] = plan
    if plan.plan_type not in TRAILING or plan.active:
        hold(member, plan, number)
    member.dirty.add(("plan", plan.order_id))
    member.told("plan", plan)
    return plan


def hold(member: Member, plan: PlanRecord, number: int) -> None:
    lots = plan.lots or abs(member.account.lots(plan.m, plan.leg))
    trailing = plan.plan_type in TRAILING
    order = Order(number, plan.client_oid, plan.side, lots, "stop_limit" if plan.execute else "stop", plan.execute,
                  behind(plan) if trailing else plan.trigger, plan.closes, plan.leg, None if trailing else plan.trigger_above)
    member.resting[plan.order_id] = order
    account = member.account
    (account.queued if account.point[plan.m] == 0 else account.orders)[plan.m].append(order)


def behind(plan: PlanRecord) -> int:
    """Where an active trailing order triggers: the extreme less (sells) or plus (buys) the callback, rounded towards the extreme."""
    distance = plan.extreme * plan.callback // SCALE
    return plan.extreme - distance if plan.side < 0 else plan.extreme + distance


def follow(member: Member, m: int, price: int) -> None:
    """The end of a straight line: trailing orders become active, or their extreme moves."""
    for number, plan in list(member.plan_numbers.items()):
        if plan.m != m or plan.plan_type not in TRAILING or not plan.open:
            continue
        if not plan.active:
            if price >= plan.trigger if plan.trigger_above else price <= plan.trigger:
                plan.active, plan.extreme = True, price
                hold(member, plan, number)
                member.dirty.add(("plan", plan.order_id))
        elif (price > plan.extreme) if plan.side < 0 else (price < plan.extreme):
            plan.extreme = price
            member.resting[plan.order_id].trigger = behind(plan)
            member.dirty.add(("plan", plan.order_id))


def modify(member: Member, plan: PlanRecord, lots: int | None, trigger: int | None, execute: int | None, trigger_type: str | None,
           callback: int | None, preset: Preset | None) -> PlanRecord:
    if not plan.open:
        raise Refusal("43026")
    number = next(n for n, one in member.plan_numbers.items() if one is plan)
    request = PlanRequest(plan.m, plan.side, plan.plan_type, plan.lots if lots is None else lots,
                          plan.trigger if trigger is None else trigger, leg=plan.leg, closes=plan.closes)
    if request.trigger <= 0 or (request.lots <= 0 and plan.plan_type not in WHOLE):
        raise Refusal("45052" if request.trigger <= 0 else "40808", "size")
    plan.trigger_above = rising(member, request)
    plan.lots, plan.trigger = request.lots, request.trigger
    plan.execute = plan.execute if execute is None else execute
    plan.trigger_type = trigger_type or plan.trigger_type
    plan.callback = plan.callback if callback is None else callback
    plan.preset = plan.preset if preset is None else preset
    plan.updated_ms = member.floor.now_ms
    let_go(member, plan)
    if plan.plan_type not in TRAILING or plan.active:
        hold(member, plan, number)
    member.dirty.add(("plan", plan.order_id))
    member.told("plan", plan)
    return plan


def let_go(member: Member, plan: PlanRecord) -> None:
    resting = member.resting.pop(plan.order_id, None)
    if resting is not None:
        for waiting in (member.account.orders[plan.m], member.account.queued[plan.m]):
            waiting[:] = [one for one in waiting if one is not resting]


def cancel(member: Member, plan: PlanRecord, reason: str = "normal_cancel") -> None:
    if not plan.open:
        raise Refusal("43026")
    let_go(member, plan)
    for number in [n for n, one in member.plan_numbers.items() if one is plan]:
        del member.plan_numbers[number]
    plan.status, plan.reason, plan.updated_ms = PLAN_CANCELLED, reason, member.floor.now_ms
    member.dirty.add(("plan", plan.order_id))
    member.told("plan", plan)


def failed(member: Member, record: OrderRecord, reason: str) -> None:
    """The order a plan became ended without a fill: the plan failed."""
    if record.entered != "SYS" or record.filled or reason in ("normal_cancel", "no_position"):
        return
    for plan in reversed(list(member.plans.values())):
        if plan.executed_order_id == record.order_id:
            plan.status, plan.reason, plan.updated_ms = PLAN_FAILED, reason, member.floor.now_ms
            member.dirty.add(("plan", plan.order_id))
            member.told("plan", plan)
            return


# ---- after a fill

def after_fill(member: Member, m: int, record: OrderRecord, lots: int, *, closes: bool) -> None:
    """Presets of an opening fill go to the position; position plans and resting closes follow what is held."""
    if not closes:
        set_presets(member, record, lots)
    held = abs(member.account.lots(m, record.leg))
    for plan in member.open_plans(m):
        if plan.leg != record.leg or plan.plan_type not in POSITION_PLANS:
            continue
        against = member.account.lots(m, plan.leg) * plan.side
        if not held or against > 0:
            cancel(member, plan, "position_closed")
            continue
        resting = member.resting.get(plan.order_id)
        plan.lots = min(plan.lots, held)
        if resting is not None:
            resting.lots = plan.lots or held
    if not held:
        for order in [one for one in member.open_orders(m) if one.closes and one.leg == record.leg and one is not record
                      and not one.by_port]:
            orders.cancel(member, order, "position_closed")


def set_presets(member: Member, record: OrderRecord, lots: int) -> None:
    preset, side = record.preset, -record.side
    for kind, trigger, execute in (("profit_plan", preset.profit, preset.profit_execute), ("loss_plan", preset.loss, preset.loss_execute)):
        if trigger:
            request = PlanRequest(record.m, side, kind, lots, trigger, execute=execute, closes=True, leg=record.leg, entered="SYS")
            rest(member, make(member, request))
