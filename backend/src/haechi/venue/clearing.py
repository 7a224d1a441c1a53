"""The other side of everything members do: the market's counterparty, fees, funding and insurance. Money in 1e-8.

At any price the members' wallets with what is open, and what is kept here, sum to zero: nothing is made and nothing lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from haechi.core import layout as at

if TYPE_CHECKING:
    from haechi.venue.member import Member


class Clearing(msgspec.Struct):
    """deposits: what members brought. cash and lots: the counterparty's, one a market."""

    lots: list[int]
    cash: list[int]
    deposits: int = 0
    fees: int = 0
    funding: int = 0
    insurance: int = 0

    def traded(self, m: int, side: int, lots: int, money: int, fee: int) -> None:
        """A member's fill: side +1 bought `lots` for `money`."""
        self.lots[m] -= side * lots
        self.cash[m] += side * money
        self.fees += fee

    def liquidated(self, m: int, lots: int, money: int, profit: int, gross: int) -> None:
        """signed lots of a member taken over for `money` (signed as the lots). What he lost beyond `gross` is the insurance's."""
        self.lots[m] += lots
        self.cash[m] -= money
        self.insurance += gross - profit

    def left(self, member: Member) -> None:
        """Somebody goes, with what he has; his positions are taken over at their marks."""
        account, wallet = member.account, member.balance_now
        for m in range(len(self.lots)):
            for leg in (0, 1):
                row, unit = account.machine.state[account.row(m, leg)], int(account.plans[m, at.UNIT])
                lots, mark = int(row[at.LOTS]), int(row[at.MARK])
                self.lots[m] += lots
                self.cash[m] -= lots * mark * unit
                wallet += (lots * mark - int(row[at.COST])) * unit
        self.deposits -= wallet
