"""The order book as it is told: the whole first, then what changed, with a checksum to prove that both sides see the same."""

from __future__ import annotations

from typing import Any

from haechi.venue.floor import Floor
from haechi.venue.market import Depth
from haechi.venue.wire.ws.frames import checksum, written

BOOKS = ("books", "books1", "books5", "books15")
LEVELS = {"books1": 1, "books5": 5, "books15": 15}
DEPTH = 200
Rows = dict[int, int]


class BookFeed:
    """One market. All listeners of `books` share one state: who comes later gets it whole, with the seq of its last change."""

    def __init__(self, floor: Floor, m: int) -> None:
        self.floor, self.m = floor, m
        self._bids: Rows = {}
        self._asks: Rows = {}
        self._seq = 0
        self._ts = 0

    def snapshot(self, channel: str) -> dict[str, Any]:
        if channel != "books":
            depth = self.floor.depth(self.m, LEVELS[channel])
            return self._told(depth.bids, depth.asks, depth.bids, depth.asks, depth.seq, depth.time_ms)
        if not self._seq:
            self._take(self.floor.depth(self.m, DEPTH))
        bids, asks = self._sides()
        return self._told(bids, asks, bids, asks, self._seq, self._ts)

    def update(self) -> dict[str, Any] | None:
        """What changed since the last update; None if nothing did."""
        before_bids, before_asks = self._bids, self._asks
        depth = self.floor.depth(self.m, DEPTH)
        self._take(depth)
        bids, asks = changes(before_bids, self._bids), changes(before_asks, self._asks)
        if not bids and not asks:
            return None
        return self._told(bids, asks, *self._sides(), self._seq, self._ts)

    def _take(self, depth: Depth) -> None:
        self._bids, self._asks = dict(depth.bids), dict(depth.asks)
        self._seq, self._ts = max(depth.seq, self._seq + 1), depth.time_ms

    def _sides(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        return sorted(self._bids.items(), reverse=True), sorted(self._asks.items())

    def _told(self, bids: list[tuple[int, int]], asks: list[tuple[int, int]], all_bids: list[tuple[int, int]],
              all_asks: list[tuple[int, int]], seq: int, ts: int) -> dict[str, Any]:
        one, listed = self.floor.instruments[self.m], self.floor.contracts[self.m]
        proof = checksum(written(one, listed, all_bids[:25]), written(one, listed, all_asks[:25]))
        return {"asks": written(one, listed, asks), "bids": written(one, listed, bids), "checksum": proof, "seq": seq, "ts": str(ts)}


def changes(before: Rows, after: Rows) -> list[tuple[int, int]]:
    """Levels that are new or other, and with size 0 those that are gone."""
    rows = [(price, lots) for price, lots in after.items() if before.get(price) != lots]
    return rows + [(price, 0) for price in before if price not in after]
