"""What a bot hears of its strategy: the signal of each bar it is told, and those of the bars it was not told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from haechi.bots.grid_mind import EXIT
from haechi.bots.mind import Mind
from haechi.bots.signals import Signal, SignalHub, SignalKey
from haechi.exchanges.errors import Refused, Unreachable
from haechi.exchanges.port import Bar

if TYPE_CHECKING:
    from haechi.bots.runner import Runner
    from haechi.core.language import Explained

HISTORY_BARS = 5000  # of the bot's timeframe

log = structlog.get_logger(__name__)


class Hearing:
    """Of one runner. Until it is opened, and of a grid, there is nothing to hear."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.hub: SignalHub | None = None
        self.key: SignalKey | None = None

    def open(self, hub: SignalHub, key: SignalKey) -> None:
        self.hub, self.key = hub, key

    def close(self) -> None:
        if self.hub is not None and self.key is not None:
            self.hub.close(self.key)
        self.hub = None

    async def signal(self, bar: Bar) -> Signal | None:
        """What the strategy says at this bar's close. With bars missing, nothing, until the exchange has told them."""
        mind, hub, key = self.runner.mind, self.hub, self.key
        if hub is None or key is None:
            return None
        found = hub.signal(key, bar)
        if hub.stale(key):
            try:
                hub.refill(key, await self.runner.desk.exchange.bars(self.runner.symbol, HISTORY_BARS, key.timeframe_ms))
            except (Unreachable, Refused) as error:
                log.warning("bars_missing", bot_id=self.runner.owner.bot_id, why=error.message)
                return None
            found = hub.signal(key, bar)
            self.missed(before=bar.ts if found is None else found.whole.ts)
        elif found is not None and isinstance(mind, Mind) and mind.bar_ts < found.whole.ts - found.whole.timeframe_ms:
            self.missed(before=found.whole.ts)  # the bars are everybody's: others were told the one that we were not
        return found

    def explained(self, ts: int) -> list[Explained]:
        """Every rule at the bar that opened at ts, with its parts and their values. Empty as SignalHub.explained, and of a grid."""
        return [] if self.hub is None or self.key is None else self.hub.explained(self.key, ts)

    def missed(self, *, before: int | None = None) -> None:
        """Bars that closed while nobody told of them are thought over: their entries are dropped, their exits are not. One that has not
        closed any bar has missed none. before: those that opened before this moment only."""
        runner, mind = self.runner, self.runner.mind
        if self.hub is None or self.key is None or not isinstance(mind, Mind) or mind.bar_ts < 0:
            return
        for signal in self.hub.since(self.key, mind.bar_ts):
            if before is None or signal.whole.ts < before:
                runner.journal.write("missed", event=signal.whole, signal=signal)
                runner.exiting = any(wish.role == EXIT for wish in mind.missed(signal.whole, signal)) or runner.exiting
