"""The report: complete, in two languages, safe with any text, and it loads nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from decimal import Decimal
from html.parser import HTMLParser
from random import Random

import numpy as np
import pytest

import haechi as hc
from haechi.core.bars import Bars
from haechi.core.definitions import DEFINITIONS
from haechi.research.picture import Picture
from haechi.research.report import words
from haechi.research.report.data import edges, steps, stretch
from haechi.research.words import REMARKS

MINUTE, START = 60_000, 1_699_999_200_000
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"


def bars_of(count: int = 4000) -> Bars:
    random = Random(5)
    close = 30_000 * np.exp(np.cumsum([random.gauss(0, 0.003) for _ in range(count)]))
    opened = np.append(30_000.0, close[:-1])
    return Bars.of(symbol="BTCUSDT", timeframe_ms=MINUTE, tick=Decimal("0.1"), ts=START + np.arange(count) * MINUTE, open=opened,
                   high=np.maximum(opened, close) * 1.001, low=np.minimum(opened, close) * 0.999, close=close, volume=np.ones(count))


class Parts(HTMLParser):
    """What a page has: tags with their attributes, and its text in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def result():
    return hc.backtest(bars_of(), "rsi", reading="both")


@pytest.fixture(scope="module")
def page(result) -> str:
    return result.html()


def test_every_figure_stands_there_with_its_definition_in_both_languages(page):
    for one in DEFINITIONS.values():
        for text in (one.en, one.ko, one.formula, one.formula_ko):
            assert text.replace("<", "&lt;").replace(">", "&gt;") in page


def test_nothing_is_loaded_from_elsewhere(page):
    for tag, attributes in Parts(page).tags:
        assert tag not in {"link", "iframe", "img", "object", "embed", "base", "form"}
        assert not {"src", "href", "xlink:href", "srcset", "action"} & set(attributes), (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")]
    assert "url(" not in page and "@import" not in page and "fetch(" not in page


def test_the_page_allows_exactly_its_own_script(page):
    scripts = re.findall(r"<script>(.*?)</script>", page, re.S)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "default-src 'none'" in page


def test_no_text_of_a_document_can_become_markup():
    document = {"name": "harmless", "timeframe": "1m", "indicators": {"r": {"kind": "rsi", "period": 7}}, "enter_long": "r < 30",
                "exit_long": "r > 60", "size": {"kind": "equity_fraction", "fraction": 0.5}}
    found = hc.backtest(bars_of(), document)
    object.__setattr__(found, "strategy", EVIL)
    object.__setattr__(found, "settings", {EVIL: EVIL})
    for market in found.outcome.markets:
        object.__setattr__(market.bars, "symbol", EVIL)
    page = found.html()
    assert "<img" not in page and "alert(1)</script>" not in page
    assert len(re.findall("<script", page)) == 2  # the data and the script
    assert json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])["markets"][0]["symbol"] == EVIL


def test_the_candles_sent_are_those_of_the_bars(result, page):
    bars = result.outcome.markets[0].bars
    sent = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])["markets"][0]
    opened = np.array(sent["o"]) + np.append(0, np.cumsum(np.array(sent["o"]) + np.array(sent["c"]))[:-1])
    assert (opened == bars.open_ticks).all()
    assert (opened + np.array(sent["h"]) == bars.high_ticks).all()
    assert (opened - np.array(sent["l"]) == bars.low_ticks).all()
    assert (opened + np.array(sent["c"]) == bars.close_ticks).all()


def test_all_trades_are_sent(result, page):
    assert len(json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])["trades"]) == result.metrics["trades"] > 5


def test_a_result_without_trades_has_a_page():
    found = hc.backtest(bars_of(200), "rsi", settings={"size.fraction": "0.00000001"})
    assert "There was no trade." in found.html() and "거래가 없었습니다." in found.html()


def test_long_histories_are_drawn_in_round_stretches():
    assert stretch(525_600, MINUTE, 36_000) == 15 * MINUTE
    assert stretch(100, MINUTE, 36_000) == MINUTE
    ts = np.array([0, 1, 4, 5, 9], dtype=np.int64)
    assert edges(ts, 5).tolist() == [0, 3]
    assert steps(np.array([7, 8, 11, 12]), 1) == [7, 4, 2, 3]


def test_every_sentence_has_both_languages_and_the_same_places():
    for key, (english, korean) in words.WORDS.items():
        assert english and korean, key
        assert sorted(re.findall(r"\{\d\}", english)) == sorted(re.findall(r"\{\d\}", korean)), key
    assert REMARKS["en"].keys() == REMARKS["ko"].keys()
    for key, english in REMARKS["en"].items():
        assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", REMARKS["ko"][key])), key


def test_the_picture_is_one_svg_and_can_be_kept(result, tmp_path):
    picture = result.plot()
    assert isinstance(picture, Picture) and picture.svg.startswith("<svg") and picture._repr_svg_() == picture.svg
    assert picture.save(tmp_path / "equity.svg").read_text(encoding="utf-8") == picture.svg


def test_a_notebook_shows_the_curve_and_the_main_figures(result):
    shown = result._repr_html_()
    assert "<svg" in shown and "Maximum drawdown" in shown
