"""The watcher: whatever the desk believes, it looks at the exchange whether every position has its stop, and rings when one has none.

Every second by what the desk knows, every ten by what the exchange shows: positions and orders that rest there.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

import structlog

from haechi.exchanges.errors import Refused, Unreachable
from haechi.exchanges.port import OpenOrder
from haechi.trading.owner import EXTERNAL_OWNER, MANUAL_OWNER

if TYPE_CHECKING:
    from haechi.trading.desk import Desk, Face

EVERY_S = 1
EVIDENCE_EVERY = 10  # rounds
NAKED_MS = 3_000
OF_POSITIONS = frozenset({"naked", "no_stop", "stop_refused"})  # alarms whose key is owner:symbol
ZERO = Decimal(0)

log = structlog.get_logger(__name__)


class Watch:
    """Of one desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.rounds = 0
        self.since: dict[str, tuple[int, Decimal]] = {}  # owner:symbol -> since when so much has been seen without a stop
        self.missing: dict[str, int] = {}  # owner:symbol -> so many looks at the exchange in a row showed no whole stop
        self._pokes: set[asyncio.Task[None]] = set()

    async def live(self) -> None:
        while True:
            await self.desk.office.sleep(EVERY_S)
            self.rounds += 1
            try:
                await self.once(evidence=self.rounds % EVIDENCE_EVERY == 0)
            except (Unreachable, Refused) as error:
                log.warning("watch_blind", account_id=self.desk.account_id, why=error.message)
            except Exception:
                log.exception("watch_failed", account_id=self.desk.account_id)

    async def once(self, *, evidence: bool) -> None:
        desk = self.desk
        shown = await desk.exchange.open_orders() if evidence else None
        held_now = self._held()
        for bot_id, symbol, held in held_now:
            resting = sum((one.left for one in desk.orders.of(bot_id, symbol) if one.order.reduce_only and one.order.trigger is not None
                           and one.status == "open" and (one.order.side == "sell") == (held > 0)), ZERO)
            if shown is not None:
                self._seen(bot_id, symbol, held, resting, at_exchange(shown, desk.owner(bot_id).prefix, symbol, held))
            self._judge(bot_id, symbol, held, resting)
        self._tries()
        self._over({f"{owner}:{symbol}" for owner, symbol, _ in held_now})

    def _held(self) -> list[tuple[str, str, Decimal]]:
        """What must have a stop: all that bots hold, and what brackets protect of what was bought by hand; where the person holds a part
        of it the other way, what is left of it at the exchange."""
        holdings, manual = self.desk.holdings, self.desk.manual
        found = [(owner, symbol, manual.guarded(symbol) if owner == MANUAL_OWNER else holdings.quantity(owner, symbol))
                 for symbol in holdings.symbols() for owner in holdings.owners(symbol) if owner != EXTERNAL_OWNER]
        return [(owner, symbol, self._left(symbol, held)) for owner, symbol, held in found if held]

    def _left(self, symbol: str, held: Decimal) -> Decimal:
        room = self.desk.reducible(symbol, "sell" if held > 0 else "buy")
        return held if not 0 < room < abs(held) else room if held > 0 else -room

    def _seen(self, bot_id: str, symbol: str, held: Decimal, resting: Decimal, shown: Decimal) -> None:
        """What the desk believes to rest and the exchange does not show, twice: lists lag once."""
        desk, key = self.desk, f"{bot_id}:{symbol}"
        if shown >= abs(held) or resting < abs(held):
            self.missing.pop(key, None)
            return
        self.missing[key] = self.missing.get(key, 0) + 1
        desk.check.soon()
        if self.missing[key] >= 2:
            desk.alarm(bot_id, "naked", key=key, symbol=symbol, quantity=str(held), resting=str(shown))

    def _poke(self, face: Face) -> None:
        """Never waited for: who does not act is whom this looks after."""
        task = asyncio.get_running_loop().create_task(face.poke())
        self._pokes.add(task)
        task.add_done_callback(self._pokes.discard)

    async def settled(self) -> None:
        """Those it has poked have acted."""
        await asyncio.gather(*self._pokes)

    def _judge(self, bot_id: str, symbol: str, held: Decimal, resting: Decimal) -> None:
        desk, key, now = self.desk, f"{bot_id}:{symbol}", self.desk.clock.now_ms()
        if resting >= abs(held):
            self.since.pop(key, None)
            for code in ("naked", "no_stop", "stop_refused"):
                if code != "naked" or key not in self.missing:
                    desk.calm(bot_id, code, key=key)
            return
        face = desk.faces.get(bot_id)
        if face is not None and not face.protected:
            self.since.pop(key, None)
            for code in ("naked", "stop_refused"):  # of before its plan was known, or of one that had a stop
                desk.calm(bot_id, code, key=key)
            desk.alarm(bot_id, "no_stop", key=key, symbol=symbol, quantity=str(held))  # its plan has none: said once
            return
        since, least = self.since.get(key, (now, held))
        if resting >= abs(least) or held * least < 0:
            since, least = now, held  # what stood without one has it: what has none came later
        self.since[key] = since, min(least, held, key=abs)
        if now - since >= NAKED_MS:
            desk.alarm(bot_id, "naked", key=key, symbol=symbol, quantity=str(held), resting=str(resting))
        if face is not None:
            self._poke(face)

    def _tries(self) -> None:
        due = self.desk.rests.due_again(self.desk.clock.now_ms())
        for face in [face for face in self.desk.faces.values() if face.owner.bot_id in due]:
            self._poke(face)

    def _over(self, held: set[str]) -> None:
        """Alarms about what is no longer there, also those of before a restart."""
        for key in self.since.keys() - held:
            del self.since[key]
        for key in self.missing.keys() - held:
            del self.missing[key]
        desk = self.desk
        over = {":".join(found) for found in desk.over.found}
        for code, key in desk.office.alarms.of(desk.account_id):
            gone = (code in OF_POSITIONS and ":" in key and key not in held) or (code == "over_closed" and key not in over)
            if gone or (code == "unknown_order" and key not in desk.orders.working):
                desk.calm("", code, key=key)


def at_exchange(shown: list[OpenOrder], prefix: str, symbol: str, held: Decimal) -> Decimal:
    """How much of a position the exchange itself shows as stopped, under this owner's ids."""
    return sum((one.order.quantity - one.filled for one in shown if one.order.symbol == symbol and one.order.reduce_only
                and one.order.trigger is not None and one.order.client_id.startswith(f"{prefix}-")
                and (one.order.side == "sell") == (held > 0)), ZERO)
