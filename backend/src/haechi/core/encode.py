"""A Plan, an instrument and the costs as the int64 row the compiled engine reads (layout.py names its fields)."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

import numpy as np

from . import layout as at
from .instrument import Instrument
from .plan import Costs, Ladder, Plan
from .units import SCALE, UnitError, scaled

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE_RATE_MAX = Decimal(10_000)  # a ladder step of ten thousand times the first order is a typing error
NOTIONAL_MAX = Decimal(at.NOTIONAL_MAX).scaleb(-8)


def encode(plan: Plan, instrument: Instrument, costs: Costs, reading: str) -> NDArray[np.int64]:
    """The plan row; raises UnitError for figures the engine cannot mean."""
    tiers, ladder = _tiers(instrument), _ladder(plan.ladder)
    row = np.zeros(at.PLAN_HEAD + len(tiers) + len(ladder), dtype=np.int64)
    row[at.UNIT], row[at.MIN_LOTS], row[at.MIN_NOTIONAL] = instrument.unit, instrument.min_lots, instrument.min_notional
    row[at.MAKER], row[at.TAKER] = scaled(instrument.maker), scaled(instrument.taker)
    row[at.SLIPPAGE] = _rate(costs.slippage, "slippage")
    row[at.READING] = _index(at.READINGS, reading, "reading")
    row[at.LEVERAGE], row[at.CROSS], row[at.HEDGE] = _leverage(plan), plan.margin == "cross", plan.hedge
    row[at.ON_OPPOSITE] = _index(at.OPPOSITES, plan.on_opposite, "on_opposite")
    _size(row, plan, instrument)
    _entry(row, plan)
    _exits(row, plan)
    _protections(row, plan)
    row[at.LADDER_STEPS] = len(ladder) // 2
    row[at.TIERS], row[at.TIERS_AT], row[at.LADDER_AT] = len(tiers) // 3, at.PLAN_HEAD, at.PLAN_HEAD + len(tiers)
    row[at.PLAN_HEAD:] = tiers + ladder
    return row


def pack(rows: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Plan rows of several markets as one array, padded with zeros."""
    packed = np.zeros((len(rows), max(len(row) for row in rows)), dtype=np.int64)
    for k, row in enumerate(rows):
        packed[k, :len(row)] = row
    return packed


def _rate(value: Decimal, what: str, *, below: Decimal = Decimal(1)) -> int:
    if not 0 <= value < below:
        raise UnitError(f"{what} must be at least 0 and less than {below}, got {value}")
    return scaled(value, what=what)


def _index(words: tuple[str, ...], word: str, what: str) -> int:
    if word not in words or not word:
        raise UnitError(f"{what} must be one of {', '.join(w for w in words if w)}, got {word!r}")
    return words.index(word)


def _leverage(plan: Plan) -> int:
    if not 1 <= plan.leverage <= 125:
        raise UnitError(f"leverage must be 1 to 125, got {plan.leverage}")
    return plan.leverage


def _tiers(instrument: Instrument) -> list[int]:
    flat = []
    for tier in instrument.tiers:
        flat += [scaled(min(tier.notional_max, NOTIONAL_MAX)), scaled(tier.maintenance), tier.leverage_max]
    return flat


def _size(row: NDArray[np.int64], plan: Plan, instrument: Instrument) -> None:
    kind = _index(at.SIZES, plan.size.kind, "size.kind")
    amount = plan.size.amount
    if amount <= 0:
        raise UnitError(f"size must be greater than 0, got {amount}")
    row[at.SIZE_KIND] = kind
    if kind == at.FIXED_QUANTITY:
        row[at.SIZE_AMOUNT] = instrument.lots(amount)
    elif kind == at.FIXED_QUOTE:
        row[at.SIZE_AMOUNT] = scaled(amount, what="size.quote")
    else:
        row[at.SIZE_AMOUNT] = _rate(amount, "size.fraction", below=Decimal("1.00000001"))
    if kind == at.RISK_FRACTION and plan.stop_loss is None:
        raise UnitError("size kind risk_fraction needs a stop_loss: the risk is the loss at the stop")


def _entry(row: NDArray[np.int64], plan: Plan) -> None:
    row[at.PLAN_ENTRY] = _index(at.ENTRIES, plan.entry.kind, "entry.kind")
    row[at.ENTRY_OFFSET] = _rate(plan.entry.offset, "entry.offset")
    row[at.LIMIT_OFFSET] = _rate(plan.entry.limit_offset, "entry.limit_offset")
    row[at.ENTRY_BARS] = _count(plan.entry.bars, "entry.bars", least=1)


def _exits(row: NDArray[np.int64], plan: Plan) -> None:
    if plan.stop_loss is not None:
        row[at.STOP_LOSS] = _positive(plan.stop_loss, "stop_loss.percent")
    if plan.break_even is not None:
        row[at.BREAK_EVEN] = _positive(plan.break_even, "break_even.percent")
    if plan.trailing is not None:
        row[at.TRAIL_DISTANCE] = _positive(plan.trailing.distance, "trailing.distance")
        row[at.TRAIL_ACTIVATION] = _rate(plan.trailing.activation, "trailing.activation")
    row[at.TIME_STOP] = _count(plan.time_stop, "time_stop.bars")
    row[at.COOL_DOWN] = _count(plan.cool_down, "cool_down.bars")
    _targets(row, plan)


def _targets(row: NDArray[np.int64], plan: Plan) -> None:
    percents = [target.percent for target in plan.targets]
    shares = sum(target.share for target in plan.targets)
    if len(percents) > 4 or percents != sorted(set(percents)):
        raise UnitError("take_profit takes up to four targets in rising percent")
    if shares > 1:
        raise UnitError(f"the shares of take_profit add up to {shares * 100} %, more than the position")
    if plan.ladder is not None and len(percents) > 1:
        raise UnitError("with dca there is one average and one target: give at most one take_profit")
    row[at.TARGETS], row[at.TARGETS_FULL] = len(percents), shares == 1
    for k, target in enumerate(plan.targets):
        row[at.TARGET_PERCENT + k] = _positive(target.percent, "take_profit.percent", below=Decimal(2))
        row[at.TARGET_SHARE + k] = _positive(target.share, "take_profit.share", below=Decimal("1.00000001"))


def _protections(row: NDArray[np.int64], plan: Plan) -> None:
    rules = plan.protections
    row[at.DAILY_LOSS], row[at.DAILY_FLATTEN] = _rate(rules.daily_loss, "daily_loss.percent"), rules.daily_loss_flatten
    row[at.DRAWDOWN], row[at.DRAWDOWN_FLATTEN] = _rate(rules.drawdown, "drawdown.percent"), rules.drawdown_flatten
    row[at.DRAWDOWN_BARS] = _count(rules.drawdown_bars, "drawdown.bars", least=1 if rules.drawdown > 0 else 0)
    row[at.LOSING_STREAK] = _count(rules.losing_streak, "losing_streak.trades")
    row[at.STREAK_BARS] = _count(rules.losing_streak_bars, "losing_streak.bars", least=1 if rules.losing_streak else 0)


def _ladder(ladder: Ladder | None) -> list[int]:
    """Distance and size rate of each DCA step: s(c^k − 1)/(c − 1), v·m^(k−1), both rounded half up to 1e-8."""
    if ladder is None:
        return []
    if not 1 <= ladder.steps <= 50:
        raise UnitError(f"dca.steps must be 1 to 50, got {ladder.steps}")
    for name in ("percent", "percent_scale", "size", "size_scale"):
        if getattr(ladder, name) <= 0:
            raise UnitError(f"dca.{name} must be greater than 0, got {getattr(ladder, name)}")
    flat, distance, gap, size = [], Decimal(0), ladder.percent, ladder.size
    for _ in range(ladder.steps):
        distance += gap  # the geometric sum, term by term: exact while Decimal holds the digits
        flat += [_half_up(min(distance, Decimal(1))), _half_up(min(size, SIZE_RATE_MAX))]
        gap *= ladder.percent_scale
        size *= ladder.size_scale
    return flat


def _half_up(value: Decimal) -> int:
    return int((value * SCALE).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _positive(value: Decimal, what: str, *, below: Decimal = Decimal(1)) -> int:
    rate = _rate(value, what, below=below)
    if rate == 0:
        raise UnitError(f"{what} must be greater than 0, got {value}")
    return rate


def _count(value: int, what: str, *, least: int = 0) -> int:
    if not least <= value <= 10_000_000:
        raise UnitError(f"{what} must be a whole number of at least {least}, got {value}")
    return value
