"""The engine driven by events instead of bars: what a paper or live bot runs. The same compiled functions, one call at a time.

The exchange says what happened (`filled`, `refused`, `funded`, `liquidated`, `at_price`), the closed bar says what is wished
(`closed`), and `resting` says at any time what should rest on the exchange. Prices in ticks, quantities in lots, money in 1e-8.
"""

from __future__ import annotations

import msgspec
import numpy as np

from . import layout as at
from .decide import decide, settle_close
from .encode import encode, pack
from .engine import begin_bar, mark_bar
from .instrument import Instrument
from .levels import on_price
from .outcome import Outcome, statistics_of
from .plan import Costs, Plan
from .position import book_entry, book_exit, book_funding, liquidate
from .run import Machine
from .units import UnitError
from .walk import refresh_cross

LEG = 1
ROWS_MIN = 64
TARGETS = tuple(f"target{k}" for k in range(1, 5))
KINDS = {at.MARKET: "market", at.LIMIT: "limit", at.POST_ONLY: "post_only", at.STOP_ENTRY: "stop", at.STOP_LIMIT: "stop_limit"}


class Wanted(msgspec.Struct, frozen=True):
    """An order the plan asks for. role: entry | step1… | exit | stop | target1…4; side +1 buys, −1 sells.

    kind: market | limit | post_only | stop | stop_limit; price and trigger in ticks, 0 where the kind has none.
    """

    role: str
    side: int
    lots: int
    kind: str
    price: int = 0
    trigger: int = 0
    reduce_only: bool = False


class LiveEngine:
    """One bot's plan on one symbol and its own capital. Nothing here knows where events come from."""

    def __init__(self, instrument: Instrument, plan: Plan, costs: Costs) -> None:
        if plan.hedge:
            raise UnitError("a bot trades one net position; mode: hedge is for back-tests until bots may hold two")
        self.instrument, self.plan = instrument, plan
        self.plans = pack([encode(plan, instrument, costs, "path")])
        self.machine = Machine.fresh(1, costs, ROWS_MIN)
        self.bars = 0  # closed so far; also the number of the bar that is under way
        self.watches_price = plan.break_even is not None or plan.trailing is not None

    @property
    def position(self) -> int:
        """Signed lots."""
        return int(self.machine.state[LEG, at.LOTS])

    @property
    def wallet(self) -> int:
        return int(self.machine.state[0, at.WALLET])

    @property
    def equity(self) -> int:
        """At the last close."""
        return int(self.machine.state[0, at.LAST_EQUITY])

    def closed(self, ts: int, close: int, bits: int, atr: int) -> list[Wanted]:
        """A bar closed: marks, protections, then what to send for the next open. atr in ticks, 0 while undefined."""
        state, plans = self.machine.state, self.plans
        mark_bar(state, 0, close)
        settle_close(state, plans, self.machine.stats, ts)
        decide(state, plans, 0, bits, close, atr)
        self.bars += 1
        begin_bar(state, 0, self.bars)
        return [*self._exit(), *self._entry()]

    def _exit(self) -> list[Wanted]:
        if not self.machine.state[LEG, at.EXIT_WISH]:
            return []
        held = self.position
        return [Wanted("exit", -1 if held > 0 else 1, abs(held), "market", reduce_only=True)]

    def _entry(self) -> list[Wanted]:
        leg = self.machine.state[LEG]
        if not leg[at.ENTRY_FRESH] or not leg[at.ENTRY_KIND]:
            return []
        leg[at.ENTRY_FRESH] = 0
        return [self._entry_order()]

    def _entry_order(self) -> Wanted:
        leg = self.machine.state[LEG]
        kind = KINDS[int(leg[at.ENTRY_KIND])]
        return Wanted("entry", int(leg[at.ENTRY_SIDE]), int(leg[at.ENTRY_LOTS]), kind,
                      price=int(leg[at.ENTRY_LIMIT]) if kind in ("limit", "post_only", "stop_limit") else 0,
                      trigger=int(leg[at.ENTRY_TRIGGER]) if kind in ("stop", "stop_limit") else 0)

    def resting(self) -> dict[str, Wanted]:
        """What should rest on the exchange now, by role. An entry that was sent and has not filled stays until its bars are over."""
        leg, found = self.machine.state[LEG], list[Wanted]()
        held = self.position
        out, lots = (-1 if held > 0 else 1), abs(held)
        if held and leg[at.STOP] > 0:
            found.append(Wanted("stop", out, lots, "stop", trigger=int(leg[at.STOP]), reduce_only=True))
        for k, role in enumerate(TARGETS):
            if held and leg[at.TARGET_PRICE + k] > 0:
                found.append(Wanted(role, out, min(int(leg[at.TARGET_LOTS + k]), lots), "limit", price=int(leg[at.TARGET_PRICE + k]),
                                    reduce_only=True))
        if leg[at.ENTRY_KIND] > at.MARKET and not leg[at.ENTRY_FRESH]:
            found.append(self._entry_order())
        if held and leg[at.STEP_PRICE] > 0:
            found.append(Wanted(f"step{int(leg[at.STEPS_DONE]) + 1}", -out, int(leg[at.STEP_LOTS]), "limit", price=int(leg[at.STEP_PRICE])))
        return {one.role: one for one in found}

    def filled(self, role: str, side: int, lots: int, price: int, fee: int, ts: int, point: int) -> None:
        """A fill of one of our orders. ts: open time of the bar it fell in; point: where the market stood."""
        if role == "entry" or role.startswith("step"):
            self._opened(role, side, lots, price, fee, ts, point)
        else:
            self._reduced(role, lots, price, fee, ts)

    def _opened(self, role: str, side: int, lots: int, price: int, fee: int, ts: int, point: int) -> None:
        state = self.machine.state
        if role == "entry":
            state[LEG, at.ENTRY_KIND] = 0
        else:
            state[LEG, at.STEPS_DONE] += 1
        book_entry(state, self.plans, LEG, side, lots, price, fee, ts, point)

    def _reduced(self, role: str, lots: int, price: int, fee: int, ts: int) -> None:
        state = self.machine.state
        reason = at.BY_HAND
        if role == "exit":
            reason = int(state[LEG, at.EXIT_WISH]) or at.BY_HAND
            state[LEG, at.EXIT_WISH] = 0
        elif role == "stop":
            reason = int(state[LEG, at.STOP_REASON])
        elif role in TARGETS:
            reason = at.BY_TARGET
            state[LEG, at.TARGET_PRICE + TARGETS.index(role)] = 0
        self._room()
        book_exit(state, self.plans, self.machine.trades, LEG, lots, price, fee, reason, ts)

    def refused(self, role: str, reason: str) -> None:
        """The exchange or the risk gate took an order not; what follows from it is the plan's rule."""
        state = self.machine.state
        if role == "entry":
            state[LEG, at.ENTRY_KIND] = state[LEG, at.ENTRY_FRESH] = 0
        elif role.startswith("step"):
            state[LEG, at.STEPS_DONE] = self.plans[0, at.LADDER_STEPS]
            state[LEG, at.STEP_PRICE] = state[LEG, at.STEP_LOTS] = 0
        if reason in at.REFUSALS:
            state[0, at.REFUSED + at.REFUSALS.index(reason)] += 1

    def funded(self, amount: int) -> None:
        """Funding the exchange took (+) or gave (−)."""
        book_funding(self.machine.state, LEG, amount)

    def liquidated(self, ts: int) -> None:
        """The exchange closed the position at its liquidation price; under cross margin funding has moved that since the last fill."""
        self._room()
        refresh_cross(self.machine.state, self.plans, 0)
        liquidate(self.machine.state, self.plans, self.machine.trades, LEG, ts)

    def at_price(self, ticks: int) -> None:
        """The market stands here: break-even and trailing may tighten the stop."""
        on_price(self.machine.state, self.plans, LEG, ticks)

    def _room(self) -> None:
        """A bot may trade for years: the trade rows grow."""
        trades = self.machine.trades
        if int(self.machine.state[0, at.TRADES]) + 1 >= len(trades):
            grown = np.zeros((2 * len(trades), at.TRADE), dtype=np.int64)
            grown[:len(trades)] = trades
            self.machine = Machine(self.machine.state, self.machine.stats, grown)

    def outcome(self, market: object, capital: int) -> Outcome:
        """The trades so far in the shape of a back-test's result; market: core.run.Market."""
        count = int(self.machine.state[0, at.TRADES])
        empty = np.zeros(0, dtype=np.int64)
        return Outcome(markets=(market,), reading="path", capital=capital, table=self.machine.trades[:count], ts=empty, equity=empty,
                       statistics=statistics_of(self.machine.state, self.machine.stats, self.bars), refusals=self.machine.refusals())
