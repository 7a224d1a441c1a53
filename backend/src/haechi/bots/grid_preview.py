"""A grid looked at before it starts: its lines, what they earn, what it can come to, and how it would have done lately."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from haechi.bots.grid_market import bars_of
from haechi.bots.grid_schemas import GridBacktestAnswer, PlanBody, PreviewAnswer, PreviewBody, PreviewLine, WarningAnswer
from haechi.bots.grid_words import warning
from haechi.core.grid import GridMarket, run_grid
from haechi.core.grid_live import begin, ladder_of
from haechi.core.grid_plan import GridPlan, most_cells
from haechi.core.grid_preview import Ends, atr_range, break_even_percent, ends_of, percentile_range
from haechi.core.grid_size import WorstCase, worst_case
from haechi.core.instrument import Instrument
from haechi.core.plan import Costs
from haechi.core.units import text, unscaled
from haechi.markets.feed import Listing
from haechi.venue.past import TickBar

SLIPPAGE = Decimal("0.0001")
PLAN_FIELDS = ("direction", "spacing", "quantity", "investment", "leverage", "trigger", "stop_lower", "stop_upper", "take_profit",
               "trail_up", "trail_down")


def bars_wanted(body: PlanBody) -> int:
    """How many of the last bars its range is made of, 0 where it is given."""
    return 0 if body.range == "manual" else body.auto.bars


def plan_of(body: PlanBody, rows: Sequence[TickBar], one: Instrument) -> GridPlan:
    """Cells of lines, and the range of the last bars (in ticks, of the market it is to trade on) where it is auto. Raises UnitError."""
    cells = body.cells if body.cells is not None else (body.lines or 0) - 1
    lower, upper = (body.lower, body.upper) if body.range == "manual" else auto_range(body, rows, one)
    assert lower is not None and upper is not None  # PlanBody.whole
    return GridPlan(lower=lower, upper=upper, cells=cells, **{name: getattr(body, name) for name in PLAN_FIELDS})


def auto_range(body: PlanBody, rows: Sequence[TickBar], one: Instrument) -> tuple[Decimal, Decimal]:
    auto = body.auto
    if auto.method == "percentile":
        lower, upper = percentile_range([row.low for row in rows], [row.high for row in rows], auto.percent)
    else:
        lower, upper = atr_range([(row.high, row.low, row.close) for row in rows], auto.multiple)
    return one.price(lower), one.price(upper)


def rows_wanted(body: PreviewBody) -> int:
    """How many of the last bars a preview looks at, at least the last one for its price."""
    return max(1, bars_wanted(body), body.bars if body.backtest else 0)


def preview(body: PreviewBody, there: Listing, one: Instrument, rows: Sequence[TickBar], language: str) -> PreviewAnswer:
    """rows: the last bars of the market it is to trade on, oldest first. Raises UnitError where the grid could not be started."""
    plan, costs = plan_of(body, rows[-(bars_wanted(body) or 1):], one), Costs(slippage=SLIPPAGE, capital=body.capital)
    start = body.trigger or body.price or one.price(rows[-1].close)
    worst, ends = worst_case(plan, one, costs, start), ends_of(plan, one, costs, start)
    lines = lines_of(plan, one, costs, start)
    least_percent, most_percent = percents(worst, lines)
    most = most_cells(plan.lower, plan.upper, plan.spacing, one.maker)
    return PreviewAnswer(
        symbol=one.symbol, price=f"{start:f}", cells=plan.cells, lines=lines, quantity=f"{worst.quantity:f}", at_once=f"{worst.at_once:f}",
        start_fee=f"{worst.start_fee:.8f}", needed=f"{worst.needed:.8f}", order_value_least=f"{ends.order_value_least:.8f}",
        order_value_most=f"{ends.order_value_most:.8f}", cell_profit_least=f"{min(worst.cell_profits):.8f}",
        cell_profit_most=f"{max(worst.cell_profits):.8f}", cell_percent_least=f"{least_percent:.4f}",
        cell_percent_most=f"{most_percent:.4f}",
        break_even_percent=f"{break_even_percent(one):f}", most_cells=most, liquidation_down=shown(worst.liquidation_down),
        liquidation_up=shown(worst.liquidation_up), loss_at_stop_lower=money(ends.loss_lower), loss_at_stop_upper=money(ends.loss_upper),
        long_most=f"{ends.long_most:f}", short_most=f"{ends.short_most:f}", warnings=warnings(plan, worst, ends, start, most, language),
        backtest=tried(plan, costs, there, one, rows[-body.bars:]) if body.backtest else None)


def shown(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def money(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:.8f}"


def lines_of(plan: GridPlan, one: Instrument, costs: Costs, price: Decimal) -> list[PreviewLine]:
    ladder = ladder_of(plan, one, costs, one.ticks_nearest(price))
    state = begin(ladder, one.ticks_nearest(price))
    return [PreviewLine(line=k - state.bottom, price=f"{one.price(ladder.lines[k]):f}",
                        side="empty" if k == state.empty else "buy" if k < state.empty else "sell",
                        value=f"{unscaled(ladder.lines[k] * ladder.lots * one.unit):.8f}")
            for k in range(state.bottom, state.bottom + plan.cells + 1)]


def percents(worst: WorstCase, lines: list[PreviewLine]) -> tuple[Decimal, Decimal]:
    """Least and most that a cell earns, in percent of what its lower line costs."""
    found = [profit / Decimal(line.value) * 100 for profit, line in zip(worst.cell_profits, lines, strict=False)]
    return min(found), max(found)


def warnings(plan: GridPlan, worst: WorstCase, ends: Ends, price: Decimal, most: int | None,  # noqa: PLR0913
             language: str) -> list[WarningAnswer]:
    found: list[tuple[str, dict[str, object]]] = []
    if min(worst.cell_profits) <= 0:
        found.append(("cells_lose", {"most": most}))
    if not plan.lower <= price <= plan.upper:
        found.append(("price_outside", {"price": price, "lower": plan.lower, "upper": plan.upper}))
    if (ends.long_most and plan.stop_lower is None) or (ends.short_most and plan.stop_upper is None):
        found.append(("no_stop", {}))
    for end, stop, way in ((worst.liquidation_down, plan.stop_lower, 1), (worst.liquidation_up, plan.stop_upper, -1)):
        if end is not None and plan.lower <= end <= plan.upper:
            found.append(("liquidation_in_range", {"price": end}))
        if end is not None and stop is not None and way * (end - stop) >= 0:
            found.append(("liquidation_before_stop", {"price": end, "stop": stop}))
    if (plan.trail_up or plan.trail_down) and (plan.stop_lower or plan.stop_upper):
        found.append(("trails_from_stop", {}))
    return [WarningAnswer(code=code, text=warning(language, code, **facts)) for code, facts in found]


def tried(plan: GridPlan, costs: Costs, there: Listing, one: Instrument, rows: Sequence[TickBar]) -> GridBacktestAnswer:
    """The same grid from the first of the last bars on, without funding: the market's own is not known to it."""
    made = bars_of(one, there.timeframe_ms, rows)
    found = run_grid(GridMarket(one, made), plan, costs, "path")
    return GridBacktestAnswer(
        market=there.label, bars=len(made), first=moment(int(made.ts[0])), last=moment(int(made.ts[-1])), fills=len(found.table),
        pairs=found.pairs, total=text(found.final_equity - found.capital), matched=text(found.matched), unmatched=text(found.unmatched),
        fees=text(found.fees), funding=text(found.funding), max_drawdown=f"{found.max_drawdown:.6f}", ended_by=found.end_reason)


def moment(ts: int) -> datetime:
    return datetime.fromtimestamp(ts / 1000, UTC)
