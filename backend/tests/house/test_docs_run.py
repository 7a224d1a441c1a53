"""The code and the commands shown in the READMEs do what they say."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
COMMAND = "$ .venv/bin/haechi "


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.S)


def test_the_python_of_the_readme_runs() -> None:
    shown = subprocess.run([sys.executable, "-c", "\n".join(blocks("README.md", "python"))], capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    trades, balance = shown.stdout.splitlines()[0].split()
    assert int(trades) > 10
    assert float(balance) > 0


@pytest.mark.parametrize("page", ["README.md", "README.ko.md"])
def test_the_commands_of_the_readme_run(page: str, tmp_path: Path) -> None:
    lines = [line for block in blocks(page, "console") for line in block.splitlines() if line.startswith(COMMAND)]
    assert len(lines) >= 3
    for line in lines:
        given = shlex.split(line.removeprefix(COMMAND))
        done = subprocess.run([sys.executable, "-m", "haechi.cli", *given], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    assert "</html>" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_every_make_command_is_listed_by_make_help() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^\.PHONY: (.*)$", text, re.M)[0].split())
    assert targets == set(re.findall(r"^([a-z]+):.*##", text, re.M))


@pytest.mark.parametrize("page", sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]))
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)[)#]", (ROOT / page).read_text(encoding="utf-8")):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"
