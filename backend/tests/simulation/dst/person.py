"""What people ask of the house while it trades, by the use cases behind its routes: stop a bot, start it again, give its grid another
range. Someone whom nothing answers, because the house or its database is down, asks again a second later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from haechi.bots import grid_bots, instances
from haechi.bots.grid_schemas import PlanBody
from haechi.bots.models import GRID, Bot
from haechi.bots.service import Bots
from haechi.core.grid_plan import GridPlan
from haechi.core.units import UnitError
from haechi.errors import HaechiError
from haechi.identity.models import User
from haechi.platform.house import House

from .system import System

PATIENCE_S = 90
BROAD, NARROW = Decimal("1.3"), Decimal("0.8")  # of the half of the range
PLAN = ("cells", "direction", "spacing", "quantity", "investment", "leverage", "trigger", "take_profit", "trail_up", "trail_down")


class Person:
    """One user, who has one bot."""

    def __init__(self, system: System, user_id: str, bot_id: str) -> None:
        self.system, self.bot_id = system, bot_id
        self.asked = instances.Asked(User(id=user_id), "127.0.0.1")

    async def stops(self, *, flatten: bool) -> bool:
        return await self._asks(lambda house: instances.stop(house, self.asked, self.bot_id, flatten=flatten))

    async def starts(self) -> bool:
        return await self._asks(lambda house: instances.start(house, self.asked, self.bot_id))

    async def edits(self, size: float) -> bool:
        """Of a grid: only its stops, or a broader or narrower range with as many cells. False for another kind of bot."""
        return await self._asks(lambda house: self._edit(house, size))

    async def _edit(self, house: House, size: float) -> None:
        async with house.database.reading() as session:
            bot = await session.get_one(Bot, self.bot_id)
        if bot.kind == GRID:
            plan = grid_bots.spec_of(bot).grid
            await grid_bots.change(house, self.asked.user.id, self.bot_id, PlanBody(**changed(plan, size)))

    async def _asks(self, deed: Callable[[House], Awaitable[Any]]) -> bool:
        """False: it was refused, or nothing answered for so long that they gave up."""
        for _ in range(PATIENCE_S):
            if self.system.up:
                try:
                    await deed(self.house)
                    return True
                except (HaechiError, UnitError):
                    return False
                except Exception:  # noqa: S110 - whatever the database's faults make of a request is a 500 or a 503, and one asks again
                    pass
            await asyncio.sleep(1)
        return False

    @property
    def house(self) -> House:
        system = self.system
        return House(None, system.clock, system.database, None, {Bots: system.bots})  # type: ignore[arg-type]


def changed(plan: GridPlan, size: float) -> dict[str, Any]:
    """size 0…1: below a half the stops alone move, by a fifth of the range; above, the range."""
    middle, half = (plan.lower + plan.upper) / 2, (plan.upper - plan.lower) / 2
    by = Decimal(1) if size < 0.5 else NARROW if size < 0.75 else BROAD
    edge = half / 5 if size < 0.5 else Decimal(0)
    there = {"lower": middle - half * by, "upper": middle + half * by,
             "stop_lower": None if plan.stop_lower is None else min(plan.stop_lower, middle - half * by) - edge,
             "stop_upper": None if plan.stop_upper is None else max(plan.stop_upper, middle + half * by) + edge}
    whole = {name: value if value is None else value.quantize(Decimal(1)) for name, value in there.items()}
    return whole | {name: getattr(plan, name) for name in PLAN}
