"""What a person must know, once: raised under a key, cleared when it is over. In the log at once, in the table when it can be written."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import structlog
from sqlalchemy import insert, select, update

from haechi.platform.clock import Clock
from haechi.platform.db import Session
from haechi.trading.models import Alarm
from haechi.trading.owner import Owner
from haechi.trading.scribe import Scribe, Unwritten

ADAPTERS = "exchange"  # key of what an exchange's adapter says of the connection

log = structlog.get_logger(__name__)


class Alarms:
    """`ringing`: keys that were raised and not cleared."""

    def __init__(self, scribe: Scribe, clock: Clock) -> None:
        self.scribe, self.clock = scribe, clock
        self.ringing: dict[str, int] = {}
        self._of: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)  # account -> code and key of what rings there

    async def load(self, session: Session) -> None:
        """What an earlier life of this process raised rings on, until it is seen to be over."""
        for row in (await session.execute(select(Alarm).where(Alarm.cleared_ms.is_(None)))).scalars():
            self.ringing[row.key] = row.raised_ms
            account_id, code, key = row.key.split(":", 2)
            self._of[account_id].add((code, key))

    def of(self, account_id: str) -> list[tuple[str, str]]:
        """Code and key of what rings on this account."""
        return list(self._of.get(account_id, ()))

    def ring(self, owner: Owner, code: str, *, key: str = "", **facts: Any) -> None:
        """One that rings already is not raised again. key: what it is about, within the account."""
        name = f"{owner.account_id}:{code}:{key}"[:96]
        if name in self.ringing:
            return
        now = self.clock.now_ms()
        self.ringing[name] = now
        self._of[owner.account_id].add((code, key))
        log.error("alarm", code=code, user_id=owner.user_id, account_id=owner.account_id, bot_id=owner.bot_id, key=key, **facts)
        row = {"user_id": owner.user_id, "account_id": owner.account_id, "bot_id": owner.bot_id, "code": code, "key": name,
               "facts": {name: str(value) for name, value in facts.items()}, "raised_ms": now, "cleared_ms": None}

        async def work(session: Session) -> None:
            await session.execute(insert(Alarm), [row])

        self._later(work)

    def clear(self, owner: Owner, code: str, *, key: str = "") -> None:
        name = f"{owner.account_id}:{code}:{key}"[:96]
        if self.ringing.pop(name, None) is None:
            return
        self._of[owner.account_id].discard((code, key))
        now = self.clock.now_ms()

        async def work(session: Session) -> None:
            await session.execute(update(Alarm).where(Alarm.user_id == owner.user_id, Alarm.key == name, Alarm.cleared_ms.is_(None))
                                  .values(cleared_ms=now))

        self._later(work)

    def _later(self, work: Any) -> None:
        try:
            self.scribe.later(work)
        except Unwritten:
            log.exception("alarm_unwritten")
