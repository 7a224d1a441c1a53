"""Small markets for sums done by hand: tick 1, lot 1, maker 0.1 %, taker 0.2 %, 10 lots a trade, hourly bars."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from reference import Bar, Feed, Result, run

from haechi.core.instrument import Instrument, Tier
from haechi.core.plan import Costs, Plan, Size

HOUR = 3_600_000
START = 1_600_041_600_000  # 2020-09-14 00:00 UTC
FLAT = (1000, 1000, 1000, 1000)
LONG, SHORT, LEAVE_LONG, LEAVE_SHORT = 1, 2, 4, 8
TEN = Size("fixed_quantity", Decimal(10))
MILD = Tier(Decimal("1e9"), Decimal("0.01"), 50)

Prices = tuple[int, int, int, int]


def some_bars(*prices: Prices, step: int = HOUR, start: int = START) -> list[Bar]:
    return [Bar(start + index * step, *one) for index, one in enumerate(prices)]


def an_instrument(symbol: str = "XUSDT", tiers: tuple[Tier, ...] = (MILD,)) -> Instrument:
    return Instrument(symbol, Decimal(1), Decimal(1), min_value=Decimal(0), maker=Decimal("0.001"), taker=Decimal("0.002"), tiers=tiers)


def a_feed(bars: list[Bar], signals: dict[int, int], *, symbol: str = "XUSDT", tiers: tuple[Tier, ...] = (MILD,), **more: Any) -> Feed:
    """`signals`: bar index -> bits."""
    instrument = an_instrument(symbol, tiers)
    step = bars[1].ts - bars[0].ts
    return Feed(instrument, step, bars, [signals.get(index, 0) for index in range(len(bars))], **more)


def a_plan(**more: Any) -> Plan:
    values: dict[str, Any] = {"size": TEN}
    for name, value in more.items():
        values[name] = Decimal(value) if isinstance(value, str) and value[:1].isdigit() else value
    return Plan(**values)


def played(*prices: Prices, signals: dict[int, int] | None = None, reading: str = "path", slippage: str = "0", capital: int = 100_000,
           tiers: tuple[Tier, ...] = (MILD,), feed: dict[str, Any] | None = None, **plan: Any) -> Result:
    """One symbol; a long entry on bar 0 unless told otherwise. Strings that start with a digit become Decimals."""
    market = a_feed(some_bars(*prices), signals if signals is not None else {0: LONG}, tiers=tiers, **(feed or {}))
    return run([market], a_plan(**plan), Costs(Decimal(slippage), Decimal(capital)), reading)


def shown(result: Result) -> list[tuple[str, int, Decimal, Decimal, Decimal]]:
    """(reason, lots, entry price, exit price, pnl) of each row, trailing zeros cut."""
    return [(row.exit_reason, int(row.quantity), _plain(row.entry_price), _plain(row.exit_price), _plain(row.pnl)) for row in result.rows]


def _plain(number: Decimal) -> Decimal:
    return number.normalize() + 0


def rows(*wanted: tuple[str, int, str, str, str]) -> list[tuple[str, int, Decimal, Decimal, Decimal]]:
    return [(reason, lots, Decimal(entry), Decimal(leave), Decimal(pnl)) for reason, lots, entry, leave, pnl in wanted]
