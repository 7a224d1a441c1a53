"""The engine's integer trade table as frames and as exact columns. All money int64 in 1e-8 quote units until a frame is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from haechi.core import layout as at
from haechi.core.performance import drawdowns

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from haechi.core.outcome import Outcome


def notional_traded(run: Outcome) -> int:
    """Everything bought and sold, both sides of each trade, in 1e-8 quote units (the entry at the average price, rounded down)."""
    table, total = run.table, 0
    for place, market in enumerate(run.markets):
        rows = table[table[:, at.T_MARKET] == place] if len(run.markets) > 1 else table
        lots = rows[:, at.T_LOTS]
        opened = [int(cost) * int(part) // int(whole) for cost, part, whole in
                  zip(rows[:, at.T_ENTRY_COST].tolist(), lots.tolist(), rows[:, at.T_ENTRY_LOTS].tolist(), strict=True)]
        total += market.instrument.unit * (sum(opened) + sum((lots * rows[:, at.T_EXIT_PRICE]).tolist()))
    return int(total)


def trades_frame(run: Outcome) -> pl.DataFrame:
    """One row for each closing fill: times as UTC datetimes, money and prices as Decimal."""
    import polars as pl

    table = run.table
    names = [market.bars.symbol for market in run.markets]
    trades = run.trades
    scale = max(8, *(-int(market.bars.tick.as_tuple().exponent) for market in run.markets))
    exact = pl.Decimal(38, scale)
    return pl.DataFrame({
        "symbol": pl.Series([names[place] for place in table[:, at.T_MARKET].tolist()], dtype=pl.String),
        "side": pl.Series([trade.side for trade in trades], dtype=pl.String),
        "quantity": pl.Series([trade.quantity for trade in trades], dtype=exact),
        "entry_time": moments(table[:, at.T_ENTRY_TS]),
        "entry_price": pl.Series([trade.entry_price for trade in trades], dtype=exact),
        "exit_time": moments(table[:, at.T_EXIT_TS]),
        "exit_price": pl.Series([trade.exit_price for trade in trades], dtype=exact),
        "pnl": money(table[:, at.T_PNL]), "fee": money(table[:, at.T_FEE]), "funding": money(table[:, at.T_FUNDING]),
        "exit_reason": pl.Series([trade.exit_reason for trade in trades], dtype=pl.String),
        "enter_tag": pl.Series([trade.enter_tag for trade in trades], dtype=pl.String),
        "exit_tag": pl.Series([trade.exit_tag for trade in trades], dtype=pl.String),
        "bars_held": pl.Series([trade.bars_held for trade in trades], dtype=pl.Int64),
    })


def equity_frame(run: Outcome) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame({"time": moments(run.ts), "equity": money(run.equity),
                         "drawdown": pl.Series(drawdowns(run.equity, run.capital), dtype=pl.Float64)})


def moments(times_ms: NDArray[np.int64]) -> pl.Series:
    import polars as pl

    return pl.Series(np.ascontiguousarray(times_ms)).cast(pl.Datetime("ms", "UTC"))


def money(units: NDArray[np.int64]) -> pl.Series:
    """1e-8 units -> Decimal with eight decimals, exactly."""
    import polars as pl

    column = pl.DataFrame({"x": np.ascontiguousarray(units)})
    return column.select(pl.col("x").cast(pl.Decimal(38, 8)) / pl.lit(100_000_000))["x"].cast(pl.Decimal(38, 8))


def texts(units: NDArray[np.int64]) -> list[str]:
    """1e-8 units as the text of JSON; equal neighbours are made once."""
    if not len(units):
        return []
    starts = np.flatnonzero(np.append(True, np.diff(units) != 0))
    made: Any = np.array([text(value) for value in units[starts].tolist()], dtype=object)
    found: list[str] = np.repeat(made, np.diff(np.append(starts, len(units)))).tolist()
    return found


def text(units: int) -> str:
    """-150000000 -> -1.50000000"""
    whole, part = divmod(abs(units), 100_000_000)
    return f"{'-' if units < 0 else ''}{whole}.{part:08d}"
