"""What docs/venue.md shows is done against a venue: its commands and its ccxt script."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CCXT = Path(sys.prefix) / "ccxt" / "bin" / "python"  # an environment of its own: ccxt names versions that the platform has newer
PAGE = (ROOT / "docs/venue.md").read_text(encoding="utf-8")


def shown(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A stepped venue with faults, as its user starts it; the environment of the examples."""
    command = [sys.executable, "-m", "haechi.cli", "venue", "--port", "0", "--speed", "step", "--faults"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path_factory.mktemp("venue"),
                          env={**os.environ, "PYTHONUNBUFFERED": "1"}) as server:
        assert server.stdout is not None
        said = "".join(server.stdout.readline() for _ in range(3))
        found = re.search(r"on (http://\S+) .*\n.*key (\S+)  secret (\S+)  passphrase (\S+)", said)
        assert found is not None, said
        yield {**os.environ, **dict(zip(("URL", "KEY", "SECRET", "PASSPHRASE"), found.groups(), strict=True))}
        server.terminate()


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="curl and openssl are not installed")
def test_the_curl_examples_are_answered_with_success(venue: dict[str, str]) -> None:
    examples = shown("bash")
    assert len(examples) >= 5
    for example in examples:
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", example], env=venue, capture_output=True, text=True)
        answers = [json.loads(text) for text in re.split(r"(?<=\})(?=\{)", done.stdout.strip())]
        assert done.returncode == 0 and answers, done.stderr
        assert {answer["code"] for answer in answers} == {"00000"}, f"{example}\n{done.stdout}"


@pytest.mark.skipif(not CCXT.exists(), reason="no environment with ccxt: `make test` makes it")
def test_the_ccxt_example_trades(venue: dict[str, str]) -> None:
    done = subprocess.run([str(CCXT), "-c", "\n".join(shown("python"))], env=venue, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    placed, total = done.stdout.split()
    assert placed == "True" and 9_000 < float(total) < 11_000
