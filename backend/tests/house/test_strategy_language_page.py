"""docs/strategy-language.md says what the language is: its tables are the registries, its examples are documents."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic.fields import FieldInfo

from haechi.core.indicators import KINDS
from haechi.core.language import Document, LanguageError, document, parser, rules, rules_of, text, tokens, wiring
from haechi.core.language.fields import PlanFields
from haechi.core.language.functions import FUNCTIONS, PRICES, SOURCES, TIMES, WINDOW_MAX
from haechi.core.language.overrides import paths
from haechi.core.language.problems import model_at
from haechi.core.language.semantics import NODES_MAX
from haechi.core.language.values import Range

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "strategy-language.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
IMPLIED = {"entry.offset": "0", "entry.limit_offset": "0", "entry.bars": "1", "size.atr_period": "14"}  # what planning puts in


def table(head: str) -> list[list[str]]:
    """The rows of the table that begins with this head; cells are parted by ' | '."""
    block = PAGE.split(f"| {head} |", 1)[1].split("\n\n")[0]
    return [[cell.strip() for cell in row.strip("| ").split(" | ")] for row in block.splitlines()[2:]]


def ranges(annotation: Any) -> list[Range]:
    own = [one for one in getattr(annotation, "__metadata__", ()) if isinstance(one, Range)]
    return own + [found for inner in get_args(annotation) for found in ranges(inner)]


def described(field: FieldInfo) -> str:
    """The second column: the bounds, or the words there are."""
    found = [one for one in field.metadata if isinstance(one, Range)] + ranges(field.annotation)
    if found:
        return found[0].words().removesuffix(" or a $parameter")
    return "`true` or `false`" if field.annotation is bool else ", ".join(f"`{one}`" for one in get_args(field.annotation))


def left_out(path: str, field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    default = IMPLIED.get(path) if field.default is None else str(field.default).lower()
    return f"`{default}`" if default else "–"


def test_every_field_of_a_document_is_in_the_first_table() -> None:
    named = set(re.findall(r"`(\w+)`", " ".join(row[0] for row in table("field | what it is"))))
    assert named == set(Document.model_fields) - set(PlanFields.model_fields)
    frames = re.findall(r"`(\d+\w)`", PAGE.split("| `timeframe` |")[1].split("\n")[0])
    assert tuple(frames) == get_args(document.Timeframe)


def test_every_field_of_the_plan_is_there_with_its_bounds_and_default() -> None:
    expected = []
    for path in paths():
        *outer, name = path.split(".")
        model = model_at(PlanFields, outer)
        assert model is not None
        expected.append([f"`{path}`", described(model.model_fields[name]), left_out(path, model.model_fields[name])])
    assert [row[:3] for row in table("field | value | if left out | meaning")] == expected
    assert {path.split(".")[0] for path in paths()} == set(PlanFields.model_fields)


def test_what_is_put_in_for_a_value_left_out_is_what_the_page_says() -> None:
    base = {"name": "t", "timeframe": "1m", "enter_long": "close > 1"}
    stop = Document.of({**base, "size": {"kind": "volatility_target", "fraction": 1}, "entry": {"kind": "stop_limit"}}).plan()
    assert (str(stop.entry.offset * 100), str(stop.entry.limit_offset * 100), str(stop.entry.bars)) == ("0.00", "0.00",
                                                                                                        IMPLIED["entry.bars"])
    assert str(stop.size.atr_period) == IMPLIED["size.atr_period"]


def test_every_function_is_there_with_its_signature_and_bounds() -> None:
    expected = [[f"`{one.signature(name)}`", one.gives, "–" if one.window is None else f"{one.window} to {WINDOW_MAX}"]
                for name, one in FUNCTIONS.items()]
    assert [row[:3] for row in table("function | gives | n | meaning at bar i")] == expected


def test_every_indicator_is_there_with_its_settings_source_and_outputs() -> None:
    expected = []
    for kind in KINDS.values():
        settings = [f"`{one.name}` {'must be given' if one.default is None else f'{one.default:g}'} ({one.low:g} to {one.high:g})"
                    for one in kind.settings]
        expected.append([f"`{kind.name}`", kind.title, "; ".join(settings) or "–", f"`{kind.source}`" if kind.source else "bars",
                         ", ".join(f"`{one}`" for one in kind.outputs)])
    rows = table("kind | what it is | settings | source | outputs | formula, n = period")
    assert [row[:5] for row in rows] == expected and all(row[5] for row in rows)


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.split("\n")[0] for example in EXAMPLES])
def test_every_example_is_a_document_or_wrong_on_purpose(example: str) -> None:
    if not example.startswith("# wrong on purpose"):
        assert rules_of(Document.parse(example)).cost > 0
        return
    with pytest.raises(LanguageError) as caught:
        Document.parse(example)
    assert f"```\n{caught.value}\n```" in PAGE


def test_the_examples_show_every_field() -> None:
    shown = set().union(*(Document.parse(one).model_fields_set for one in EXAMPLES if not one.startswith("# wrong")))
    assert set(Document.model_fields) - shown <= {"dca"}  # dca and several targets do not go together


def test_the_bounds_are_the_ones_of_the_code() -> None:
    told = " ".join(PAGE.split("Bounds:")[1].split("\n\n")[0].split())
    for words in (f"{text.TEXT_MAX:,} characters of text, nested at most {text.DEPTH_MAX} deep", f"{document.PARAMS_MAX} parameters",
                  f"{document.INDICATORS_MAX} indicators, at most {wiring.CHAIN_MAX} feeding",
                  f"{tokens.LENGTH_MAX:,} characters an expression",
                  f"nested at most {parser.DEPTH_MAX} deep, {NODES_MAX} parts", f"periods up to {WINDOW_MAX:,}",
                  f"cost up to {rules.COST_MAX:,}"):
        assert words in told, words


def test_the_names_of_expressions_and_sources_are_there() -> None:
    assert f"`{' '.join(PRICES)}` of the bar" in PAGE and all(f"`{one}`" in PAGE for one in TIMES) and f"(`{' '.join(SOURCES)}`;" in PAGE


def test_the_links_lead_somewhere() -> None:
    for page in (DOCS / "strategy-language.md", *(DOCS / "strategies").glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
