"""Trigger, trailing and take-profit/stop endpoints."""

from __future__ import annotations

from typing import Any

from haechi.core.instrument import Instrument
from haechi.venue.plans import check_position_plan
from haechi.venue.records import ENTRY_PLANS, POSITION_PLANS, PlanRecord, Preset
from haechi.venue.refusal import Refusal
from haechi.venue.requests import PlanRequest
from haechi.venue.wire import formats
from haechi.venue.wire.account import leg_of
from haechi.venue.wire.inputs import Call
from haechi.venue.wire.orders import ORDER, direction, each, items, use_margin_mode
from haechi.venue.wire.paging import listed, page
from haechi.venue.wire.routing import route

TRIGGERS = ("fill_price", "mark_price", "index_price")
PERCENT = 10**6  # of 1e-8 fractions
CALLBACK_MAX = 10 * PERCENT


def callback(call: Call, name: str) -> int:
    """A distance in percent, as a fraction in 1e-8."""
    percent = call.decimal(name)
    if not 0 < percent * PERCENT <= CALLBACK_MAX or percent * PERCENT != int(percent * PERCENT):
        raise Refusal("43032", "0.01") if percent <= 0 else Refusal("40020", name)
    return int(percent * PERCENT)


def ids(plan: PlanRecord) -> dict[str, str]:
    return {"orderId": plan.order_id, "clientOid": plan.client_oid}


@route("POST", ORDER + "place-plan-order", needs="trade")
def place_plan_order(call: Call) -> Any:
    call.product()
    call.margin_coin()
    m, one = call.market(), call.instrument
    plan_type = call.word("planType", ENTRY_PLANS)
    kind = call.word("orderType", ("limit", "market"))
    if plan_type == "track_plan" and kind != "market":
        raise Refusal("45051")
    side, leg, closes = direction(call)
    execute = call.ticks("price", one, None) if kind == "limit" else 0
    if kind == "limit" and not execute:
        raise Refusal("45051")
    preset = Preset(*(call.ticks(name, one) for name in ("stopSurplusTriggerPrice", "stopSurplusExecutePrice", "stopLossTriggerPrice",
                                                           "stopLossExecutePrice"))) if plan_type == "normal_plan" else Preset()
    request = PlanRequest(m, side, plan_type, call.lots("size", one), call.ticks("triggerPrice", one, None),
                          call.word("triggerType", TRIGGERS, "fill_price"), execute, call.client_oid(), closes, leg,
                          callback(call, "callbackRatio") if plan_type == "track_plan" else 0, preset)
    use_margin_mode(call, m)
    return ids(call.member.place_plan(request))


def tpsl(call: Call, m: int, plan_type: str, lots: int, trigger: int, execute: int, client_oid: str, trigger_type: str,
         distance: int = 0) -> PlanRequest:
    """A plan on a position: it closes what `holdSide` names. In one-way mode, the side of the position that is held."""
    leg = leg_of(call)
    assert leg is not None
    long = call.word("holdSide", ("long", "short", "buy", "sell", "net")) in ("long", "buy")
    if call.word("holdSide", ("long", "short", "buy", "sell", "net")) == "net":
        long = call.member.account.lots(m, leg) > 0
    return PlanRequest(m, -1 if long else 1, plan_type, lots, trigger, trigger_type, execute, client_oid, True, leg, distance)


@route("POST", ORDER + "place-tpsl-order", needs="trade")
def place_tpsl_order(call: Call) -> Any:
    call.product()
    call.margin_coin()
    m, one = call.market(), call.instrument
    plan_type = call.word("planType", POSITION_PLANS)
    whole = plan_type.startswith("pos_")
    distance = callback(call, "rangeRate") if plan_type == "moving_plan" else 0
    return ids(call.member.place_plan(tpsl(
        call, m, plan_type, 0 if whole else call.lots("size", one), call.ticks("triggerPrice", one, None), call.ticks("executePrice", one),
        call.client_oid(), call.word("triggerType", TRIGGERS, "fill_price"), distance)))


@route("POST", ORDER + "place-pos-tpsl", needs="trade")
def place_pos_tpsl(call: Call) -> Any:
    """Both ends at once, or none: both are checked before the first is placed."""
    call.product()
    call.margin_coin()
    m, one = call.market(), call.instrument
    wanted: list[PlanRequest] = []
    for word, kind in (("Surplus", "profit"), ("Loss", "loss")):
        trigger = call.ticks(f"stop{word}TriggerPrice", one)
        if not trigger:
            continue
        lots = call.lots(f"stop{word}Size", one, "0")
        wanted.append(tpsl(call, m, f"{kind}_plan" if lots else f"pos_{kind}", lots, trigger, call.ticks(f"stop{word}ExecutePrice", one),
                           call.client_oid(f"stop{word}ClientOid"), call.word(f"stop{word}TriggerType", TRIGGERS, "fill_price")))
    if not wanted:
        raise Refusal("40913", "stopSurplusTriggerPrice or stopLossTriggerPrice")
    made = both_or_none(call, wanted)
    oids = {("stopSurplusClientOid" if "profit" in plan.plan_type else "stopLossClientOid"): plan.client_oid for plan in made}
    return [{"orderId": plan.order_id, "stopSurplusClientOid": oids.get("stopSurplusClientOid", ""),
             "stopLossClientOid": oids.get("stopLossClientOid", "")} for plan in made]


def both_or_none(call: Call, wanted: list[PlanRequest]) -> list[PlanRecord]:
    for request in wanted:
        check_position_plan(call.member, request)
    made: list[PlanRecord] = []
    try:
        for request in wanted:
            made.append(call.member.place_plan(request))
    except Refusal:  # what is not of the position: a client id, the number of plans
        for plan in made:
            call.member.cancel_plan(plan)
        raise
    return made


def named(call: Call, kinds: tuple[str, ...] = ()) -> PlanRecord:
    order_id, client_oid = call.order_id(), call.client_oid()
    if not order_id and not client_oid:
        raise Refusal("40924")
    found = call.member.find_plan(order_id=order_id, client_oid=client_oid)
    m = call.symbol(needed=False)
    if found is None or (m is not None and found.m != m) or (kinds and found.plan_type not in kinds):
        raise Refusal("43025")
    return found


def given_ticks(call: Call, name: str, one: Instrument) -> int | None:
    return call.ticks(name, one) if call.text(name, "") else None


@route("POST", ORDER + "modify-plan-order", needs="trade")
def modify_plan_order(call: Call) -> Any:
    call.product()
    plan = named(call, ENTRY_PLANS)
    one = call.floor.instruments[plan.m]
    presets = [given_ticks(call, name, one) for name in ("newStopSurplusTriggerPrice", "newStopSurplusExecutePrice",
                                                         "newStopLossTriggerPrice", "newStopLossExecutePrice")]
    old = (plan.preset.profit, plan.preset.profit_execute, plan.preset.loss, plan.preset.loss_execute)
    preset = Preset(*(was if new is None else new for was, new in zip(old, presets, strict=True)))
    return ids(call.member.modify_plan(
        plan, lots=call.lots("newSize", one) if call.text("newSize", "") else None, trigger=given_ticks(call, "newTriggerPrice", one),
        execute=given_ticks(call, "newPrice", one), trigger_type=call.word("newTriggerType", TRIGGERS, "") or None,
        callback=callback(call, "newCallbackRatio") if call.text("newCallbackRatio", "") else None, preset=preset))


@route("POST", ORDER + "modify-tpsl-order", needs="trade")
def modify_tpsl_order(call: Call) -> Any:
    call.product()
    call.margin_coin()
    plan, one = named(call, POSITION_PLANS), call.instrument
    lots = None if plan.plan_type.startswith("pos_") or not call.text("size", "") else call.lots("size", one)
    if lots is not None and lots > abs(call.member.account.lots(plan.m, plan.leg)):
        raise Refusal("43023")
    return ids(call.member.modify_plan(
        plan, lots=lots, trigger=call.ticks("triggerPrice", one, None), execute=given_ticks(call, "executePrice", one),
        trigger_type=call.word("triggerType", TRIGGERS, "") or None,
        callback=callback(call, "rangeRate") if call.text("rangeRate", "") else None))


def kinds_of(word: str) -> tuple[str, ...]:
    return POSITION_PLANS if word == "profit_loss" else (word,)


@route("POST", ORDER + "cancel-plan-order", needs="trade")
def cancel_plan_order(call: Call) -> Any:
    """Without a list, every plan of the type (and symbol)."""
    if not call.ours():
        return {"successList": [], "failureList": []}
    m = call.symbol(needed=False)
    kinds = kinds_of(call.word("planType", (*ENTRY_PLANS, *POSITION_PLANS, "profit_loss"), "normal_plan"))
    if call.given.get("orderIdList"):
        return each(call, items(call, "orderIdList"), cancelled)
    if call.text("orderId", "") or call.text("clientOid", ""):
        return {"successList": [cancelled(call)], "failureList": []}
    done = [plan for plan in call.member.open_plans(m) if plan.plan_type in kinds]
    for plan in done:
        call.member.cancel_plan(plan)
    return {"successList": [ids(plan) for plan in done], "failureList": []}


def cancelled(call: Call) -> dict[str, str]:
    plan = named(call)
    call.member.cancel_plan(plan)
    return ids(plan)


def chosen(call: Call, plans: list[PlanRecord]) -> Any:
    kinds = kinds_of(call.word("planType", (*ENTRY_PLANS, *POSITION_PLANS, "profit_loss")))
    m, order_id, client_oid = call.symbol(needed=False), call.order_id(), call.client_oid()
    wanted = [one for one in plans if m in (None, one.m) and one.plan_type in kinds and order_id in ("", one.order_id)
              and client_oid in ("", one.client_oid)]
    found, end = page(call, wanted, identity=lambda one: one.order_id, time=lambda one: one.created_ms)
    shown = [formats.plan(one, call.floor.instruments[one.m], call.member.orders.get(one.executed_order_id)) for one in found]
    return listed("entrustedList", shown, end)


@route("GET", ORDER + "orders-plan-pending")
def plans_pending(call: Call) -> Any:
    ours = call.ours()
    return chosen(call, [one for one in call.member.open_plans() if ours])


@route("GET", ORDER + "orders-plan-history")
def plans_history(call: Call) -> Any:
    ours = call.ours()
    status = call.word("planStatus", ("executed", "fail_execute", "cancelled"), "")
    return chosen(call, [one for one in call.member.plans.values() if ours and not one.open and status in ("", one.status)])


@route("GET", ORDER + "plan-sub-order")
def plan_sub_order(call: Call) -> Any:
    call.product()
    call.word("planType", ENTRY_PLANS)
    plan = call.member.find_plan(order_id=call.order_id("planOrderId") or call.text("planOrderId"))
    if plan is None:
        raise Refusal("43025")
    made = call.member.orders.get(plan.executed_order_id)
    if made is None:
        return []
    one = call.floor.instruments[plan.m]
    return [{"orderId": made.order_id, "price": formats.num(one.price(made.price)), "type": made.kind,
             "status": "success" if plan.status == "executed" else "fail"}]
