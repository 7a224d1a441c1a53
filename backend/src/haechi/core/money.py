"""Exact integer arithmetic of money: ticks, lots, 1e-8 units and 1e-8 rates. All arguments and results int64.

Products that would not fit int64 are split; the comments give the bound that keeps each step inside.
"""

from __future__ import annotations

from .compiled import compiled

RATE = 100_000_000  # rates and money share the scale 1e-8
HALF = 50_000_000
STEP = 10_000  # RATE = STEP × STEP: long division in two steps
WIDE = 9 * 10**14  # from here on a rest × STEP may leave int64
FAR = 2**36  # more ticks than a price may have, more lots than an order may have; FAR × RATE still fits int64


@compiled
def rate_floor(amount: int, rate: int) -> int:
    """floor(amount × rate / 1e8), amount ≥ 0, rate ≥ 0; exact while amount/1e8 × rate fits int64."""
    return (amount // RATE) * rate + (amount % RATE) * rate // RATE


@compiled
def rate_ceil(amount: int, rate: int) -> int:
    """ceil(amount × rate / 1e8), amount ≥ 0, rate ≥ 0."""
    return (amount // RATE) * rate + ((amount % RATE) * rate + RATE - 1) // RATE


@compiled
def rate_half_up(amount: int, rate: int) -> int:
    """amount × rate / 1e8 rounded half up, amount ≥ 0, rate ≥ 0: every fee."""
    return (amount // RATE) * rate + ((amount % RATE) * rate + HALF) // RATE


@compiled
def share_floor(amount: int, part: int, whole: int) -> int:
    """floor(|amount| × part / whole) with the sign of amount; 0 ≤ part ≤ whole, whole < 3e9 (part × remainder fits)."""
    size = abs(amount)
    share = (size // whole) * part + (size % whole) * part // whole
    return share if amount >= 0 else -share


@compiled
def scaled_floor(amount: int, by: int) -> int:
    """floor(amount × 1e8 / by) for amount ≥ 0, 0 < by < 9e17, amount / by < FAR: long division in two steps of 1e4, or eight of 10."""
    whole, rest = amount // by, amount % by
    if by >= WIDE:
        for _ in range(8):
            rest *= 10
            whole = whole * 10 + rest // by
            rest %= by
        return whole
    first = rest * STEP
    second = first % by * STEP
    return whole * RATE + first // by * STEP + second // by


@compiled
def risk_lots(amount: int, rate: int, by: int, percent: int) -> int:
    """floor(amount × rate / (by × percent)): lots whose loss of `percent` of `by` (money of a lot) is amount × rate; at most FAR."""
    whole, rest = rate_floor(amount, rate), amount % RATE * rate % RATE
    if whole // by >= FAR:
        return FAR
    left = whole % by * STEP % by * STEP % by
    return (scaled_floor(whole, by) + (left + rest) // by) // percent


@compiled
def scaled_exact(amount: int, by: int) -> bool:
    """Whether amount × 1e8 / by is whole; bounds as for scaled_floor."""
    if by >= WIDE:
        rest = amount % by
        for _ in range(8):
            rest = rest * 10 % by
        return rest == 0
    return amount % by * STEP % by * STEP % by == 0


@compiled
def ratio_floor(amount: int, by: int, rate: int) -> int:
    """floor(amount × 1e8 / (by × rate)), amount ≥ 0: floors nest, so two divisions are exact."""
    return scaled_floor(amount, by) // rate


@compiled
def ratio_ceil(amount: int, by: int, rate: int) -> int:
    """ceil(amount × 1e8 / (by × rate)), amount ≥ 0."""
    quotient = scaled_floor(amount, by)
    whole = quotient // rate
    return whole if whole * rate == quotient and scaled_exact(amount, by) else whole + 1


@compiled
def level_floor(cost: int, lots: int, rate: int) -> int:
    """floor(cost / lots × rate / 1e8) in ticks: a price at `rate` of the average; cost, lots > 0, rate ≤ 3e8."""
    product = cost // lots * rate + cost % lots * rate // lots
    return product // RATE


@compiled
def level_ceil(cost: int, lots: int, rate: int) -> int:
    """ceil(cost / lots × rate / 1e8) in ticks."""
    rest = cost % lots * rate
    product = cost // lots * rate + rest // lots
    whole = product // RATE
    return whole if whole * RATE == product and rest % lots == 0 else whole + 1


@compiled
def slipped(price: int, side: int, slippage: int) -> int:
    """A market order's price in ticks: moved against the taker and rounded against him. side +1 buys, −1 sells."""
    return price + side * rate_ceil(price, slippage)


@compiled
def fee(notional: int, rate: int) -> int:
    """Fee on a notional, rounded half up."""
    return rate_half_up(notional, rate)


@compiled
def funding(lots: int, price: int, unit: int, rate: int) -> int:
    """What a position of signed lots pays (+) or gets (−) at a funding instant."""
    amount = rate_half_up(abs(lots) * price * unit, abs(rate))
    return amount if (lots > 0) == (rate > 0) else -amount
