"""The witness of a member's account: turns what is booked into order, fill, bill and position records, and tells the floor.

Bitget's words for bills and trade sides: docs of `bill` and `fills`; the wallet after each bill is the wallet before + amount − fee.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from haechi.core import layout as at
from haechi.core.matching import Order
from haechi.venue.records import FILLED, NET, PARTLY, Bill, ClosedPosition, FillRecord, OrderRecord

if TYPE_CHECKING:
    from haechi.venue.member import Member

FAILED = "rejected"
FUNDING = "contract_settle_fee"


class Booking:
    """Witness (account.py) of one member."""

    def __init__(self, member: Member) -> None:
        self.member = member

    # ---- what the account tells

    def filled(self, m: int, order: Order, lots: int, price: int, fee: int, profit: int, *, maker: bool, closes: bool) -> str:
        member = self.member
        record = member.record_of(order)
        record.filled += lots
        record.quote += lots * price
        record.fee += fee
        record.profit += profit
        record.status = FILLED if record.filled >= record.lots else PARTLY
        self._touch(record)
        fill = FillRecord(member.floor.next_id(), record.order_id, record.client_oid, m, record.leg, record.side, lots, price, fee, profit,
                          maker, closes, record.hedge, record.kind, record.trade_side, member.account.now_ms, member.account.point[m],
                          member.account.lots(m, record.leg))
        unit = int(member.account.plans[m, at.UNIT])
        member.floor.clearing.traded(m, record.side, lots, lots * price * unit, fee)
        self._position(m, record.leg, record.side, lots, price, fee, profit, closes=closes)
        self._bill(m, profit, fee, business(record, closes=closes))
        member.fills.append(fill)
        member.told("fill", fill)
        member.told("order", record)
        member.after_fill(m, record, lots, closes=closes)
        return fill.trade_id

    def arrived(self, m: int) -> None:
        self.member.floor.changed.add(self.member.name)

    def triggered(self, m: int, order: Order) -> None:
        self.member.plan_triggered(order)

    def refuses(self, m: int, order: Order) -> str:
        record = self.member.order_numbers.get(order.number)
        if self.member.fail_plans > 0 and record is not None and record.entered == "SYS":
            self.member.fail_plans -= 1
            return FAILED
        return ""

    def ended(self, m: int, order: Order, reason: str) -> None:
        self.member.ended(order, reason)

    def funded(self, m: int, leg: int, amount: int) -> str:
        self.member.floor.clearing.funding += amount
        name = self._bill(m, -amount, 0, FUNDING)
        held = self.member.holding(m, leg)
        if held is not None:
            held.funding += amount
        self.member.told("position", (m, leg))
        return name

    def liquidated(self, m: int, leg: int, lots: int, price: int, profit: int, gross: int) -> str:
        """An order of the exchange, filled at once."""
        member, side, hedge = self.member, -1 if lots > 0 else 1, self.member.hedge
        record = member.new_order(m, leg, side, abs(lots), 0, kind="market", source="liquidation", entered="SYS", closes=True)
        record.trade_side = burst(hedge=hedge, leg=leg, side=side)
        record.filled, record.quote, record.profit, record.status = abs(lots), abs(lots) * price, profit, FILLED
        member.floor.clearing.liquidated(m, lots, lots * price * int(member.account.plans[m, at.UNIT]), profit, gross)
        fill = FillRecord(member.floor.next_id(), record.order_id, record.client_oid, m, leg, side, abs(lots), price, 0, profit, False,
                          True, hedge, "market", record.trade_side, member.account.now_ms, member.account.point[m], 0)
        self._position(m, leg, side, abs(lots), price, 0, profit, closes=True)
        self._bill(m, profit, 0, burst_bill(hedge=hedge, leg=leg, side=side))
        member.fills.append(fill)
        member.told("fill", fill)
        member.told("order", record)
        member.after_fill(m, record, abs(lots), closes=True)
        return fill.trade_id

    # ---- records

    def _touch(self, record: OrderRecord) -> None:
        record.updated_ms = self.member.account.now_ms
        self.member.dirty.add(("order", record.order_id))

    def _bill(self, m: int, amount: int, fee: int, what: str) -> str:
        member = self.member
        member.balance_now += amount - fee
        bill = Bill(member.floor.next_id(), m, amount, fee, what, member.balance_now, member.account.now_ms)
        member.bills.append(bill)
        member.told("account", None)
        return bill.bill_id

    def _position(self, m: int, leg: int, side: int, lots: int, price: int, fee: int, profit: int, *, closes: bool) -> None:
        member = self.member
        held = member.held.get((m, leg))
        if held is None:
            held = ClosedPosition(member.floor.next_id(), m, leg, -side if closes else side, member.cross(m), member.hedge,
                                  member.account.now_ms, member.account.now_ms)
            member.held[m, leg] = held
        held.updated_ms = member.account.now_ms
        if closes:
            held.closed += lots
            held.close_quote += lots * price
            held.profit += profit
            held.close_fee += fee
        else:
            held.opened += lots
            held.open_quote += lots * price
            held.open_fee += fee
        if closes and held.closed >= held.opened:
            del member.held[m, leg]
            member.closed.append(held)
            member.told("closed", held)
        member.told("position", (m, leg))


def business(record: OrderRecord, *, closes: bool) -> str:
    """Bitget's businessType of a fill's bill."""
    if not record.hedge:
        return "buy" if record.side > 0 else "sell"
    return f"{'close' if closes else 'open'}_{'long' if record.leg == NET else 'short'}"


def burst(*, hedge: bool, leg: int, side: int) -> str:
    if hedge:
        return f"burst_close_{'long' if leg == NET else 'short'}"
    return "burst_buy_single" if side > 0 else "burst_sell_single"


def burst_bill(*, hedge: bool, leg: int, side: int) -> str:
    if hedge:
        return f"force_close_{'long' if leg == NET else 'short'}"
    return "burst_buy" if side > 0 else "burst_sell"
