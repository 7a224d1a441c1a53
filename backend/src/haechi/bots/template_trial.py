"""The back-test behind a template: the same engine, over the bars it is given. What it is shown with says which market that was."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from haechi.bots.template_schemas import GridTemplate, TrendTemplate
from haechi.core.bars import Bars
from haechi.core.grid import GridMarket, run_grid
from haechi.core.grid_plan import GridPlan
from haechi.core.instrument import Instrument
from haechi.core.plan import Costs
from haechi.core.run import Market, run
from haechi.core.strategies import find
from haechi.core.units import text
from haechi.platform.clock import instant

SLIPPAGE = Decimal("0.0001")
HUNDRED = Decimal(100)


def grid_plan(plan: GridTemplate, one: Instrument, price: Decimal, investment: Decimal) -> GridPlan:
    """Around a price. Raises UnitError."""
    def at(percent: Decimal | None, way: int) -> Decimal | None:
        return None if percent is None else one.price(one.ticks_nearest(price * (1 + way * percent / HUNDRED)))

    lower, upper = at(plan.below, -1), at(plan.above, 1)
    assert lower is not None and upper is not None
    return GridPlan(lower=lower, upper=upper, cells=plan.cells, direction=plan.direction, spacing=plan.spacing, investment=investment,
                    leverage=plan.leverage, stop_lower=at(plan.stop_below, -1), stop_upper=at(plan.stop_above, 1), trail_up=plan.trail_up,
                    trail_down=plan.trail_down)


def trial(plan: GridTemplate | TrendTemplate, one: Instrument, bars: Bars, label: str, capital: Decimal) -> dict[str, Any]:
    """Figures and what they rest on. Raises UnitError, LanguageError, BadInput for a plan that cannot be played."""
    head = {"market": label, "symbol": one.symbol, "timeframe_ms": bars.timeframe_ms, "bars": len(bars),
            "first": instant(int(bars.ts[0])).isoformat(), "last": instant(int(bars.ts[-1])).isoformat(), "capital": f"{capital:f}",
            "reading": "path" if isinstance(plan, GridTemplate) else "adverse"}
    return head | (_grid(plan, one, bars, capital) if isinstance(plan, GridTemplate) else _trend(plan, one, bars, capital))


def _grid(plan: GridTemplate, one: Instrument, bars: Bars, capital: Decimal) -> dict[str, Any]:
    made = grid_plan(plan, one, one.price(int(bars.open_ticks[0])), capital * Decimal("0.95"))
    found = run_grid(GridMarket(one, bars), made, Costs(slippage=SLIPPAGE, capital=capital), "path")
    return {"total": text(found.final_equity - found.capital), "matched": text(found.matched), "unmatched": text(found.unmatched),
            "fees": text(found.fees), "pairs": found.pairs, "max_drawdown": f"{found.max_drawdown:.6f}", "ended_by": found.end_reason}


def _trend(plan: TrendTemplate, one: Instrument, bars: Bars, capital: Decimal) -> dict[str, Any]:
    strategy, params, overrides = find(plan.strategy), dict(plan.params), dict(plan.overrides)
    market = Market(one, bars, strategy.over(bars).signals(params))
    found = run([market], strategy.plan(params, overrides), Costs(slippage=SLIPPAGE, capital=capital), "adverse")
    made = [trade.pnl for trade in found.trades]
    return {"total": f"{sum(made, Decimal(0)):.8f}", "trades": len(made), "won": sum(one_trade > 0 for one_trade in made)}
