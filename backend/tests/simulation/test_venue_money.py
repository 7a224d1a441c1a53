"""Random orders of many members on the floor: to the last 1e-8 nothing is made and nothing is lost.

HAECHI_ORDERS sets how many orders are placed.
"""

from __future__ import annotations

import os
import random
from decimal import Decimal
from fractions import Fraction

import pytest
from trading_floor import BTC, ETH, MINUTE, Played
from venue_audit import Audit, chained

from haechi.core import layout as at
from haechi.core.units import scaled
from haechi.venue.member import Member
from haechi.venue.moments import Close, Open
from haechi.venue.records import ENTRY_PLANS, POSITION_PLANS, Preset
from haechi.venue.refusal import Refusal
from haechi.venue.requests import OrderRequest, PlanRequest

ORDERS = int(os.environ.get("HAECHI_ORDERS", "100000"))
MEMBERS = 20
FORCES = ("gtc", "gtc", "gtc", "ioc", "fok", "post_only")


class Crowd:
    """Members who do whatever comes to their minds; counts what was tried, taken and refused."""

    def __init__(self, played: Played, seed: int) -> None:
        self.played, self.floor, self.draw = played, played.floor, random.Random(seed)
        self.members = [self.floor.open_member(f"m{k}", deposit=Decimal(self.draw.choice((300, 2_000, 50_000)))) for k in range(MEMBERS)]
        for k, member in enumerate(self.members):
            if k % 2:
                member.set_position_mode("hedge_mode")
            for m in (0, 1):
                member.set_margin_mode(m, bool(self.draw.randrange(2)))
                member.set_leverage(m, leverage=self.draw.choice((3, 10, 25, 50)))
        self.tried = self.taken = 0
        self.refused: dict[str, int] = {}

    def act(self) -> None:
        member, what = self.draw.choice(self.members), self.draw.random()
        try:
            if what < 0.72:
                self.tried += 1
                self.order(member)
                self.taken += 1
            elif what < 0.82:
                self.plan(member)
            else:
                self.other(member)
        except Refusal as no:
            self.refused[no.code] = self.refused.get(no.code, 0) + 1

    def near(self, m: int, spread: float = 0.01) -> int:
        return max(1, round(self.floor.point(m) * (1 + self.draw.uniform(-spread, spread))))

    def order(self, member: Member) -> None:
        m, draw = self.draw.randrange(2), self.draw
        leg = draw.randrange(2) if member.hedge else 0
        closes = draw.random() < 0.35
        side = draw.choice((1, -1)) if not member.hedge else (1 if leg == 0 else -1) * (-1 if closes else 1)
        kind = draw.choice(("market", "limit"))
        worth = draw.choice((6, 60, 600, 6_000)) * (1 + draw.random())
        one = self.floor.instruments[m]
        lots = max(1, int(worth / float(one.price(self.floor.point(m)) * one.lot)))
        preset = Preset(self.near(m) if draw.random() < 0.1 else 0, 0, self.near(m) if draw.random() < 0.1 else 0, 0)
        member.place(OrderRequest(m, side, lots, kind, self.near(m) if kind == "limit" else 0, draw.choice(FORCES), closes=closes, leg=leg,
                                  preset=preset))

    def plan(self, member: Member) -> None:
        m, draw = self.draw.randrange(2), self.draw
        kind = draw.choice((*ENTRY_PLANS, *POSITION_PLANS))
        held = [(key, member.account.lots(*key)) for key in member.held if key[0] == m]
        if kind in POSITION_PLANS and held:
            (_, leg), lots = draw.choice(held)
            member.place_plan(PlanRequest(m, -1 if lots > 0 else 1, kind, draw.randrange(1, abs(lots) + 1), self.near(m), leg=leg, closes=True,
                                          execute=self.near(m) if draw.random() < 0.3 else 0, callback=10**6))
        elif kind in ENTRY_PLANS:
            leg = draw.randrange(2) if member.hedge else 0
            side = draw.choice((1, -1)) if not member.hedge else (1 if leg == 0 else -1)
            member.place_plan(PlanRequest(m, side, kind, draw.randrange(1, 40), self.near(m), leg=leg, callback=10**6))

    def other(self, member: Member) -> None:
        m, draw = self.draw.randrange(2), self.draw
        orders, plans = member.open_orders(m), member.open_plans(m)
        match draw.randrange(7):
            case 0 | 1 if orders:
                member.cancel(draw.choice(orders))
            case 2 if orders:
                order = draw.choice(orders)
                member.modify(order, new_client_oid=f"n{draw.random()}", lots=order.lots + draw.randrange(-2, 5), price=self.near(m))
            case 3 if plans:
                member.cancel_plan(draw.choice(plans))
            case 4:
                member.transfer(Decimal(draw.randrange(-500, 900)) / 7 // Decimal("1e-8") * Decimal("1e-8"))
            case 5:
                member.add_margin(m, draw.randrange(2) if member.hedge else 0, Decimal(draw.randrange(-30, 60)))
            case 6 if member.held:
                member.flash_close(m, draw.randrange(2))
            case _:
                member.set_leverage(m, leverage=draw.choice((2, 5, 20, 40)))


def audited(crowd: Crowd, audits: dict[str, Audit]) -> None:
    """Each member's wallet, then the sum of everything at two prices."""
    floor, house = crowd.floor, crowd.floor.clearing
    total = {price: house.fees + house.funding + house.insurance - house.deposits for price in (0, 777_777)}
    for member in crowd.members:
        audit, state = audits[member.name], member.account.machine.state
        audit.read(member.fills)
        wallet = int(state[0, at.WALLET])
        brought = sum(bill.amount for bill in member.bills if bill.business.startswith("trans_"))
        funding = -sum(bill.amount for bill in member.bills if bill.business == "contract_settle_fee")
        assert wallet == brought + audit.realised + audit.lost - audit.fees - funding, member.name
        assert wallet == member.bills[-1].balance == scaled(member.balance().wallet)
        chained(member.bills)
        assert all(order.filled <= order.lots for order in member.orders.values())
        for (m, leg), reckoned in audit.legs.items():
            row = state[member.account.row(m, leg)]
            assert (int(row[at.LOTS]), int(row[at.COST])) == (reckoned.lots, reckoned.cost), (member.name, m, leg)
        assert int(state[0, at.HELD]) == sum(int(state[r, at.MARGIN]) for r in range(1, len(state)))
        for price in total:
            total[price] += wallet + sum((int(state[1 + 2 * m + leg, at.LOTS]) * price - int(state[1 + 2 * m + leg, at.COST])) * one.unit
                                         for m, one in enumerate(floor.instruments) for leg in (0, 1))
    for price in total:
        total[price] += sum(cash + lots * price * one.unit for cash, lots, one in zip(house.cash, house.lots, floor.instruments, strict=True))
    assert total == {0: 0, 777_777: 0}
    for m in (0, 1):
        depth = floor.depth(m, 50)
        assert depth.bids[0][0] < depth.asks[0][0]


async def walk(crowd: Crowd, minute: int) -> None:
    """A second of both markets; each minute a bar closes, each fourth brings funding."""
    played, draw = crowd.played, crowd.draw
    for m in (0, 1):
        step = draw.choice((0.0005, 0.0005, 0.002, 0.02))
        await played.move(max(1, round(crowd.floor.point(m) * (1 + draw.gauss(0, step)))), m=m, volume=draw.random())
    if minute:
        bars = {one.symbol: crowd.floor.markets[m].bar for m, one in enumerate((BTC, ETH))}
        await played.floor.play(Close(played.ts, {symbol: bar for symbol, bar in bars.items() if bar is not None}))
        played.ts = (played.ts // MINUTE + 1) * MINUTE
        rates = (draw.randrange(-50_000, 50_000),) if minute % 4 == 0 else ()
        for m in (0, 1):
            gap = max(1, round(crowd.floor.markets[m].point * (1 + draw.gauss(0, 0.003))))
            await played.floor.play(Open(m, played.ts, gap, rates))


@pytest.mark.parametrize("seed", [20_260])
async def test_nothing_is_made_and_nothing_is_lost(seed: int) -> None:
    played = Played(slippage="0.0001")
    played.floor.history_kept = 10**9  # the audit wants it whole
    for m, price in ((0, 600_000), (1, 300_000)):
        await played.open(price, m)
    crowd = Crowd(played, seed)
    rates = [(Fraction(str(one.maker)), Fraction(str(one.taker))) for one in (BTC, ETH)]
    audits = {member.name: Audit([BTC.unit, ETH.unit], rates) for member in crowd.members}
    turn = 0
    while crowd.tried < ORDERS:
        for _ in range(8):
            crowd.act()
        turn += 1
        await walk(crowd, turn // 12 if turn % 12 == 0 else 0)
        if turn % max(40, ORDERS // 1000) == 0:
            audited(crowd, audits)
    audited(crowd, audits)
    fills = sum(audit.fills for audit in audits.values())
    liquidated = sum(fill.trade_side.startswith("burst") for member in crowd.members for fill in member.fills)
    assert crowd.taken > crowd.tried // 3 and fills > crowd.tried // 3 and liquidated > 3 and played.floor.clearing.funding != 0
    assert len(crowd.refused) >= 5
