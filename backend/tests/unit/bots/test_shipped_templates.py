"""The figures beside the shipped templates are those that this engine makes."""

from __future__ import annotations

import pytest

from haechi.bots.shipped_templates import SHIPPED, figures_shipped, made


def test_each_has_figures_and_nothing_else_has() -> None:
    assert list(figures_shipped()) == list(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_they_are_what_a_back_test_gives(name: str) -> None:
    """After a change of the engine or of a plan: python -m haechi.bots.shipped_templates."""
    assert figures_shipped()[name] == made(name)
