"""The page put together. It forbids itself everything but its own style and its own script (by its digest)."""

from __future__ import annotations

import base64
import hashlib
from decimal import Decimal
from functools import cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec

import haechi
from haechi.core.definitions import DEFINITIONS
from haechi.markets.times import iso
from haechi.research.figures import shown
from haechi.research.report import pieces
from haechi.research.report.data import TRADES_MAX, chart_data
from haechi.research.report.still import still
from haechi.research.report.words import WORDS, both, say

if TYPE_CHECKING:
    from haechi.research.result import Result

HEROES = ("pnl", "roi", "buy_and_hold", "max_drawdown", "sharpe", "win_rate", "profit_factor", "trades")
SIGNED = frozenset({"pnl", "roi", "buy_and_hold"})


def page(result: Result, *, synthetic: bool = False, description: str = "") -> str:
    """The whole document. synthetic: the prices are made up, and the page says so."""
    name = f"{result.strategy} · {'+'.join(result.symbols)} {result.timeframe}"
    parts = [header(result, synthetic=synthetic, description=description), heroes(result), chart(result),
             card("interval", pieces.interval_table(result), "half"),
             f'<div class="half stack">{card("costs", pieces.costs_split(result))}{setup(result)}</div>',
             card("monthly", scroll(pieces.monthly_table(result))),
             card("distribution", ending(result)), notes(result), card("trades", trades(result)),
             card("figures", scroll(pieces.figures_table(result))), footer()]
    data = msgspec.json.encode({**chart_data(result), "words": {key: WORDS[key] for key in SPOKEN}}).decode()
    return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width,initial-scale=1">'
            f'<meta http-equiv="content-security-policy" content="{policy()}"><title>{escape(name)} – haechi</title>'
            f"<style>{part('page.css')}</style></head><body>{toggles()}<main>{''.join(parts)}</main>"
            f'<script type="application/json" id="data">{in_script(data)}</script><script>{script()}</script></body></html>\n')


SPOKEN = ("price", "equity", "drawdown", "hold", "everything", "long", "short", "entry", "exit", "quantity", "pnl", "fee",
          "funding", "candles_of")


@cache
def part(name: str) -> str:
    return files("haechi.research.report").joinpath(name).read_text(encoding="utf-8")


def script() -> str:
    return part("chart.js") + part("trades.js")


def script_digest() -> str:
    """As a content security policy names it: the server allows exactly this script and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()


def policy() -> str:
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src '{script_digest()}'; img-src data:"


def in_script(json: str) -> str:
    """JSON inside a script element: no text in it can end the element or begin a comment."""
    for sign in "<>&\u2028\u2029":
        json = json.replace(sign, f"\\u{ord(sign):04x}")
    return json


def toggles() -> str:
    """The language is chosen without a script, by what is checked."""
    return ('<div class="toggles"><input type="radio" name="language" id="english" checked><label for="english">English</label>'
            '<input type="radio" name="language" id="korean"><label for="korean">한국어</label>'
            '<input type="checkbox" id="inverse"><label for="inverse" class="theme" title="Light / dark · 밝게 / 어둡게">◐</label></div>')


def header(result: Result, *, synthetic: bool, description: str) -> str:
    mark = files("haechi.health").joinpath("site", "mark.svg").read_text(encoding="utf-8")
    symbols = escape(" + ".join(result.symbols))
    stamp = f'<p><span class="stamp">{say("synthetic")}</span></p>' if synthetic else ""
    about = f"<p>{escape(description)}</p>" if description else ""
    return (f'<header>{mark}<div><p class="soft">{say("title")}</p>'
            f'<h1>{escape(result.strategy)} <small>{symbols} · {escape(result.timeframe)}</small></h1>'
            f'<p class="soft">{iso(result.span.start_ms)} – {iso(result.span.end_ms)} UTC · {len(result.outcome.ts):,} {say("bars")} · '
            f'{say("reading")}: {say(result.reading)} · {say("capital")} {pieces.money(result.outcome.capital)}</p>'
            f"{about}{stamp}</div></header>")


def heroes(result: Result) -> str:
    tiles = []
    for key in HEROES:
        figure, one = result.metrics[key], DEFINITIONS[key]
        tone = pieces.tone(figure) if key in SIGNED else ""
        sign = "+" if key in SIGNED and figure is not None and figure > 0 else ""
        tiles.append(f'<div class="tile" title="{escape(one.formula)}"><span>{both(one.en, one.ko)}</span>'
                     f'<strong class="{tone}">{sign}{escape(shown(one, figure))}</strong></div>')
    return f'<section class="tiles">{"".join(tiles)}</section>'


def chart(result: Result) -> str:
    tabs = "".join(f'<button type="button" data-market="{place}">{escape(symbol)}</button>' for place, symbol in enumerate(result.symbols))
    choice = tabs if len(result.symbols) > 1 else ""
    return (f'<section class="card chart"><div class="row"><h2>{say("chart")}</h2><span class="tabs scripted">{choice}</span>'
            f'<span class="legend"><i class="up"></i>{say("equity")}<i class="hold"></i>{say("hold")}'
            f'<i class="down"></i>{say("drawdown")}</span>'
            f'<button type="button" id="everything" class="scripted">{say("everything")}</button></div>'
            f'<div id="chart">{still(result)}</div><p class="soft scripted"><span id="candles"></span> {say("chart_hint")}</p></section>')


def ending(result: Result) -> str:
    if not len(result.outcome.table):
        return f"<p>{say('no_trades')}</p>"
    return f'<div class="pair"><div>{pieces.histogram(result)}</div><div>{scroll(pieces.reasons_table(result))}</div></div>'


def trades(result: Result) -> str:
    """Filled by the script, which turns pages; the head and the number of trades stand without it."""
    count = len(result.outcome.table)
    cut = f'<p class="soft scripted">{say("trades_cut", f"{TRADES_MAX:,}", f"{count:,}")}</p>' if count > TRADES_MAX else ""
    heads = ("symbol", "side", "quantity", "entry", "price", "exit", "price", "pnl", "fee", "funding", "held", "tags")
    head = "".join(f'<th data-column="{place}">{say(key)}</th>' for place, key in enumerate(heads))
    turn = (f'<div class="turn scripted"><button type="button" id="previous">{say("previous")}</button><span id="place"></span>'
            f'<button type="button" id="next">{say("next")}</button></div>')
    table = f'<table class="plain trades"><thead><tr>{head}</tr></thead><tbody id="trades">{pieces.first_trades(result)}</tbody></table>'
    return f'{cut}<div class="scroll listed">{table}</div>{turn}'


def notes(result: Result) -> str:
    if not result.remarks:
        return ""
    return card("notes", "<ul>" + "".join(f"<li>{both(one.text('en'), one.text('ko'))}</li>" for one in result.remarks) + "</ul>")


def setup(result: Result) -> str:
    contract = result.outcome.markets[0].instrument
    pairs = [(say("strategy"), escape(result.strategy)), (say("params"), named(dict(result.params))),
             (say("settings"), named(dict(result.settings))), ("tick · lot", f"{contract.tick:f} · {contract.lot:f}"),
             (say("capital"), pieces.money(result.outcome.capital)), ("haechi", haechi.__version__)]
    return card("setup", pieces.facts(pairs))


def named(values: dict[str, object]) -> str:
    if not values:
        return say("none")
    return escape(", ".join(f"{name} = {value:f}" if isinstance(value, Decimal) else f"{name} = {value}" for name, value in values.items()))


def card(key: str, body: str, size: str = "") -> str:
    return f'<section class="card {size}" id="{key}-card"><h2>{say(key)}</h2>{body}</section>'


def scroll(table: str) -> str:
    return f'<div class="scroll">{table}</div>'


def footer() -> str:
    return f"<footer>haechi {haechi.__version__} · {say('promise')}</footer>"
