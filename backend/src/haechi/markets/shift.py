"""Are the times of new bars the same as those of bars one trusts? Files written in local time, or stamped at the close, look fine alone.

The closes of both are put on one clock and compared at lags from -12 to +12 hours. The price changes over each new bar are correlated
with the trusted changes over the same time; at the right lag the correlation stands out (1 for the same market, about 0.99 for
spot against perpetual), at all others it is near 0.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from .timeframes import HOUR
from .times import iso

REACH = 12 * HOUR
HALF_HOUR = HOUR // 2
CHANGES_MIN = 50  # matched price changes below which nothing is said
CORRELATION_MIN = 0.5  # at the best lag; below it these are hardly the same market
DISTANCE_MIN = 5.0  # standard errors (Fisher z) between the best lag and every other
PARTS_MAX = 8  # stretches looked at on their own, to find a shift that changes (daylight saving)
PART_BARS_MAX = 8_000  # bars looked at in each stretch: a year of minutes takes 1 s instead of 8

Verdict = Literal["no_shift", "shifted", "varies", "cannot_tell"]
Series = tuple[NDArray[np.int64], NDArray[np.float64], int]  # open times, closes, timeframe in ms


class Shift(msgspec.Struct, frozen=True):
    """The finding and its evidence. `lag_ms` > 0: the new bars carry times later than the trusted ones."""

    verdict: Verdict
    sentence: str
    lag_ms: int | None = None
    correlation: float | None = None
    correlation_at_zero: float | None = None
    equal_closes: float | None = None
    equal_closes_at_zero: float | None = None
    changes: int = 0


class _Lag(NamedTuple):
    lag: int
    changes: int
    correlation: float
    equal: float


def compare(new: Series, trusted: Series) -> Shift:
    """Shift of `new` against `trusted` (both sorted). The timeframes may differ."""
    stretches = _stretches(new)
    findings = _scan(_joined(stretches), trusted)
    if isinstance(findings, str):
        return _unknown(findings)
    best = max(findings, key=lambda finding: finding.correlation)
    parts = _parts(stretches, trusted)
    if len(parts) > 1:  # asked first: two halves with two lags fit about equally well as a whole
        listed = "; ".join(f"{hours(part.lag)} from {iso(first)}" for first, part in parts)
        return _shift("varies", f"the shift changes over time ({listed}): local time with daylight saving?", best, findings)
    doubt = _doubt(best, findings)
    return _unknown(doubt, best, findings) if doubt else _judged(best, findings)


def _judged(best: _Lag, findings: list[_Lag]) -> Shift:
    zero = next((f for f in findings if f.lag == 0), None)
    evidence = f"over {best.changes:,} price changes the correlation is {best.correlation:.3f} and {best.equal:.0%} of the closes are equal"
    if best.lag == 0:
        return _shift("no_shift", f"no shift: {evidence}", best, findings)
    unshifted = f"; unshifted they are {zero.correlation:.3f} and {zero.equal:.0%}" if zero else ""
    return _shift("shifted", f"looks shifted by {hours(best.lag)}: so moved, {evidence}{unshifted}", best, findings)


def hours(lag_ms: int) -> str:
    """+8 h, -0.5 h, +1 min."""
    return f"{lag_ms / HOUR:+g} h" if lag_ms % HALF_HOUR == 0 else f"{lag_ms / 60_000:+g} min"


def _scan(new: Series, trusted: Series) -> list[_Lag] | str:
    if new[2] >= trusted[2]:
        found = [_at(new, trusted, lag) for lag in lags(new[2], trusted[2])]
    else:  # the finer one is looked up at the times of the coarser one, so the roles change and the lag its sign
        found = [_at(trusted, new, -lag) for lag in lags(trusted[2], new[2])]
        found = [finding._replace(lag=-finding.lag) for finding in found]
    enough = [finding for finding in found if finding.changes >= CHANGES_MIN]
    if not enough:
        most = max(finding.changes for finding in found)
        return f"only {most} price changes are in common; at least {CHANGES_MIN} are needed"
    usable = [finding for finding in enough if np.isfinite(finding.correlation)]
    return usable or "the price does not move where the two have bars in common"


def lags(coarse: int, fine: int) -> list[int]:
    """Half hours up to 12 h, and one or two bars, as far as the finer bars can tell them apart."""
    steps = {*range(-REACH, REACH + 1, HALF_HOUR), *(bars * length for bars in (-2, -1, 1, 2) for length in (coarse, fine))}
    return sorted(lag for lag in steps if lag % fine == 0 and abs(lag) <= REACH)


def _at(coarse: Series, fine: Series, lag: int) -> _Lag:
    """Changes over each coarse bar against those of the fine closes, if the coarse times were `lag` too late."""
    ts, close, length = coarse
    ends = fine[0] + fine[2]
    place = np.searchsorted(ends, ts + length - lag)
    inside = np.minimum(place, len(ends) - 1)
    matched = ends[inside] == ts + length - lag
    theirs = fine[1][inside]
    pair = matched[1:] & matched[:-1] & (np.diff(ts) == length)
    ours_change = np.log(close[1:][pair] / close[:-1][pair])
    their_change = np.log(theirs[1:][pair] / theirs[:-1][pair])
    equal = float(np.mean(close[matched] == theirs[matched])) if matched.any() else 0.0
    return _Lag(lag, int(pair.sum()), _correlation(ours_change, their_change), equal)


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    if len(a) < 2 or not a.std() or not b.std():
        return float("nan")
    return float(np.clip(np.mean((a - a.mean()) * (b - b.mean())) / (a.std() * b.std()), -1.0, 1.0))


def _doubt(best: _Lag, findings: list[_Lag]) -> str | None:
    """Why the best lag proves nothing, or None."""
    if best.correlation < CORRELATION_MIN:
        return (f"the prices move differently at every lag (best {hours(best.lag)} with a correlation of {best.correlation:.2f}); "
                f"are they of one market?")
    if len(findings) < 2:
        return "the bars are too long to tell lags of up to 12 h apart; compare with bars of 1 h or less"
    others = [finding for finding in findings if finding.lag != best.lag]
    runner = max(others, key=lambda finding: finding.correlation)
    if _distance(best, runner) < DISTANCE_MIN:
        return (f"{hours(best.lag)} and {hours(runner.lag)} fit about equally well (correlations {best.correlation:.2f} and "
                f"{runner.correlation:.2f} over {best.changes:,} price changes)")
    return None


def _distance(best: _Lag, other: _Lag) -> float:
    """How many standard errors lie between two correlations (Fisher z, 1921)."""
    gap = np.arctanh(min(best.correlation, 0.999999)) - np.arctanh(min(other.correlation, 0.999999))
    return float(gap * np.sqrt(max(1, min(best.changes, other.changes) - 3) / 2))


def _stretches(new: Series) -> list[Series]:
    """Equal parts of the new bars, each cut to a bounded number of bars."""
    ts, close, length = new
    count = max(1, min(PARTS_MAX, len(ts) // (10 * CHANGES_MIN)))
    edges = [len(ts) * part // count for part in range(count + 1)]
    cuts = [slice(first, min(last, first + PART_BARS_MAX)) for first, last in zip(edges, edges[1:], strict=False)]
    return [(ts[cut], close[cut], length) for cut in cuts]


def _joined(stretches: list[Series]) -> Series:
    """Changes across a seam are not counted: they do not span one bar."""
    return np.concatenate([part[0] for part in stretches]), np.concatenate([part[1] for part in stretches]), stretches[0][2]


def _parts(stretches: list[Series], trusted: Series) -> list[tuple[int, _Lag]]:
    """Where the best lag changes: first bar and lag of each stretch that can tell, neighbours with the same lag taken together."""
    found: list[tuple[int, _Lag]] = []
    for stretch in stretches:
        findings = _scan(stretch, trusted)
        if isinstance(findings, list):
            best = max(findings, key=lambda finding: finding.correlation)
            if _doubt(best, findings) is None and not (found and found[-1][1].lag == best.lag):
                found.append((int(stretch[0][0]), best))
    return found


def _shift(verdict: Verdict, sentence: str, best: _Lag, findings: list[_Lag]) -> Shift:
    zero = next((finding for finding in findings if finding.lag == 0), None)
    return Shift(verdict, sentence, best.lag, best.correlation, zero.correlation if zero else None, best.equal,
                 zero.equal if zero else None, best.changes)


def _unknown(reason: str, best: _Lag | None = None, findings: list[_Lag] | None = None) -> Shift:
    sentence = f"cannot tell: {reason}"
    return _shift("cannot_tell", sentence, best, findings or []) if best else Shift("cannot_tell", sentence)
