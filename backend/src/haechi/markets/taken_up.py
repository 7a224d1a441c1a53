"""How a tape is taken up again where a floor stood in it, and how far it has been played is kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import structlog

from haechi.markets.feed import SYNTHETIC, WARM_BARS, Instant, Tape
from haechi.venue.past import BARS_KEPT
from haechi.venue.store import Place

if TYPE_CHECKING:
    from haechi.venue.floor import Floor

log = structlog.get_logger(__name__)


def taken_up(floor: Floor, tape: Tape) -> int:
    """Let the floor stand where this tape stood, or for another tape at its beginning -> the number of instants that are past."""
    known, place = known_source(floor, tape.source), floor.place
    played = place.played if known and place is not None else WARM_BARS if tape.label == SYNTHETIC else 0
    past = deque(islice(tape.instants, max(0, played - tape.first)), maxlen=BARS_KEPT)
    if not known:
        floor.venue.bars_played += len(past)
    floor.remember(past)
    return played


def known_source(floor: Floor, source: str) -> bool:
    """Whether the floor stood in this market before. In another one its time begins anew; positions are kept and marked there."""
    place = floor.place
    if place is not None and place.source == source:
        return True
    if place is not None:
        log.warning("paper_market_changed", was=place.source, now=source, accounts=len(floor.members))
        floor.epoch, floor.now_ms = floor.last_id, 0
    floor.place = Place(source)
    for past in floor.venue.past.values():
        past.forget()
    return False


def counted(floor: Floor, tape: Tape, played: int) -> Iterator[Instant]:
    """The instants that come, each written into the floor's place as it is given away."""
    floor.place = Place(tape.source, tape.start_ms, played, tape.marks())
    for instant in tape.instants:
        played += 1
        floor.place = Place(tape.source, tape.start_ms, played, tape.marks())
        yield instant
