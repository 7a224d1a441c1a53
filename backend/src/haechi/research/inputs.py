"""What a back-test is given, checked and put into the engine's values: bars, strategy, markets, costs. Raises BadInput."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from haechi.core.bars import Bars
from haechi.core.instrument import Instrument
from haechi.core.plan import Costs
from haechi.core.units import UnitError
from haechi.errors import BadInput
from haechi.research.numbers import fraction, positive

if TYPE_CHECKING:
    from haechi.core.run import Funding, Market
    from haechi.core.signals import Signals
    from haechi.core.strategies import Strategy

TICK, LOT, MIN_VALUE = Decimal("0.1"), Decimal("0.001"), Decimal(5)  # Bitget's BTCUSDT
SUFFIXES = (".yaml", ".yml", ".json")
COARSE_TICKS = 200  # at fewer ticks than this, half a tick is over 0.25 % of the price: more than four taker fees
SYMBOLS_MAX = 50
DOCUMENT_BYTES_MAX = 1_000_000


def checked_bars(bars: Any) -> list[Bars]:
    """One Bars or several, of different symbols, each on a tick that means something."""
    given = [bars] if isinstance(bars, Bars) else list(bars) if isinstance(bars, Sequence) else []
    if not given or not all(isinstance(one, Bars) for one in given):
        raise BadInput(f"bars must be what hc.bars(path) returns, or a list of it, got {type(bars).__name__}")
    names = [one.symbol for one in given]
    if len(set(names)) < len(names):
        raise BadInput(f"each symbol may be given once, got {', '.join(names)}; name the symbol of each file")
    if len(given) > SYMBOLS_MAX:
        raise BadInput(f"at most {SYMBOLS_MAX} symbols share a wallet, got {len(given)}")
    for one in given:
        check_tick(one)
    return given


def check_tick(bars: Bars) -> None:
    """Refuse a tick that would change the market: most bars off its grid, and the grid coarse."""
    if bars.off_grid * 2 > len(bars) and int(bars.low_ticks.min()) < COARSE_TICKS:
        raise BadInput(f"tick {bars.tick:f} does not fit {bars.symbol}: {bars.off_grid} of {len(bars)} bars lie off it, and its lowest "
                       f"price is only {int(bars.low_ticks.min())} ticks; pass the contract's tick")


def strategy_source(strategy: Any) -> tuple[str | Mapping[str, Any], str]:
    """A library name, a file of a document, its text, or the document as a mapping -> what `strategy_of` takes, and where it was found."""
    if isinstance(strategy, Path) or (isinstance(strategy, str) and strategy.lower().endswith(SUFFIXES)):
        return document_text(Path(strategy)), Path(strategy).name
    if not isinstance(strategy, str | Mapping):
        raise BadInput(f"a strategy is a library name, a file or a document, got {type(strategy).__name__}")
    return strategy, ""


def strategy_of(source: str | Mapping[str, Any], where: str) -> Strategy:
    """Raises BadInput with every fault of a document."""
    from haechi.core.language import LanguageError
    from haechi.core.strategies import find

    try:
        return find(source)
    except LanguageError as error:
        raise BadInput(f"{where}: {one_line(error)}" if where else one_line(error)) from None


def one_line(error: ValueError) -> str:
    """Every fault of a LanguageError in one line."""
    return "; ".join(str(error).splitlines())


def document_text(path: Path) -> str:
    """The text of a strategy file, never mistaken for a name."""
    if not path.is_file():
        raise BadInput(f"{path}: there is no such strategy file")
    if path.stat().st_size > DOCUMENT_BYTES_MAX:
        raise BadInput(f"{path.name}: a strategy document has at most {DOCUMENT_BYTES_MAX} bytes")
    try:
        return path.read_text(encoding="utf-8") + "\n"
    except (UnicodeDecodeError, OSError):
        raise BadInput(f"{path.name}: this is not a text file") from None


def contracts(bars: Sequence[Bars], *, lot: Any, min_value: Any, maker: Any, taker: Any,
              instruments: Mapping[str, Instrument] | None) -> list[Instrument]:
    """One for each symbol, on the tick of its bars; those given by symbol win over the figures."""
    known = dict(instruments or {})
    figures: dict[str, Any] = {"lot": positive(lot, "lot"), "min_value": fraction(min_value, "min_value", below=Decimal("1e12")),
               "maker": fraction(maker, "maker fee"), "taker": fraction(taker, "taker fee")}
    for name in known:
        if name not in {one.symbol for one in bars}:
            raise BadInput(f"an instrument is given for {name}, but there are no bars of it")
    try:
        return [known.get(one.symbol) or Instrument(symbol=one.symbol, tick=one.tick, **figures) for one in bars]
    except UnitError as error:
        raise BadInput(str(error)) from None


def costs(capital: Any, slippage: Any) -> Costs:
    return Costs(slippage=fraction(slippage, "slippage"), capital=positive(capital, "capital"))


def by_symbol(given: Any, bars: Sequence[Bars], what: str) -> list[Any]:
    """One thing, a list as long as the bars, or a mapping by symbol -> one for each symbol, None where there is none."""
    if given is None:
        return [None] * len(bars)
    if isinstance(given, Mapping):
        for name in given:
            if name not in {one.symbol for one in bars}:
                raise BadInput(f"{what} is given for {name}, but there are no bars of it")
        return [given.get(one.symbol) for one in bars]
    found = list(given) if isinstance(given, list | tuple) else [given]
    if len(found) != len(bars):
        raise BadInput(f"{what}: {len(found)} given for {len(bars)} symbols; give one for each, or a mapping by symbol")
    return found


def market(bars: Bars, instrument: Instrument, signals: Signals, funding: Funding | None, detail: Bars | None) -> Market:
    from haechi.core.run import Market

    if detail is not None:
        check_detail(bars, detail)
    return Market(instrument, bars, signals, funding, detail)


def check_detail(bars: Bars, detail: Bars) -> None:
    """Finer bars must be finer, of the same symbol and tick, and lie in the same time."""
    if detail.symbol != bars.symbol:
        raise BadInput(f"the finer bars are of {detail.symbol}, the bars of {bars.symbol}")
    if detail.timeframe_ms >= bars.timeframe_ms or bars.timeframe_ms % detail.timeframe_ms:
        raise BadInput(f"the finer bars of {bars.symbol} must divide its bars: {detail.timeframe_ms // 1000} s does not divide "
                       f"{bars.timeframe_ms // 1000} s")
    if detail.tick != bars.tick:
        raise BadInput(f"the finer bars of {bars.symbol} are on tick {detail.tick:f}, the bars on {bars.tick:f}")
    if detail.ts[-1] < bars.ts[0] or detail.ts[0] > bars.ts[-1] + bars.timeframe_ms:
        raise BadInput(f"the finer bars of {bars.symbol} do not lie in the time of its bars")
    check_covered(bars, detail)


def check_covered(bars: Bars, detail: Bars) -> None:
    """A bar whose inside is known must not reach beyond it: the two files would be of different markets."""
    starts = np.searchsorted(detail.ts, bars.ts)
    ends = np.searchsorted(detail.ts, bars.ts + bars.timeframe_ms)
    inside = np.flatnonzero(ends > starts)
    if not len(inside):
        raise BadInput(f"none of the finer bars of {bars.symbol} lies inside one of its bars")
    tops = np.array([detail.high_ticks[a:b].max() for a, b in zip(starts[inside[:500]], ends[inside[:500]], strict=True)])
    if (tops > bars.high_ticks[inside[:500]]).any():
        first = int(bars.ts[inside[int(np.argmax(tops > bars.high_ticks[inside[:500]]))]])
        raise BadInput(f"the finer bars of {bars.symbol} reach above the high of the bar at {first} (ms); they are not of the same market")
