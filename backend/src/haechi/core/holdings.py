"""Who holds how much of an account's net positions, and what each event of the exchange gives to and takes from each owner.

An owner is a bot's id, '' for what the person does by hand, `external` for what was found at the exchange. An owner's profit is
reckoned by the average of its own fills, the exchange's `realized` by the average of the net position: the wallet moves by the
exchange's, the difference waits in the book `netting`, which is zero again when nobody holds the symbol.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Context, Decimal
from typing import Any

import msgspec

from .shares import MONEY, QUANTITY, Part, closing_of, gain_of, split, spread, told, units

WALLET, CAPITAL, REALIZED, FEES, FUNDING = "wallet", "capital", "realized", "fees", "funding"
LIQUIDATION, NETTING = "liquidation", "netting"
BY_HAND, EXTERNAL = "", "external"
ZERO = Decimal(0)
AVERAGE = Context(prec=28)


class Piece(msgspec.Struct, frozen=True):
    """One owner's part of an event. quantity: signed change; amounts: book -> amount, they sum to zero.

    held, cost: the owner's signed quantity and signed cost of the symbol afterwards; netting: the symbol's, of all owners.
    """

    owner: str
    symbol: str
    quantity: Decimal
    price: Decimal
    amounts: dict[str, Decimal]
    held: Decimal = ZERO
    cost: Decimal = ZERO
    netting: Decimal = ZERO


class Holdings:
    """Of one account. lots: the smallest step of a symbol's quantity; where unknown, parts are cut at the finest digit in sight.

    `apply` changes what is held: whoever may have to take an event back applies it to a `copy`.
    """

    def __init__(self, lots: Mapping[str, Decimal] | None = None) -> None:
        self.lots = dict(lots or {})
        self._parts: dict[str, dict[str, Part]] = {}
        self._netting: dict[str, int] = {}

    # ---- what is held

    def quantity(self, owner: str, symbol: str) -> Decimal:
        """Signed."""
        part = self._parts.get(symbol, {}).get(owner)
        return told(part.quantity, QUANTITY) if part else ZERO

    def total(self, symbol: str) -> Decimal:
        """Signed: the net position, if every event was applied."""
        return told(sum(part.quantity for _, part in self._holding(symbol)), QUANTITY)

    def owners(self, symbol: str) -> list[str]:
        """Who holds some."""
        return sorted(owner for owner, _ in self._holding(symbol))

    def symbols(self) -> list[str]:
        return sorted(symbol for symbol in self._parts if any(True for _ in self._holding(symbol)))

    def entry(self, owner: str, symbol: str) -> Decimal:
        """Average price of the owner's own fills, 0 when flat."""
        part = self._parts.get(symbol, {}).get(owner)
        if not part or not part.quantity:
            return ZERO
        return AVERAGE.divide(told(part.cost, MONEY), told(part.quantity, QUANTITY))

    def netting(self, symbol: str) -> Decimal:
        return told(self._netting.get(symbol, 0), MONEY)

    def copy(self) -> Holdings:
        made = Holdings(self.lots)
        made._parts = {symbol: {owner: Part(part.quantity, part.cost) for owner, part in parts.items()}
                       for symbol, parts in self._parts.items()}
        made._netting = dict(self._netting)
        return made

    def restore(self, owner: str, symbol: str, held: Decimal, cost: Decimal, netting: Decimal) -> None:
        """As the last piece of this owner left it; netting as the symbol's last piece did."""
        self._parts.setdefault(symbol, {})[owner] = Part(units(held, QUANTITY), units(cost, MONEY))
        self._netting[symbol] = units(netting, MONEY)

    def _holding(self, symbol: str) -> Iterator[tuple[str, Part]]:
        return ((owner, part) for owner, part in self._parts.get(symbol, {}).items() if part.quantity)

    # ---- what happens

    def apply(self, event: Any, owner: str) -> list[Piece]:
        """A Fill, Paid, Liquidated or Moved of the port, told apart by what they carry. owner: whose order it was.

        Money that moves is the person's own. What `external` sells of a position it does not hold, by hand at the exchange, is
        taken from those who do.
        """
        if hasattr(event, "movement_id"):
            return [Piece(BY_HAND, "", ZERO, ZERO, {WALLET: event.amount, CAPITAL: -event.amount})]
        if hasattr(event, "payment_id"):
            return self._funded(event.symbol, units(event.amount, MONEY))
        signed = units(event.quantity, QUANTITY) * (1 if event.side == "buy" else -1)
        if hasattr(event, "loss"):
            changes = self._from_all(event.symbol, signed)
            return self._traded(event.symbol, changes, event.price, -units(event.loss, MONEY), 0, LIQUIDATION)
        changes = self._by_external(event.symbol, signed) if owner == EXTERNAL else {owner: signed}
        return self._traded(event.symbol, changes, event.price, units(event.realized, MONEY), units(event.fee, MONEY), REALIZED)

    def adopt(self, owner: str, symbol: str, change: Decimal, price: Decimal) -> list[Piece]:
        """A position the exchange has and we did not know, or no longer has: booked without cash."""
        signed = units(change, QUANTITY)
        changes = self._by_external(symbol, signed) if owner == EXTERNAL else {owner: signed}
        return self._traded(symbol, changes, price, 0, 0, REALIZED)

    def _funded(self, symbol: str, amount: int) -> list[Piece]:
        """amount > 0 is paid. By quantity; to `external` when nobody holds."""
        weights = {owner: part.quantity for owner, part in self._holding(symbol)}
        shares = split(amount, weights) if sum(weights.values()) else {EXTERNAL: amount}
        return [self._piece(owner, symbol, 0, ZERO, {WALLET: -share, FUNDING: share}) for owner, share in shares.items()]

    # ---- whose part changes

    def _from_all(self, symbol: str, signed: int) -> dict[str, int]:
        """Taken from all on that side by quantity; what is more than they hold is `external`'s."""
        held = {owner: abs(part.quantity) for owner, part in self._holding(symbol) if (part.quantity > 0) != (signed > 0)}
        side, wanted = (1 if signed > 0 else -1), min(abs(signed), sum(held.values()))
        lot = units(self.lots[symbol], QUANTITY) if symbol in self.lots else None
        changes = {owner: side * taken for owner, taken in spread(wanted, held, lot).items() if taken}
        left = abs(signed) - wanted
        if left:
            changes[EXTERNAL] = changes.get(EXTERNAL, 0) + side * left
        return changes

    def _by_external(self, symbol: str, signed: int) -> dict[str, int]:
        """Its own part first, then that of the others, and what is left it opens."""
        part = self._parts.get(symbol, {}).get(EXTERNAL, Part())
        own = closing_of(part.quantity, signed)
        side = 1 if signed > 0 else -1
        if own == abs(signed) or not any((one.quantity > 0) != (signed > 0) for owner, one in self._holding(symbol) if owner != EXTERNAL):
            return {EXTERNAL: signed}
        part.quantity += side * own  # out of the way while the rest is spread
        changes = self._from_all(symbol, signed - side * own)
        part.quantity -= side * own
        if own:
            changes[EXTERNAL] = changes.get(EXTERNAL, 0) + side * own
        return changes

    # ---- what it is worth to whom

    def _traded(self, symbol: str, changes: dict[str, int], price: Decimal, gained: int, fee: int, book: str) -> list[Piece]:
        """gained: what the exchange moved the wallet by, before the fee. What it says beyond its own average (a liquidation's
        costs, its rounding) is shared by quantity, as are fee and gain."""
        at, weights = units(price, QUANTITY), {owner: abs(change) for owner, change in changes.items()}
        beyond = split(gained - self._exchange_gain(symbol, sum(changes.values()), at), weights)
        gains, fees = split(gained, weights), split(fee, weights)
        parts, ends = self._parts.setdefault(symbol, {}), self._ends(symbol, changes)
        own = {owner: parts.setdefault(owner, Part()).trade(change, at, beyond[owner]) for owner, change in changes.items()}
        if ends:
            largest = min(weights, key=lambda owner: (-weights[owner], owner))
            own[largest] -= self._netting.get(symbol, 0) + sum(own.values()) - gained
        self._netting[symbol] = self._netting.get(symbol, 0) + sum(own.values()) - gained
        return [self._piece(owner, symbol, change, price, {
            WALLET: gains[owner] - fees[owner], book: -own[owner], FEES: fees[owner], NETTING: own[owner] - gains[owner]})
            for owner, change in changes.items()]

    def _exchange_gain(self, symbol: str, change: int, price: int) -> int:
        """By the average of the net position, which is what the owners paid without what netting has given them."""
        held = sum(part.quantity for _, part in self._holding(symbol))
        paid = sum(part.cost for _, part in self._holding(symbol)) - self._netting.get(symbol, 0)
        return gain_of(Part(held, paid), change, price)

    def _ends(self, symbol: str, changes: Mapping[str, int]) -> bool:
        """Whether nobody still holds what was held before."""
        return all(closing_of(part.quantity, changes.get(owner, 0)) == abs(part.quantity) for owner, part in self._holding(symbol))

    def _piece(self, owner: str, symbol: str, change: int, price: Decimal, amounts: Mapping[str, int]) -> Piece:
        part = self._parts.get(symbol, {}).get(owner, Part())
        moved = {name: told(amount, MONEY) for name, amount in amounts.items() if amount}
        return Piece(owner, symbol, told(change, QUANTITY), price, moved, told(part.quantity, QUANTITY), told(part.cost, MONEY),
                     self.netting(symbol))

