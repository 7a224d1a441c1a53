"""Every environment name is explained where people look, and no name that is not read."""

from __future__ import annotations

import re
from pathlib import Path

from haechi.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
NAMES = {name.upper() for name in Settings.model_fields}


def test_every_setting_has_its_row_in_the_docs() -> None:
    assert set(re.findall(r"^\| `([A-Z_]+)`", (ROOT / "docs" / "settings.md").read_text(), re.M)) == NAMES


def test_every_setting_is_in_the_example_file() -> None:
    assert set(re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M)) == NAMES
