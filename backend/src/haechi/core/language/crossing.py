"""Rules between the fields of a plan, checked when every number is known."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from .errors import Problem
from .fields import Entry, PlanFields, Size

AMOUNT = {"equity_fraction": "fraction", "risk_fraction": "fraction", "volatility_target": "fraction", "fixed_quote": "quote",
          "fixed_quantity": "quantity"}


def crossed(fields: PlanFields) -> list[Problem]:
    return [*_size(fields.size), *_entry(fields.entry), *_targets(fields), *_stops(fields)]


def _size(size: Size) -> Iterator[Problem]:
    wanted = AMOUNT[size.kind]
    if getattr(size, wanted) is None:
        yield Problem(f"size.{wanted}", f"is missing; {size.kind} needs it")
    for name in sorted({*AMOUNT.values()} - {wanted}):
        if getattr(size, name) is not None:
            yield Problem(f"size.{name}", f"is not used by {size.kind}, which takes {wanted}; leave it out")
    if size.atr_period is not None and size.kind != "volatility_target":
        yield Problem("size.atr_period", f"is used by volatility_target only, not by {size.kind}; leave it out")


def _entry(entry: Entry) -> Iterator[Problem]:
    if entry.kind == "market":
        for name in ("offset", "bars"):
            if getattr(entry, name) is not None:
                yield Problem(f"entry.{name}", "is not used by a market entry; leave it out or choose another kind")
    if entry.kind != "stop_limit" and entry.limit_offset is not None:
        yield Problem("entry.limit_offset", f"is used by stop_limit only, not by {entry.kind}; leave it out")


def _targets(fields: PlanFields) -> Iterator[Problem]:
    percents = [Decimal(one.percent) for one in fields.take_profit]
    for place in range(1, len(percents)):
        if percents[place] <= percents[place - 1]:
            yield Problem(f"take_profit.{place}.percent", f"{percents[place]} is not above the {percents[place - 1]} of the one before; "
                                                          "targets rise")
    shares = sum(Decimal(one.share) for one in fields.take_profit)
    if shares > 100:
        yield Problem("take_profit", f"the shares add up to {shares} %; at most 100 % can be closed")
    if fields.dca is not None and len(percents) > 1:
        yield Problem("take_profit", f"with dca there is at most one target, found {len(percents)}")


def _stops(fields: PlanFields) -> Iterator[Problem]:
    if fields.size.kind == "risk_fraction" and fields.stop_loss is None:
        yield Problem("size.kind", "risk_fraction is sized by the loss at the stop; give stop_loss")
