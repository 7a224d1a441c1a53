"""Counting what was tried in vain, so that nobody guesses for long and nobody can lock somebody else out.

A password is counted for the account and the network it came from: a stranger's tries lock the stranger's network, not the owner. All
strangers together have DAILY_MAX tries at one account a day; a device that has signed in before is counted apart from them. Counters lie
in the database: they outlive a restart, hold for every worker, and when the database does not answer nobody signs in either.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from haechi.errors import HaechiError
from haechi.identity.models import FailedTries
from haechi.identity.tokens import hashed
from haechi.platform.db import Database, Session

DAY = timedelta(days=1)
DAILY_MAX = 100  # passwords, of all strangers at one account
SECOND_FACTOR_MAX = 30  # codes a day at one account: three of a million are right at a time, so 1 in 10,000 is guessed


class LockedOut(HaechiError):
    """Too many failed tries."""

    status = 429
    code = "locked_out"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Too many failed tries; try again in {seconds} seconds.", details={"retry_after_s": seconds})
        self.headers = {"Retry-After": str(seconds)}


@dataclass(frozen=True)
class Rule:
    """At most `times` failures within `window` of the first."""

    times: int
    window: timedelta


class Tries:
    """`login`: the rule for one account from one network (or one known device)."""

    def __init__(self, database: Database, login: Rule) -> None:
        self.database, self.login = database, login
        self.daily, self.codes = Rule(DAILY_MAX, DAY), Rule(SECOND_FACTOR_MAX, DAY)

    def password(self, email: str, network: str, device: str | None) -> list[tuple[str, Rule]]:
        """What a failed password counts against. device: the person a device's note names."""
        if device is not None:
            return [(key("device", email, device), self.login)]
        return [(key("network", email, network), self.login), (key("account", email), self.daily)]

    def code(self, user_id: str) -> list[tuple[str, Rule]]:
        """What a failed second factor counts against."""
        return [(key("code", user_id), self.login), (key("codes", user_id), self.codes)]

    async def check(self, counted: list[tuple[str, Rule]], now: datetime) -> None:
        """Raises LockedOut."""
        async with self.database.reading() as session:
            await self._check(session, counted, now)

    async def _check(self, session: Session, counted: list[tuple[str, Rule]], now: datetime) -> None:
        for name, rule in counted:
            found = await session.get(FailedTries, name)
            if found is not None and found.count >= rule.times and now < found.since + rule.window:
                raise LockedOut(max(1, round((found.since + rule.window - now).total_seconds())))

    async def count(self, counted: list[tuple[str, Rule]], now: datetime) -> None:
        """One more failure, before the answer is known to be one, so that parallel tries are each counted. Raises LockedOut."""
        async with self.database.writing() as session:
            await self._check(session, counted, now)
            for name, rule in counted:
                await self._one_more(session, name, rule, now)

    async def _one_more(self, session: Session, name: str, rule: Rule, now: datetime) -> None:
        found = (await session.execute(select(FailedTries).where(FailedTries.key == name).with_for_update())).scalar_one_or_none()
        if found is None:
            session.add(FailedTries(key=name, count=1, since=now))
            await session.flush()
        elif now >= found.since + rule.window:
            found.count, found.since = 1, now
        else:
            await session.execute(update(FailedTries).where(FailedTries.key == name).values(count=FailedTries.count + 1))

    async def forgive(self, counted: list[tuple[str, Rule]], now: datetime) -> None:
        """It was right after all: the first counter begins anew, the others take back this try; and old counters go."""
        async with self.database.writing() as session:
            for place, (name, _) in enumerate(counted):
                one = FailedTries.key == name
                await session.execute(update(FailedTries).where(one, FailedTries.count > 0).values(count=FailedTries.count - 1) if place
                                      else delete(FailedTries).where(one))
            await session.execute(delete(FailedTries).where(FailedTries.since < now - 2 * DAY))


def key(*parts: str) -> str:
    return hashed("\n".join(parts))
