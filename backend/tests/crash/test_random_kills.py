"""`kill -9` at random moments, again and again, while orders flow: nothing doubled, nothing lost, no stop taken away."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from random import Random
from typing import Any

import pytest
from crash_scene import Scene, forker, scene

KILLS = int(os.environ.get("HAECHI_KILLS", "200"))
CHUNK = 50
COMPARED_EVERY = 10
STARTING_S, SOON_S, LATER_S = 0.4, 0.05, 1.0


@pytest.mark.parametrize("chunk", range(max(1, KILLS // CHUNK)))
async def test_killed_at_any_moment(chunk: int, tmp_path: Path, template: Path, told: Any) -> None:
    rng = Random(f"kills {chunk}")
    async with forker(tmp_path / "forker") as forked, scene(tmp_path, forked, f"kills {chunk}", template) as one:
        await one.exchange.goes()
        for kill in range(min(CHUNK, KILLS)):
            await dies(one, rng)
            one.never()
            if kill % COMPARED_EVERY == COMPARED_EVERY - 1:
                await one.begins()
                await one.rests()
                await one.exchange.goes()
                await one.kill()
                one.whole()
        assert one.fills > 0
        told(one)


async def dies(one: Scene, rng: Random) -> None:
    """Half of them while starting, nearly all others within 50 ms of being at work, every tenth later."""
    drawn = rng.random()
    await one.begins(wait=drawn < 0.55)
    await asyncio.sleep(rng.random() * (LATER_S if drawn < 0.1 else SOON_S if drawn < 0.55 else STARTING_S))  # the moment is the case
    await one.kill()
