"""The result of a back-test. Making one costs nothing: trades, curves, figures, pages are computed when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from haechi.core.definitions import DEFINITIONS
from haechi.core.performance import Figure, Span, metrics
from haechi.research.figures import shown
from haechi.research.words import Remark

if TYPE_CHECKING:
    import polars as pl

    from haechi.core.outcome import Outcome
    from haechi.core.plan import Costs, Plan
    from haechi.research.picture import Picture

READINGS = ("adverse", "benign", "path", "both")
MARKED = ("pnl", "roi", "buy_and_hold", "max_drawdown", "sharpe", "trades", "win_rate", "profit_factor", "fees", "funding")


@dataclass(frozen=True, eq=False)
class Result:
    """What a strategy would have earned. With reading `both` these are the adverse figures, and `interval` has the benign ones too.

    strategy: its name; params: every parameter's value; settings: what was changed of its plan (path -> value); warm_up: bars before
    its first signal; written_for: the timeframe its document names.
    """

    strategy: str
    params: Mapping[str, Decimal]
    settings: Mapping[str, Any]
    reading: str
    outcome: Outcome
    plan: Plan
    costs: Costs
    warm_up: int
    written_for: str | None = None

    @property
    def symbols(self) -> list[str]:
        return [market.bars.symbol for market in self.outcome.markets]

    @property
    def timeframe(self) -> str:
        from haechi.markets.timeframes import NAMES

        return NAMES.get(self.bar_ms) or f"{self.bar_ms} ms"

    @property
    def bar_ms(self) -> int:
        """Length of the shortest bars in ms."""
        return int(min(market.bars.timeframe_ms for market in self.outcome.markets))

    @cached_property
    def span(self) -> Span:
        return Span.of(self.outcome.ts, self.bar_ms)

    @cached_property
    def metrics(self) -> dict[str, Figure]:
        """Every figure of `haechi.core.definitions`, in its order: money as Decimal, ratios as float, None where it is not defined."""
        from haechi.research.trades import notional_traded

        run = self.outcome
        found = metrics(run.statistics, self.span, capital=run.capital, pnl=run.table[:, PNL], traded=notional_traded(run), ts=run.ts,
                        equity=run.equity, bars=[market.bars for market in run.markets])
        return {key: found[key] for key in DEFINITIONS}

    @cached_property
    def interval(self) -> dict[str, Result]:
        """The same test under the readings adverse and benign: between them lies what a bar's inside decided."""
        return {reading: self if self._reading == reading else self._read(reading) for reading in ("adverse", "benign")}

    @property
    def _reading(self) -> str:
        return self.outcome.reading

    def _read(self, reading: str) -> Result:
        from haechi.core.run import run

        outcome = run(self.outcome.markets, self.plan, self.costs, reading)
        return Result(self.strategy, self.params, self.settings, reading, outcome, self.plan, self.costs, self.warm_up, self.written_for)

    @cached_property
    def trades(self) -> pl.DataFrame:
        """One row for each closing fill, oldest first; money exact to 1e-8, times UTC."""
        from haechi.research.trades import trades_frame

        return trades_frame(self.outcome)

    @cached_property
    def equity(self) -> pl.DataFrame:
        """`time` (open of the bar, UTC), `equity` at its close and `drawdown` (a fraction of the highest before)."""
        from haechi.research.trades import equity_frame

        return equity_frame(self.outcome)

    @cached_property
    def remarks(self) -> list[Remark]:
        from haechi.research.remarks import remarks

        return remarks(self)

    @property
    def warnings(self) -> list[str]:
        """What a reader should know, in sentences."""
        return [remark.text() for remark in self.remarks]

    def json(self, path: str | Path | None = None) -> str:
        """The result as JSON text (docs/how-to/backtest.md); also written to `path` if one is given."""
        from haechi.research.result_json import result_json

        text = result_json(self)
        if path is not None:
            from haechi.research.writing import write_whole

            write_whole(Path(path), text)
        return text

    def html(self, path: str | Path | None = None) -> str:
        """The report, one page that loads nothing from elsewhere; also written to `path` if one is given."""
        from haechi.research.invented import is_invented
        from haechi.research.report import report

        text = report(self, synthetic=any(is_invented(market.bars) for market in self.outcome.markets))
        if path is not None:
            from haechi.research.writing import write_whole

            write_whole(Path(path), text)
        return text

    def plot(self) -> Picture:
        """Equity and drawdown as a picture (SVG): shown by notebooks, `.save(path)` writes it."""
        from haechi.research.picture import Picture

        return Picture.of(self)

    def __repr__(self) -> str:
        parts = ", ".join(f"{key} {shown(DEFINITIONS[key], self.metrics[key])}" for key in ("roi", "max_drawdown", "sharpe", "trades"))
        return f"<Result {self.strategy} on {'+'.join(self.symbols)} {self.timeframe}: {parts}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the curve and the most asked figures."""
        rows = "".join(f"<tr><th style='text-align:left'>{escape(DEFINITIONS[key].en)}</th>"
                       f"<td style='text-align:right'>{escape(shown(DEFINITIONS[key], self.metrics[key]))}</td></tr>" for key in MARKED)
        title = f"{self.strategy} · {'+'.join(self.symbols)} {self.timeframe} · {self.reading}"
        return f"<div><b>{escape(title)}</b>{self.plot().svg}<table>{rows}</table></div>"


PNL = 8  # column of the trade table; a test compares it with core.layout.T_PNL
