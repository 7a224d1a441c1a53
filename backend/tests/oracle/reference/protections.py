"""The account-wide pauses, judged once at each close."""

from __future__ import annotations

from haechi.core.plan import Plan

from .account import Account
from .feed import DAY
from .rounding import ceil_div, rate


class Pauses:
    """Which rules hold back entries. Bar numbers count the closes of the whole account."""

    def __init__(self, plan: Plan, capital: int) -> None:
        self.rules = plan.protections
        self.day: int | None = None
        self.day_start = capital
        self.equity_before = capital
        self.day_paused = False
        self.peak = capital
        self.drawdown_until: int | None = None  # first bar no longer paused
        self.streak_until = 0

    def judge(self, account: Account, bar: int, ts: int, equity: int) -> bool:
        """Book the close of a bar; True when positions must be closed at the next open."""
        flatten = self._daily(ts, equity)
        flatten = self._drawdown(bar, equity) or flatten
        self._streak(account, bar)
        self.equity_before = equity
        return flatten

    def on(self, bar: int) -> bool:
        return self.day_paused or self.drawdown_until is not None or bar < self.streak_until

    def _daily(self, ts: int, equity: int) -> bool:
        rule, day = rate(self.rules.daily_loss), ts // DAY
        if day != self.day:
            self.day, self.day_start, self.day_paused = day, self.equity_before, False
        if rule == 0 or equity > self.day_start - _part(self.day_start, rule):
            return False
        self.day_paused = True
        return self.rules.daily_loss_flatten

    def _drawdown(self, bar: int, equity: int) -> bool:
        rule = rate(self.rules.drawdown)
        if rule == 0:
            return False
        if self.drawdown_until is not None:
            if bar < self.drawdown_until:
                return False
            self.drawdown_until = None
            self.peak = equity
        self.peak = max(self.peak, equity)
        if equity > self.peak - _part(self.peak, rule):
            return False
        self.drawdown_until = bar + self.rules.drawdown_bars
        return self.rules.drawdown_flatten

    def _streak(self, account: Account, bar: int) -> None:
        if self.rules.losing_streak and account.losses_in_row >= self.rules.losing_streak:
            account.losses_in_row = 0
            self.streak_until = bar + self.rules.losing_streak_bars


def _part(amount: int, share: object) -> int:
    product = amount * share  # type: ignore[operator]
    return ceil_div(product.numerator, product.denominator)
