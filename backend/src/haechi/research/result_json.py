"""A result as JSON, in the shape of docs/how-to/backtest.md: money as text with eight decimals, times in ms UTC."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

import haechi
from haechi.core.performance import Figure
from haechi.research.trades import texts

if TYPE_CHECKING:
    from haechi.core.outcome import Trade
    from haechi.research.result import Result

FIELDS = ("side", "quantity", "entry_time", "entry_price", "exit_time", "exit_price", "pnl", "fee", "funding", "exit_reason", "enter_tag",
          "exit_tag", "bars_held")


def result_json(result: Result) -> str:
    return msgspec.json.encode(result_data(result)).decode()


def result_data(result: Result) -> dict[str, Any]:
    """Plain values. Several symbols: `symbol` joins them with +, and each trade names its own."""
    run = result.outcome
    data = {
        "engine": f"haechi {haechi.__version__}", "strategy": result.strategy, "params": plain_params(result),
        "symbol": "+".join(result.symbols), "timeframe": result.timeframe, "bars": len(run.ts), "from": result.span.start_ms,
        "to": result.span.end_ms, "reading": result.reading, "metrics": plain_metrics(result.metrics), "trades": plain_trades(result),
        "equity": list(zip(run.ts.tolist(), texts(run.equity), strict=True)),
        "bars_off_grid": sum(market.bars.off_grid for market in run.markets), "warnings": result.warnings,
    }
    if result.reading == "both":
        data["interval"] = {reading: plain_metrics(one.metrics) for reading, one in result.interval.items()}
    return data


def plain_params(result: Result) -> dict[str, Any]:
    """The strategy's parameters and, by their path, the settings that were changed."""
    return {name: plain(value) for name, value in (*result.params.items(), *result.settings.items())}


def plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def plain_metrics(figures: dict[str, Figure]) -> dict[str, Any]:
    return {key: f"{figure:.8f}" if isinstance(figure, Decimal) else figure for key, figure in figures.items()}


def plain_trades(result: Result) -> list[dict[str, Any]]:
    fields = FIELDS if len(result.symbols) == 1 else ("symbol", *FIELDS)
    return [plain_trade(trade, fields) for trade in result.outcome.trades]


def plain_trade(trade: Trade, fields: tuple[str, ...]) -> dict[str, Any]:
    return {name: exact_text(value) if isinstance(value := getattr(trade, name), Decimal) else value for name in fields}


def exact_text(value: Decimal) -> str:
    """Eight decimals; more where the tick is finer than 1e-8."""
    return f"{value:.{max(8, -int(value.as_tuple().exponent))}f}"
