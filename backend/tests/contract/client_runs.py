"""Runs a day of somebody else's client as a program of its own, and reads what held."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from venue_stage import Stage

LONGEST_S = 120


def steps_of(command: list[str], stage: Stage, name: str, **told: Any) -> list[dict[str, str]]:
    """The steps a client's day reports."""
    key = stage.admit(name)
    given = {"url": stage.url, "ws": stage.ws, "key": key.key, "secret": key.secret, "passphrase": key.passphrase, **told}
    run = subprocess.run([*command, json.dumps(given)], capture_output=True, text=True, timeout=LONGEST_S, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    steps: list[dict[str, str]] = json.loads(run.stdout.strip().splitlines()[-1])
    return steps


def failures(steps: list[dict[str, str]]) -> list[str]:
    return [f"{one['step']}: {one['failed']}" for one in steps if one["failed"]]
