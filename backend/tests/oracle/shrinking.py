"""Makes a failing case small enough to read: fewer bars, fewer signals, fewer features, as long as it still fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from cases import Case
from reference import Feed

from haechi.core.plan import Plan


def smallest(case: Case, fails: Callable[[Case], bool], rounds: int = 4) -> Case:
    """Greedy: take every simplification after which the case still fails; again until none is left."""
    for _ in range(rounds):
        before = case
        for simpler in (_fewer_feeds, _plainer_plan, _fewer_bars, _quieter):
            for candidate in simpler(case):
                kept = candidate(case)
                if kept is not None and fails(kept):
                    case = kept
        if case == before:
            break
    return case


Step = Callable[[Case], Case | None]


def _fewer_feeds(case: Case) -> Iterator[Step]:
    for symbol in [feed.instrument.symbol for feed in case.feeds]:
        yield lambda now, symbol=symbol: _with(now, [f for f in now.feeds if f.instrument.symbol != symbol])


def _with(case: Case, feeds: list[Feed]) -> Case | None:
    usable = feeds and all(len(feed.bars) >= 2 for feed in feeds)
    return replace(case, feeds=tuple(feeds)) if usable else None


def _plainer_plan(case: Case) -> Iterator[Step]:
    fresh = Plan()
    for name in fresh.__struct_fields__:
        if name != "size":
            yield lambda now, name=name: now.with_plan(**{name: getattr(fresh, name)})
    yield lambda now: now.with_plan(targets=now.plan.targets[:1])
    for name in ("detail", "funding"):
        yield lambda now, name=name: _with(now, [replace(f, **{name: [] if name == "funding" else None}) for f in now.feeds])


def _fewer_bars(case: Case) -> Iterator[Step]:
    for part in (16, 8, 4, 2, 1):
        for _ in range(40 // part):
            yield lambda now, part=part: _with(now, [_cut(f, part, len(f.bars)) for f in now.feeds])
            yield lambda now, part=part: _with(now, [_cut(f, 0, len(f.bars) - part) for f in now.feeds])


def _cut(feed: Feed, start: int, stop: int) -> Feed:
    bars = feed.bars[start:stop]
    inside = range(bars[0].ts, bars[-1].ts + feed.timeframe_ms) if bars else range(0)
    return replace(feed, bars=bars, bits=feed.bits[start:stop], atr=feed.atr[start:stop] if feed.atr else None,
                   funding=[one for one in feed.funding if one[0] in inside],
                   detail=[fine for fine in feed.detail if fine.ts in inside] if feed.detail else None)


def _quieter(case: Case) -> Iterator[Step]:
    for number, feed in enumerate(case.feeds):
        for index in range(len(feed.bits)):
            for bit in (1, 2, 4, 8):
                yield lambda now, number=number, index=index, bit=bit: _without(now, number, index, bit)


def _without(case: Case, number: int, index: int, bit: int) -> Case | None:
    if number >= len(case.feeds) or index >= len(case.feeds[number].bits) or not case.feeds[number].bits[index] & bit:
        return None
    feeds = list(case.feeds)
    bits = list(feeds[number].bits)
    bits[index] -= bit
    feeds[number] = replace(feeds[number], bits=bits)
    return replace(case, feeds=tuple(feeds))
