"""The report on markets small enough to reckon by hand: months, dashes, interval; safe with any name, whole without a script."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from haechi.core.bars import Bars
from haechi.core.definitions import DEFINITIONS
from haechi.core.instrument import Instrument
from haechi.core.plan import Costs, Plan, Size, Target
from haechi.core.run import Market, run
from haechi.core.signals import ENTER_LONG, ENTER_SHORT, Signals
from haechi.research.report import report
from haechi.research.result import Result

DAY, MINUTE = 86_400_000, 60_000
JANUARY_15 = 1_642_204_800_000  # 2022, UTC
HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)>\"&</style>"
ONE_COIN = Plan(size=Size("fixed_quantity", Decimal(1)))
VOID = {"meta", "input", "img", "br", "hr", "link"}


def a_market(closes: Sequence[float], bits: dict[int, int], *, symbol: str = "BTCUSDT", each: int = DAY, tag: str = "") -> Market:
    """Bars that open where the one before closed; nothing costs anything."""
    close = np.array(closes, dtype=np.float64)
    opened = np.append(close[0], close[:-1])
    bars = Bars.of(symbol=symbol, timeframe_ms=each, tick=Decimal("0.1"), ts=JANUARY_15 + np.arange(len(close)) * each, open=opened,
                   high=np.maximum(opened, close), low=np.minimum(opened, close), close=close, volume=np.ones(len(close)))
    signals = np.zeros(len(close), dtype=np.uint8)
    for place, bit in bits.items():
        signals[place] = bit
    free = Instrument(symbol, maker=Decimal(0), taker=Decimal(0))
    return Market(free, bars, Signals(signals, enter_tags=(tag, tag)))


def a_result(*markets: Market, plan: Plan = ONE_COIN, strategy: str = "rsi", reading: str = "adverse") -> Result:
    costs = Costs(slippage=Decimal(0), capital=Decimal(1000))
    read = "adverse" if reading == "both" else reading
    return Result(strategy, {"period": Decimal(14)}, {}, reading, run(markets, plan, costs, read), plan, costs, warm_up=0)


def rising() -> Market:
    return a_market([100.0 + k for k in range(60)], {0: ENTER_LONG})


class Reader(HTMLParser):
    """Notes every element with its attributes and the words in it; refuses elements that are closed out of order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else, at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)


def rows_of(text: str, part: str) -> list[list[str]]:
    """The table rows of one card as the English words of their cells."""
    _, _, card = text.partition(f'id="{part}-card"')
    card = re.sub(r'<span lang="ko">.*?</span>', "", card[:card.index("</section>")])
    return [[re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)]
            for row in re.findall(r"<tr>(.*?)</tr>", card, re.S)]


def figures_of(text: str) -> dict[str, str]:
    return {row[0]: row[1] for row in rows_of(text, "figures")[1:]}


def still_of(text: str) -> str:
    _, _, chart = text.partition('id="chart"')
    return chart[:chart.index("</svg>")]


def test_every_element_is_closed_and_every_part_is_there() -> None:
    page = Reader(report(a_result(rising())))
    assert page.open == []
    found = {attributes.get("id") for _, attributes in page.elements}
    assert {f"{part}-card" for part in ("interval", "costs", "monthly", "distribution", "setup", "trades", "figures")} <= found


def test_names_from_outside_are_harmless() -> None:
    market = a_market([100.0 + k for k in range(9)], {0: ENTER_LONG}, symbol=HOSTILE, tag=HOSTILE)
    text = report(a_result(market, rising(), strategy=HOSTILE), description=HOSTILE)
    page, honest = Reader(text), Reader(report(a_result(rising(), rising())))
    assert page.open == []
    assert {tag for tag, _ in page.elements} == {tag for tag, _ in honest.elements}, "a name became an element"
    assert sum(tag == "script" for tag, _ in page.elements) == sum(tag == "script" for tag, _ in honest.elements) == 2
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert any(HOSTILE in words for words in page.words), "the name itself is shown, as text"


def test_the_script_reads_hostile_names_back_unchanged() -> None:
    market = a_market([100.0] * 9, {0: ENTER_LONG}, symbol=HOSTILE, tag="</script><!--\u2028")
    data = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', report(a_result(market)), re.S)
    assert len(data) == 1 and "<" not in data[0] and "\u2028" not in data[0]
    read = json.loads(data[0])
    assert read["markets"][0]["symbol"] == HOSTILE
    assert "</script><!--\u2028" in read["trades"][0]


def test_no_address_stands_in_the_page() -> None:
    text = report(a_result(rising()))
    named = text.replace("http://www.w3.org/2000/svg", "")  # the name of a vocabulary, not an address that is loaded
    for word in ("http:", "https:", 'src="//', "@import", "url(", "fetch(", "XMLHttpRequest", "WebSocket", "import("):
        assert word not in named, word


def test_months_by_hand() -> None:
    """1,000 of capital, five coins bought at 100: 110 at the end of January, 99 at that of February, 120 at the last close in March."""
    closes = [100.0] * 3 + [110.0] * 14 + [99.0] * 28 + [120.0] * 5
    five = Plan(size=Size("fixed_quantity", Decimal(5)))
    rows = rows_of(report(a_result(a_market(closes, {0: ENTER_LONG}), plan=five)), "monthly")
    # 1050/1000 = +5.0 %, 995/1050 = -5.24 %, 1100/995 = +10.55 %, the year 1100/1000 = +10.0 %
    assert rows[1] == ["2022", "+5.0", "-5.2", "+10.6", *[""] * 9, "+10.0"]


def test_a_run_without_trades_shows_dashes_and_no_zeros() -> None:
    figures = figures_of(report(a_result(a_market([100.0] * 9, {}))))
    for key in ("sharpe", "sortino", "calmar", "win_rate", "profit_factor", "expectancy", "average_win", "largest_loss"):
        assert figures[DEFINITIONS[key].en] == "–", key
    assert figures["Trades"] == "0" and figures["Net profit"] == "0.00"


def test_figures_by_hand() -> None:
    """Bought at 100 (the second open), sold at the last close, 159."""
    figures = figures_of(report(a_result(rising())))
    assert figures["Net profit"] == "59.00" and figures["Return"] == "5.90 %" and figures["Win rate"] == "100.00 %"
    assert figures["Buy and hold"] == "59.00 %" and figures["Profit factor"] == "–" and figures["Fees"] == "0.00"


def test_the_interval_has_the_figures_of_both_readings() -> None:
    """A bar that reaches stop and target: lost in the adverse reading, won in the benign one."""
    plan = Plan(size=Size("fixed_quantity", Decimal(1)), stop_loss=Decimal("0.05"), targets=(Target(Decimal("0.05")),))
    market = a_market([100.0] * 6, {0: ENTER_LONG})
    market.bars.high_ticks[3], market.bars.low_ticks[3] = 1100, 900
    rows = {row[0]: row[1:] for row in rows_of(report(a_result(market, plan=plan, reading="both")), "interval")}
    assert rows[""] == ["adverse", "benign"]
    assert rows["Net profit"] == ["-5.00", "5.00"]


def test_without_a_script_candles_curves_and_trades_are_there() -> None:
    text = report(a_result(rising()))
    still = still_of(text)
    assert 'class="still"' in still
    bodies = re.findall(r'<path style="fill:var\(--up\)" d="([^"]*)"', still)[0]
    assert bodies.count("z") == 60, "one body a bar: all sixty rise"
    assert set(Reader(still).words) >= {"Price", "가격", "Equity", "평가금", "Drawdown", "낙폭", "120"}
    assert rows_of(text, "trades")[1][:3] == ["BTCUSDT", "long", "1"]


def test_several_symbols_each_have_their_prices() -> None:
    pair = (rising(), a_market([9.0] * 60, {4: ENTER_SHORT}, symbol="XRPUSDT"))
    text = report(a_result(*pair))
    words = Reader(still_of(text)).words
    assert words.count("Price") == 2 and {"BTCUSDT", "XRPUSDT"} <= set(words)
    assert len([one for one in Reader(text).elements if one[1].get("data-market")]) == 2


def test_a_year_of_minutes_with_thousands_of_trades_stays_under_five_megabytes_and_says_what_it_leaves_out() -> None:
    count = 525_600
    walk = 1000 + np.cumsum(np.random.default_rng(7).normal(0, 0.4, count))
    bits = {place: ENTER_LONG if place % 200 else ENTER_SHORT for place in range(0, count, 100)}
    plan = Plan(size=Size("fixed_quote", Decimal(10)), stop_loss=Decimal("0.002"), targets=(Target(Decimal("0.002")),))
    result = a_result(a_market(np.maximum(walk, 50).round(1).tolist(), bits, each=MINUTE, tag="a tag of some length"), plan=plan)
    trades, text = result.outcome.statistics.trades, report(result)
    assert trades > 4000
    assert len(text.encode()) < 5_000_000
    rows = rows_of(text, "trades")
    assert len(rows) == 1 + 2000 + 1 and rows[-1] == [f"The first 2,000 of {trades:,} trades are listed; the JSON has all."]


def test_a_synthetic_market_is_named_so() -> None:
    assert "Synthetic market" in report(a_result(rising()), synthetic=True)
    assert "Synthetic market" not in report(a_result(rising()))


def test_the_shortest_run_has_a_page() -> None:
    assert Reader(report(a_result(a_market([100.0] * 2, {0: ENTER_LONG})))).open == []


def test_the_documentation_lists_every_figure_as_it_is_defined() -> None:
    page = (Path(__file__).parents[4] / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| `")]
    assert [row[:5] for row in rows] == [[f"`{one.key}`", one.en, one.ko, one.unit, one.formula] for one in DEFINITIONS.values()]
