"""Small parts of the page: SVG and tables that need no script. All money int64 in 1e-8 quote units."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from haechi.core import layout as at
from haechi.core.definitions import DEFINITIONS
from haechi.core.performance import monthly
from haechi.markets.times import iso
from haechi.research.figures import shown
from haechi.research.report.words import both, reason, say

if TYPE_CHECKING:
    from haechi.research.result import Result

HEAT_FULL = 0.15  # a month of ±15 % has the full colour
HISTOGRAM_BARS = 41
FIRST_TRADES = 2_000  # shown without the script, and printed
SIDES = {"long": ("long", "롱"), "short": ("short", "숏")}
MONTHS = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12")


def tone(value: Any) -> str:
    """Class of a number with a sign."""
    return "up" if value is not None and value > 0 else "down" if value is not None and value < 0 else ""


def money(units: int) -> str:
    return f"{Decimal(units).scaleb(-8):,.2f}"


def monthly_table(result: Result) -> str:
    rows: dict[int, dict[int, float | None]] = {}
    for year, month, value in monthly(result.outcome.ts, result.outcome.equity, result.outcome.capital):
        rows.setdefault(year, {})[month] = value
    head = "".join(f"<th>{month}</th>" for month in MONTHS)
    body = "".join(f"<tr><th>{year}</th>{''.join(_month(row, month) for month in range(1, 13))}{_cell(_compound(row), 'total')}</tr>"
                   for year, row in rows.items())
    return f'<table class="months"><thead><tr><th>{say("year")}</th>{head}<th>{say("total")}</th></tr></thead><tbody>{body}</tbody></table>'


def _month(row: dict[int, float | None], month: int) -> str:
    return _cell(row[month]) if month in row else "<td></td>"


def _cell(value: float | None, name: str = "") -> str:
    if value is None:
        return f'<td class="{name}">–</td>'
    heat = min(1.0, abs(value) / HEAT_FULL) * (0.75 if not name else 0)
    return f'<td class="{tone(value)} {name}" style="--heat:{heat:.2f}">{value * 100:+.1f}</td>'


def _compound(row: dict[int, float | None]) -> float | None:
    total = 1.0
    for value in row.values():
        if value is None:
            return None
        total *= 1 + value
    return total - 1


def interval_table(result: Result) -> str:
    keys = ("pnl", "roi", "max_drawdown", "sharpe", "win_rate", "profit_factor", "trades", "fees")
    adverse, benign = result.interval["adverse"], result.interval["benign"]
    body = "".join(f"<tr><th>{both(one.en, one.ko)}</th><td>{escape(shown(one, adverse.metrics[one.key]))}</td>"
                   f"<td>{escape(shown(one, benign.metrics[one.key]))}</td></tr>" for one in (DEFINITIONS[key] for key in keys))
    same = np.array_equal(adverse.outcome.table, benign.outcome.table)
    text = say("interval_same") if same else say("interval_text")
    head = f"<thead><tr><th></th><th>{say('adverse')}</th><th>{say('benign')}</th></tr></thead>"
    return f'<p>{text}</p>{interval_bar(result)}<table class="plain">{head}<tbody>{body}</tbody></table>'


def interval_bar(result: Result) -> str:
    """Return of both readings and of buying and holding on one line."""
    low, high = sorted(float(result.interval[one].metrics["roi"] or 0) for one in ("adverse", "benign"))
    hold = float(result.metrics["buy_and_hold"] or 0)
    least, most = min(low, hold, 0.0), max(high, hold, 0.0)
    room = (most - least) or 1.0

    def at_percent(value: float) -> float:
        return 4 + 92 * (value - least) / room

    left, right = at_percent(low), at_percent(high)
    first, last = f"{low * 100:+.1f}", f"{high * 100:+.1f}"
    label = first if first == last else f"{first} … {last}"
    middle, held = (left + right) / 2, at_percent(hold)  # a label keeps inside: its anchor moves along with its place
    return (f'<div class="range"><i class="axis"></i><i class="zero" style="left:{at_percent(0):.2f}%"></i>'
            f'<i class="span {tone(high + low)}" style="left:{left:.2f}%;width:{max(0.8, right - left):.2f}%"></i>'
            f'<i class="hold" style="left:{held:.2f}%"></i>'
            f'<b style="left:{middle:.2f}%;--at:{middle:.2f}%">{label} %</b>'
            f'<em style="left:{held:.2f}%;--at:{held:.2f}%">{say("hold")} {hold * 100:+.1f} %</em></div>')


def histogram(result: Result) -> str:
    """Trades by net profit; the bin edges stand symmetrically about 0, so that no bar mixes profit and loss."""
    pnl = result.outcome.table[:, at.T_PNL] / 1e8
    if not len(pnl):
        return f"<p>{say('no_trades')}</p>"
    reach = float(np.quantile(np.abs(pnl), 0.995)) or 1.0
    counts, edges = np.histogram(np.clip(pnl, -reach, reach), bins=HISTOGRAM_BARS - 1, range=(-reach, reach))
    top, wide = int(counts.max()) or 1, 640 / len(counts)
    bars = "".join(f'<rect class="{"up" if edges[k] >= -1e-9 else "down"}" x="{k * wide + 1:.1f}" y="{170 - 150 * n / top:.1f}" '
                   f'width="{wide - 2:.1f}" height="{150 * n / top:.1f}" rx="1.5">'
                   f'<title>{edges[k]:,.0f} … {edges[k + 1]:,.0f}: {n}</title></rect>'
                   for k, n in enumerate(counts.tolist()) if n)
    ticks = "".join(f'<text x="{x}" y="190" text-anchor="{anchor}">{label}</text>' for x, anchor, label in (
        (2, "start", f"{-reach:,.0f}"), (320, "middle", "0"), (638, "end", f"+{reach:,.0f}")))
    return (f'<svg class="histogram" viewBox="0 0 640 196" role="img"><path d="M0 170.500H640M320 14V170" class="axis"/>{bars}{ticks}</svg>'
            f'<p class="soft">{say("distribution_text")}</p>')


def reasons_table(result: Result) -> str:
    table = result.outcome.table
    rows = []
    for code in np.unique(table[:, at.T_REASON]).tolist():
        pnl = table[table[:, at.T_REASON] == code, at.T_PNL].tolist()
        rows.append((len(pnl), f"<tr><th>{reason(at.REASONS[code])}</th><td>{len(pnl):,}</td>"
                               f"<td class='{tone(sum(pnl))}'>{money(sum(pnl))}</td><td>{money(round(sum(pnl) / len(pnl)))}</td></tr>"))
    body = "".join(text for _, text in sorted(rows, reverse=True))
    head = "".join(f"<th>{say(key)}</th>" for key in ("reason", "count", "net", "mean"))
    return f'<table class="plain"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def first_trades(result: Result) -> str:
    """Rows for a page without its script; the script puts its own in their place."""
    rows = []
    for trade in result.outcome.trades[:FIRST_TRADES]:
        cells = (trade.symbol, both(*SIDES[trade.side]), f"{trade.quantity.normalize():f}", iso(trade.entry_time),
                 f"{trade.entry_price.normalize():f}", iso(trade.exit_time), f"{trade.exit_price.normalize():f}", f"{trade.pnl:,.2f}",
                 f"{trade.fee:,.2f}", f"{trade.funding:,.2f}", f"{trade.bars_held:,}",
                 f"{trade.enter_tag or trade.side} → {trade.exit_tag}")
        rows.append("<tr>" + "".join(f"<td>{cell if place == 1 else escape(cell)}</td>" for place, cell in enumerate(cells)) + "</tr>")
    count = len(result.outcome.trades)
    more = f'<tr><td colspan="12">{say("trades_cut", f"{FIRST_TRADES:,}", f"{count:,}")}</td></tr>' if count > FIRST_TRADES else ""
    return "".join(rows) + more


def costs_split(result: Result) -> str:
    """From what the prices gave to what was kept."""
    sums = result.outcome.statistics
    net = sums.final_equity - result.outcome.capital
    parts = (("gross", net + sums.fees + sums.funding), ("fees", -sums.fees), ("funding", -sums.funding), ("pnl", net))
    most = max(abs(value) for _, value in parts) or 1
    rows = "".join(f'<tr><th>{say(key)}</th><td class="{tone(value)}">{money(value)}</td><td class="bar"><i class="{tone(value)}" '
                   f'style="--share:{abs(value) / most * 50:.2f}%"></i></td></tr>' for key, value in parts)
    contract = result.outcome.markets[0].instrument
    text = say("costs_text", percent(result.costs.slippage), percent(contract.maker), percent(contract.taker))
    return f'<table class="plain waterfall"><tbody>{rows}</tbody></table><p class="soft">{text}</p>'


def figures_table(result: Result) -> str:
    body = "".join(f"<tr><th>{both(one.en, one.ko)}</th><td>{escape(shown(one, result.metrics[key]))}</td>"
                   f"<td>{both(one.formula, one.formula_ko)}</td></tr>" for key, one in DEFINITIONS.items())
    return (f'<table class="plain figures"><thead><tr><th>{say("figure")}</th><th></th><th>{say("definition")}</th></tr></thead>'
            f"<tbody>{body}</tbody></table>")


def percent(fraction: Decimal) -> str:
    return f"{(fraction * 100).normalize():f} %"


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Name and value, both already escaped."""
    return "<dl>" + "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs) + "</dl>"
