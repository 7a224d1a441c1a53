"""When a bot may end: nothing can fill for it any more that it does not know of.

What filled before an order was taken away may be told later than that it is gone. After its end it would be nobody's: a position without
a stop under a row that says stopped. So the account is looked at once more after the last order was taken away.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from haechi.bots.runner import Runner

ROUND_MS = 60_000  # no reconciliation takes longer: one that ended so long after an order was taken away has begun after it
PROOF_AGAIN_S = 1

log = structlog.get_logger(__name__)


class Ending:
    """Of one runner."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.task: asyncio.Task[None] | None = None
        self._proved: set[str] = set()  # orders after whose taking away the account was looked at

    def may_come(self) -> bool:
        """Of a runner with no order left that counts, and no fill in its inbox: its books hold what its mind holds, and nothing else can
        come. False: it is being looked for, and the runner is poked when that is done."""
        runner, desk = self.runner, self.runner.desk
        mind, one = runner.mind, runner.mind.spec.instrument
        if desk.holdings.quantity(runner.owner.bot_id, one.symbol) != one.quantity(mind.position + mind.excess):
            desk.check.soon()
            return False
        taken = self._taken()
        if taken <= self._proved:
            return True
        if self.task is None:
            self.task = asyncio.create_task(self._prove(taken))
        return False

    def _taken(self) -> set[str]:
        """Its orders that were taken away a moment ago."""
        desk, bot_id = self.runner.desk, self.runner.owner.bot_id
        since = desk.check.reconciled_ms - ROUND_MS
        return {one.id for one in desk.orders.ended.values() if one.owner == bot_id and one.canceling and one.asked_ms >= since}

    async def _prove(self, taken: set[str]) -> None:
        """One whole reconciliation, in a task of its own: what it finds, the runner acts on meanwhile."""
        desk = self.runner.desk
        while not self.runner.ended.is_set():
            try:
                await desk.check.once()
                break
            except Exception as error:  # an exchange that does not answer, or a fault the reconciliation tells of by itself
                log.warning("end_not_proved", bot_id=self.runner.owner.bot_id, why=str(error))
                await desk.office.sleep(PROOF_AGAIN_S)
        self._proved |= taken
        self.task = None  # what was taken away meanwhile wants a round of its own
        await self.runner.poke()
