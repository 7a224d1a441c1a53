"""PostgreSQL: who writes takes turns by an advisory lock, and nobody keeps a turn in which nothing happens.

A process that was stopped in the middle of its turn (SIGSTOP, a frozen machine) says nothing and closes nothing. The server ends its
transaction when it is idle. It does not count as idle between a statement's preparing and its running, for which asyncpg sends two
messages; a turn kept there is ended by whoever waited for it in vain.
"""

from __future__ import annotations

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

# Any number, but the same in every process. Held until the transaction ends; waited for as long as SQLite's lock.
WRITE_LOCK = 7_240_135_002
SILENT_S = 10.0
TAKE = text("SELECT set_config('lock_timeout', :ms, true), set_config('idle_in_transaction_session_timeout', :silent, true), "
            f"pg_advisory_xact_lock({WRITE_LOCK})")
# A backend that waits for its client (ClientRead), for so long, with the lock in its hand.
END = text("SELECT pg_terminate_backend(held.pid) FROM pg_locks AS held JOIN pg_stat_activity AS one ON one.pid = held.pid "
           "WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1 AND one.datname = current_database() "
           "AND (held.classid::bigint << 32) + held.objid::bigint = :lock "
           "AND one.wait_event = 'ClientRead' AND one.state_change < now() - make_interval(secs => :silent)")
LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL's word for it, appendix A of its manual

log = structlog.get_logger(__name__)


async def take(session: AsyncSession, engine: AsyncEngine, wait_ms: int) -> None:
    """Raises DBAPIError for who has waited that long; the next one finds the turn free if its holder only kept it."""
    try:
        await session.execute(TAKE, {"ms": str(wait_ms), "silent": str(int(SILENT_S * 1000))})
    except DBAPIError as error:
        if not_available(error):
            await end_silent(engine)
        raise


def not_available(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE


async def end_silent(engine: AsyncEngine) -> None:
    """Where that is not possible (no connection, a holder of another role), the turn ends with its holder."""
    try:
        async with engine.connect() as link:
            ended = len((await link.execute(END, {"lock": WRITE_LOCK, "silent": SILENT_S})).all())
            await link.commit()
    except SQLAlchemyError as error:
        log.warning("turn_not_ended", error=type(error).__name__)
        return
    if ended:
        log.error("turn_ended", why=f"a process held the turn to write and did nothing for {SILENT_S:g} s")
