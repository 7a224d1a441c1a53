"""The engine driven by events instead of bars: what a paper or live bot runs. The same compiled functions, one call at a time.

The exchange says what happened (`filled`, `refused`, `funded`, `liquidated`, `at_price`), the closed bar says what is wished
(`closed`), and `resting` says at any time what should rest on the exchange. Prices in ticks, quantities in lots, money in 1e-8.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from . import layout as at
from .decide import decide, paused, settle_close
from .encode import encode, pack
from .engine import begin_bar, mark_bar
from .instrument import Instrument
from .levels import on_price
from .money import share_floor
from .outcome import Outcome, statistics_of
from .plan import Costs, Plan
from .position import book_entry, book_exit, book_funding, liquidate
from .run import Machine
from .units import UnitError
from .walk import refresh_cross

LEG = 1
ENTERS = 3  # the bits of both entries
ROWS_KEPT = 1000  # closed trades a bot remembers; the ledger has them all
ENTRY, EXIT, STOP, STEP, REPAIR = "entry", "exit", "stop", "step", "repair"
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


class LiveState(msgspec.Struct, frozen=True, array_like=True):
    """All that an engine knows but its closed trades: state and stats (layout.py), bars closed, lots and cost of the excess."""

    state: list[list[int]]
    stats: list[float]
    bars: int
    excess: int
    excess_cost: int


class LiveEngine:
    """One bot's plan on one symbol and its own capital. Nothing here knows where events come from.

    Orders may fill in pieces: an entry, a step, a target then rests with what is left; stop and exit are wished until nothing is held.
    """

    def __init__(self, instrument: Instrument, plan: Plan, costs: Costs) -> None:
        if plan.hedge:
            raise UnitError("a bot trades one net position; mode: hedge is for back-tests until bots may hold two")
        self.instrument, self.plan = instrument, plan
        self.plans = pack([encode(plan, instrument, costs, "path")])
        self.machine = Machine.fresh(1, costs, 1)
        self.rows: deque[bytes] = deque(maxlen=ROWS_KEPT)  # closed trades, newest last
        self.bars = 0  # closed so far; also the number of the bar that is under way
        self.against = ""  # why the last close's entry signal became no wish
        self.excess = self._excess_cost = 0  # signed lots that were filled beyond what a reducing order could reduce
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
        before = self._refusals()
        self._decide(bits, close, atr)
        self.against = self._hindrance(bits, before) if bits & ENTERS and not state[LEG, at.ENTRY_FRESH] else ""
        self.bars += 1
        begin_bar(state, 0, self.bars)
        return [*self._exit(), *self._entry()]

    def _refusals(self) -> list[int]:
        found: list[int] = self.machine.state[0, at.REFUSED:at.REFUSED + len(at.REFUSALS)].tolist()
        return found

    def _hindrance(self, bits: int, before: list[int]) -> str:
        """Why this close's entry signal became no wish."""
        state, leg = self.machine.state, self.machine.state[LEG]
        for name, was, now in zip(at.REFUSALS, before, self._refusals(), strict=True):
            if now > was:
                return name
        if bits & ENTERS == ENTERS:
            return "both_sides"
        if leg[at.LOTS]:
            return "in_position"
        if leg[at.ENTRY_KIND]:
            return "entry_resting"
        return "cool_down" if leg[at.BAR] < leg[at.COOL_UNTIL] else "paused" if paused(state) else ""

    def _decide(self, bits: int, close: int, atr: int) -> None:
        """As the back-test does, where every order filled whole. An exit under way goes on; a rest of an entry yields to it."""
        leg, under_way = self.machine.state[LEG], int(self.machine.state[LEG, at.EXIT_WISH])
        decide(self.machine.state, self.plans, 0, bits, close, atr)
        if not leg[at.LOTS]:
            return
        leg[at.EXIT_WISH] = leg[at.EXIT_WISH] or under_way
        if leg[at.EXIT_WISH] and leg[at.ENTRY_KIND] and leg[at.ENTRY_SIDE] * leg[at.LOTS] > 0:
            leg[at.ENTRY_KIND] = 0
            decide(self.machine.state, self.plans, 0, bits, close, atr)  # the rest stood in the way of the other side
            leg[at.EXIT_WISH] = leg[at.EXIT_WISH] or under_way

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
        leg, found = self.machine.state[LEG].tolist(), list[Wanted]()
        held = leg[at.LOTS]
        out, lots = (-1 if held > 0 else 1), abs(held)
        if held and leg[at.STOP] > 0:
            found.append(Wanted("stop", out, lots, "stop", trigger=leg[at.STOP], reduce_only=True))
        for role, price, share in zip(TARGETS, leg[at.TARGET_PRICE:], leg[at.TARGET_LOTS:], strict=False) if held else ():
            if price > 0:
                found.append(Wanted(role, out, min(share, lots), "limit", price=price, reduce_only=True))
        if leg[at.ENTRY_KIND] > at.MARKET and not leg[at.ENTRY_FRESH]:
            found.append(self._entry_order())
        if held and leg[at.STEP_PRICE] > 0:
            found.append(Wanted(f"step{leg[at.STEPS_DONE] + 1}", -out, leg[at.STEP_LOTS], "limit", price=leg[at.STEP_PRICE]))
        return {one.role: one for one in found}

    # ---- what the exchange says

    def filled(self, role: str, side: int, lots: int, price: int, fee: int, ts: int, point: int) -> int:
        """A fill, whole or a piece, of one of our orders; of any other role: made by hand. Returns the lots that were too many.

        ts: open time of the bar it fell in; point: where the market stood. A fill against the position reduces it at most to nothing;
        what an entry or a step has left over opens the other side, what others have left over is `excess` until a repair takes it back
        (or the entry that was told after its own exit).
        """
        opens = role == ENTRY or role.startswith(STEP)
        if role == ENTRY:
            self._entry_left(lots)
        if (role == REPAIR or opens) and self.excess * side < 0:
            part = min(lots, abs(self.excess))
            paid = share_floor(fee, part, lots)
            self._repaired(side, part, price, paid)
            lots, fee = lots - part, fee - paid
        held = abs(self.position)
        against = self.position * side < 0
        part = min(lots, held) if against else 0
        if part:
            paid = share_floor(fee, part, lots)
            self._reduced(role, part, price, paid, ts)
            lots, fee = lots - part, fee - paid
        if not lots:
            return 0
        if opens or not (against or self._reduces(role)):
            self._opened(role, side, lots, price, fee, ts, point)
            return 0
        self._exceeded(side, lots, price, fee)
        return lots

    @staticmethod
    def _reduces(role: str) -> bool:
        return role in (EXIT, STOP) or role in TARGETS

    def _opened(self, role: str, side: int, lots: int, price: int, fee: int, ts: int, point: int) -> None:
        state = self.machine.state
        leg = state[LEG]
        left = 0
        if role == ENTRY and leg[at.LOTS]:
            self._entry_grows(lots, price)
        elif role.startswith(STEP):
            left = max(int(leg[at.STEP_LOTS]) - lots, 0)
            leg[at.STEPS_DONE] += int(left == 0)
        book_entry(state, self.plans, LEG, side, lots, price, fee, ts, point)
        if left and leg[at.STEP_LOTS] > left:
            leg[at.STEP_LOTS] = left

    def _entry_left(self, lots: int) -> None:
        leg = self.machine.state[LEG]
        if lots < leg[at.ENTRY_LOTS]:
            leg[at.ENTRY_LOTS] -= lots
        else:
            leg[at.ENTRY_KIND] = 0

    def _entry_grows(self, lots: int, price: int) -> None:
        """A later piece: the ladder hangs on all pieces, at their average price."""
        leg = self.machine.state[LEG]
        first = int(leg[at.FIRST_LOTS])
        if abs(leg[at.LOTS]) == first:
            leg[at.STEPS_DONE] = 0  # the first piece may have been too small for a step
        leg[at.FIRST_PRICE] = (int(leg[at.FIRST_PRICE]) * first + price * lots) // (first + lots)
        leg[at.FIRST_LOTS] = first + lots

    def _reduced(self, role: str, lots: int, price: int, fee: int, ts: int) -> None:
        leg = self.machine.state[LEG]
        reason = int(leg[at.EXIT_WISH]) or at.BY_HAND if role in (EXIT, ENTRY) else at.BY_HAND
        if role == STOP:
            reason = int(leg[at.STOP_REASON]) or at.BY_STOP
        elif role in TARGETS:
            reason = at.BY_TARGET
            self._target_piece(TARGETS.index(role), lots)
        side = 1 if self.position > 0 else -1
        self._row(lambda trades: book_exit(self.machine.state, self.plans, trades, LEG, lots, price, fee, reason, ts))
        if not self.position and leg[at.ENTRY_SIDE] == side and not leg[at.ENTRY_FRESH]:
            leg[at.ENTRY_KIND] = 0  # the rest of the entry whose position this was

    def _target_piece(self, k: int, lots: int) -> None:
        leg = self.machine.state[LEG]
        left = min(int(leg[at.TARGET_LOTS + k]), abs(self.position)) - lots
        if left > 0:
            leg[at.TARGET_LOTS + k] = left
        else:
            leg[at.TARGET_PRICE + k] = 0

    def _exceeded(self, side: int, lots: int, price: int, fee: int) -> None:
        """More than there was to reduce: the position stays flat, the surplus is known by itself."""
        part = min(lots, abs(self.excess)) if self.excess * side < 0 else 0
        if part:
            paid = share_floor(fee, part, lots)
            self._repaired(side, part, price, paid)
            lots, fee = lots - part, fee - paid
        self.excess += side * lots
        self._excess_cost += side * lots * price
        self._pay(fee, fee)

    def _repaired(self, side: int, lots: int, price: int, fee: int) -> None:
        share = share_floor(self._excess_cost, lots, abs(self.excess))
        self._pay(fee + (side * lots * price + int(share)) * self.instrument.unit, fee)
        self.excess += side * lots
        self._excess_cost -= int(share)

    def _pay(self, money: int, fee: int) -> None:
        self.machine.state[0, at.WALLET] -= money
        self.machine.state[0, at.FEES] += fee

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

    def liquidated(self, ts: int, lots: int = 0, price: int = 0, loss: int = 0) -> None:
        """The exchange closed the position at its liquidation price; under cross margin funding has moved that since the last fill.

        lots: given and fewer than are held, a part was closed at `price` and the wallet lost `loss`; what that is more than the price
        made of it is the exchange's fee.
        """
        state, plans, held = self.machine.state, self.plans, self.position
        if not held:
            return
        refresh_cross(state, plans, 0)
        if not 0 < lots < abs(held):
            self._row(lambda trades: liquidate(state, plans, trades, LEG, ts))
            return
        side = 1 if held > 0 else -1
        gross = (side * lots * price - share_floor(int(state[LEG, at.COST]), lots, abs(held))) * self.instrument.unit
        self._row(lambda trades: book_exit(state, plans, trades, LEG, lots, price, gross + loss, at.BY_LIQUIDATION, ts))

    def at_price(self, ticks: int) -> None:
        """The market stands here: break-even and trailing may tighten the stop."""
        on_price(self.machine.state, self.plans, LEG, ticks)

    def forget_entry(self) -> None:
        """An entry that was wished and is not to be sent."""
        leg = self.machine.state[LEG]
        leg[at.ENTRY_KIND] = leg[at.ENTRY_FRESH] = 0

    def _row(self, book: Callable[[NDArray[np.int64]], None]) -> None:
        """Book what closes a trade; its row goes to those remembered. The engine writes rows at the place of their number."""
        state, trades = self.machine.state, self.machine.trades
        before, state[0, at.TRADES] = int(state[0, at.TRADES]), 0
        book(trades)
        self.rows.append(trades[0].tobytes())
        state[0, at.TRADES] += before

    # ---- what is kept

    def saved(self) -> LiveState:
        return LiveState(self.machine.state.tolist(), self.machine.stats.tolist(), self.bars, self.excess, self._excess_cost)

    def restore(self, saved: LiveState) -> None:
        """Raises UnitError for the state of another engine."""
        state, stats = np.array(saved.state, dtype=np.int64), np.array(saved.stats, dtype=np.float64)
        if state.shape != self.machine.state.shape or stats.shape != self.machine.stats.shape:
            raise UnitError(f"the saved state is that of another engine: {state.shape} and {stats.shape}")
        self.machine = Machine(state, stats, self.machine.trades)
        self.bars, self.excess, self._excess_cost = saved.bars, saved.excess, saved.excess_cost

    def outcome(self, market: object, capital: int) -> Outcome:
        """The trades remembered in the shape of a back-test's result; market: core.run.Market."""
        table = np.frombuffer(b"".join(self.rows), dtype=np.int64).reshape(-1, at.TRADE)
        empty = np.zeros(0, dtype=np.int64)
        return Outcome(markets=(market,), reading="path", capital=capital, table=table, ts=empty, equity=empty,
                       statistics=statistics_of(self.machine.state, self.machine.stats, self.bars), refusals=self.machine.refusals())
