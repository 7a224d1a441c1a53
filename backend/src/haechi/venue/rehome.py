"""A store that belonged to other markets: members keep their money, if they hold nothing there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import structlog

from haechi.core.instrument import Instrument
from haechi.venue.clearing import Clearing
from haechi.venue.records import Bill, OrderRecord, PlanRecord

if TYPE_CHECKING:
    from haechi.venue.store import Session, Snapshot, Store

log = structlog.get_logger(__name__)


def rehome(store: Store, instruments: Sequence[Instrument]) -> None:
    """Nothing, where symbols, ticks and lots are the store's. Else records that speak of the old markets go, wallets and transfers stay.
    Raises ValueError while somebody holds or offers something in the old ones."""
    session = store.session()
    grid = [(str(one.tick), str(one.lot)) for one in instruments]
    symbols = [one.symbol for one in instruments]
    if session is None or (session.symbols, session.grid) == (symbols, grid):
        return
    members = store.snapshots()
    busy = [name for name, kept in members.items() if kept.held or _offers(store, name)]
    if busy:
        raise ValueError(f"{len(busy)} account(s) hold or offer something in the markets {', '.join(session.symbols)}: set MARKET back and "
                         "stop their bots first, or move the file away, then paper accounts begin anew")
    log.warning("paper_markets_changed", was=session.symbols, now=symbols, accounts=len(members))
    kept = {name: (_at_home(one, len(symbols)), _transfers(store, name)) for name, one in members.items()}
    store.replace(_moved(session, symbols, grid), kept)


def _offers(store: Store, name: str) -> bool:
    waiting: list[OrderRecord | PlanRecord] = [*store.all_of(name, "order"), *store.all_of(name, "plan")]
    return any(one.open for one in waiting)


def _at_home(kept: Snapshot, markets: int) -> Snapshot:
    leverage, cross, hedge = kept.terms[0]
    return msgspec.structs.replace(kept, rows={0: kept.rows[0]}, terms=[(leverage, cross, hedge)] * markets, leverages=[], auto_margin=[],
                                   queued=[])


def _transfers(store: Store, name: str) -> list[Bill]:
    return [bill for bill in store.all_of(name, "bill") if bill.m < 0]


def _moved(session: Session, symbols: list[str], grid: list[tuple[str, str]]) -> Session:
    """The counterparty's cash of the old markets goes to the insurance: the books still sum to zero."""
    old, none = session.clearing, [0] * len(symbols)
    books = Clearing(list(none), list(none), old.deposits, old.fees, old.funding, old.insurance + sum(old.cash))
    return msgspec.structs.replace(session, symbols=symbols, grid=grid, points=list(none), clearing=books, now_ms=0, epoch=session.last_id)
