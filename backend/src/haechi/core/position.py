"""What fills do to a leg and to the wallet: entries, exits, liquidation, and the trade rows they leave.

Rules: docs/engine.md, "Units", "Margin", "Trades". `r` is a leg's row in state, `m` its market.
"""

from __future__ import annotations

from typing import Any

from . import margin
from .compiled import compiled, inlined
from .layout import *  # noqa: F403 - the array names are the vocabulary here
from .levels import clear_levels, set_levels
from .money import fee, funding, share_floor

Array = Any


@compiled
def tiers_of(plan: Array) -> Array:
    return plan[plan[TIERS_AT]:plan[TIERS_AT] + 3 * plan[TIERS]].reshape(plan[TIERS], 3)


@inlined
def unrealised(state: Array, plans: Array, r: int, price: int) -> int:
    return (state[r, LOTS] * price - state[r, COST]) * plans[(r - 1) // 2, UNIT]


@inlined
def equity(state: Array, plans: Array) -> int:
    """Wallet plus unrealised at the last marks."""
    total = state[0, WALLET]
    for r in range(1, state.shape[0]):
        if state[r, LOTS] != 0:
            total += unrealised(state, plans, r, state[r, MARK])
    return total


@compiled
def available(state: Array, plans: Array, m: int, price: int) -> int:
    """Money free for new margin: wallet − held + unrealised of cross positions, market m at `price`."""
    free = state[0, WALLET] - state[0, HELD]
    if plans[m, CROSS] == 0:
        return free
    for r in range(1, state.shape[0]):
        if state[r, LOTS] != 0:
            free += unrealised(state, plans, r, price if (r - 1) // 2 == m else state[r, MARK])
    return free


@compiled
def refusal(state: Array, plans: Array, r: int, lots: int, price: int) -> int:
    """Which rule forbids this fill (an index of REFUSALS), or −1."""
    m = (r - 1) // 2
    plan = plans[m]
    tiers = tiers_of(plan)
    notional = lots * price * plan[UNIT]
    after = abs(state[r, COST]) * plan[UNIT] + notional
    if plan[LEVERAGE] > tiers[margin.tier_of(tiers, after), margin.TIER_LEVERAGE]:
        return R_LEVERAGE
    need = margin.initial_margin(notional, plan[LEVERAGE]) + fee(notional, plan[TAKER])
    return R_MARGIN if need > available(state, plans, m, price) else -1


@compiled
def refresh_liquidation(state: Array, plans: Array, m: int) -> None:
    """Liquidation prices of both legs of a market."""
    plan = plans[m]
    tiers = tiers_of(plan)
    for r in range(1 + 2 * m, 3 + 2 * m):
        if state[r, LOTS] == 0:
            continue
        money = state[r, MARGIN]
        if plan[CROSS] == 1:
            money = state[0, WALLET] + _other_cross(state, plans, r)
        state[r, LIQUIDATION] = margin.liquidation(state[r, LOTS], state[r, COST], money, plan[UNIT], plan[TAKER], tiers)


@compiled
def _other_cross(state: Array, plans: Array, r: int) -> int:
    total = 0
    for q in range(1, state.shape[0]):
        if q == r or state[q, LOTS] == 0:
            continue
        plan = plans[(q - 1) // 2]
        total += unrealised(state, plans, q, state[q, MARK])
        total -= margin.maintenance(state[q, LOTS], state[q, MARK], plan[UNIT], plan[TAKER], tiers_of(plan))
    return total


@compiled
def enter(state: Array, plans: Array, r: int, side: int, lots: int, price: int, rate: int, ts: int, point: int) -> bool:
    """Book an opening fill of `lots` at `price`, fee at `rate`; False and counted if refused. point: where the market stands."""
    refused = refusal(state, plans, r, lots, price)
    if refused >= 0:
        state[0, REFUSED + refused] += 1
        return False
    book_entry(state, plans, r, side, lots, price, fee(lots * price * plans[(r - 1) // 2, UNIT], rate), ts, point)
    return True


@compiled
def book_entry(state: Array, plans: Array, r: int, side: int, lots: int, price: int, paid: int, ts: int, point: int) -> None:
    """An opening fill that happened, with the fee that was paid for it."""
    m = (r - 1) // 2
    plan = plans[m]
    leg = state[r]
    held = margin.initial_margin(lots * price * plan[UNIT], plan[LEVERAGE])
    state[0, WALLET] -= paid
    state[0, FEES] += paid
    state[0, HELD] += held
    if leg[LOTS] == 0:
        leg[ENTRY_TS], leg[ENTRY_BAR] = ts, leg[BAR]
        leg[FIRST_PRICE], leg[FIRST_LOTS] = price, lots
        leg[STEPS_DONE], leg[POSITION_PNL] = 0, 0
    leg[MARGIN] += held
    leg[PAID_FEES] += paid
    leg[LOTS] += side * lots
    leg[COST] += side * lots * price
    set_levels(plan, leg, point)
    refresh_liquidation(state, plans, m)


@compiled
def leave(state: Array, plans: Array, trades: Array, r: int, lots: int, price: int, rate: int, reason: int, ts: int) -> None:
    """Book a closing fill of `lots`, fee at `rate`."""
    paid = fee(lots * price * plans[(r - 1) // 2, UNIT], rate)
    book_exit(state, plans, trades, r, lots, price, paid, reason, ts)


@compiled
def book_exit(state: Array, plans: Array, trades: Array, r: int, lots: int, price: int, paid: int, reason: int, ts: int) -> None:
    """A closing fill that happened, with the fee that was paid for it: wallet, trade row, what is left of the position."""
    plan = plans[(r - 1) // 2]
    leg = state[r]
    gross = (_side(leg) * lots * price - share_floor(leg[COST], lots, abs(leg[LOTS]))) * plan[UNIT]
    state[0, WALLET] += gross - paid
    state[0, FEES] += paid
    _release(state, trades, r, lots, price, gross, paid, reason, ts)
    _settle(state, plans, r)


@compiled
def liquidate(state: Array, plans: Array, trades: Array, r: int, ts: int) -> None:
    """The liquidation price was reached: the isolated margin, or under cross margin the whole wallet, is lost."""
    plan = plans[(r - 1) // 2]
    leg = state[r]
    lots, price = abs(leg[LOTS]), leg[LIQUIDATION]
    if plan[CROSS] == 0:
        state[0, WALLET] -= leg[MARGIN]
        _release(state, trades, r, lots, price, -leg[MARGIN], 0, BY_LIQUIDATION, ts)
    else:
        for q in range(1, state.shape[0]):
            if q != r and state[q, LOTS] != 0:
                book_exit(state, plans, trades, q, abs(state[q, LOTS]), state[q, MARK], 0, BY_LIQUIDATION, ts)
        gross = (leg[LOTS] * price - leg[COST]) * plan[UNIT]
        gross -= max(state[0, WALLET] + gross, 0)
        state[0, WALLET] += gross
        _release(state, trades, r, lots, price, gross, 0, BY_LIQUIDATION, ts)
    _settle(state, plans, r)


@compiled
def charge_funding(state: Array, plans: Array, r: int, price: int, rate: int) -> None:
    """One funding instant: longs pay a positive rate, shorts get it."""
    if state[r, LOTS] == 0:
        return
    amount = funding(state[r, LOTS], price, plans[(r - 1) // 2, UNIT], rate)
    book_funding(state, r, amount)


@compiled
def book_funding(state: Array, r: int, amount: int) -> None:
    """Funding that was paid (+) or received (−) for a leg."""
    state[0, WALLET] -= amount
    state[0, FUNDING] += amount
    state[r, PAID_FUNDING] += amount


@compiled
def _side(leg: Array) -> int:
    return 1 if leg[LOTS] > 0 else -1


@compiled
def _release(state: Array, trades: Array, r: int, lots: int, price: int, gross: int, paid: int, reason: int, ts: int) -> None:
    """Take the closed lots' share out of the position and write their trade row. `gross`: money won before fees."""
    leg = state[r]
    held, side = abs(leg[LOTS]), _side(leg)
    fees = share_floor(leg[PAID_FEES], lots, held) + paid
    funded = share_floor(leg[PAID_FUNDING], lots, held)
    pnl = gross - fees - funded
    n = state[0, TRADES]
    if n < trades.shape[0]:
        row = trades[n]
        row[T_MARKET], row[T_SIDE], row[T_LOTS] = (r - 1) // 2, side, lots
        row[T_ENTRY_TS], row[T_ENTRY_COST], row[T_ENTRY_LOTS] = leg[ENTRY_TS], abs(leg[COST]), held
        row[T_EXIT_TS], row[T_EXIT_PRICE] = ts, price
        row[T_PNL], row[T_FEE], row[T_FUNDING], row[T_REASON] = pnl, fees, funded, reason
        row[T_ENTRY_BAR], row[T_EXIT_BAR] = leg[ENTRY_BAR], leg[BAR]
    _count(state, pnl, reason)
    margin_share = share_floor(leg[MARGIN], lots, held)
    state[0, HELD] -= margin_share
    leg[MARGIN] -= margin_share
    leg[PAID_FEES] -= fees - paid
    leg[PAID_FUNDING] -= funded
    leg[COST] -= share_floor(leg[COST], lots, held)
    leg[LOTS] -= side * lots
    leg[POSITION_PNL] += pnl


@compiled
def _count(state: Array, pnl: int, reason: int) -> None:
    account = state[0]
    account[TRADES] += 1
    if pnl > 0:
        account[WINS] += 1
        account[GROSS_PROFIT] += pnl
    else:
        account[GROSS_LOSS] -= pnl
    if reason == BY_LIQUIDATION:
        account[LIQUIDATIONS] += 1


@compiled
def _settle(state: Array, plans: Array, r: int) -> None:
    """After a closing fill: a new liquidation price for what is left, or the end of the position."""
    m = (r - 1) // 2
    leg = state[r]
    if leg[LOTS] == 0:
        if leg[POSITION_PNL] < 0:
            state[0, STREAK] += 1
            leg[COOL_UNTIL] = leg[BAR] + plans[m, COOL_DOWN]
        else:
            state[0, STREAK] = 0
        clear_levels(leg)
    refresh_liquidation(state, plans, m)
