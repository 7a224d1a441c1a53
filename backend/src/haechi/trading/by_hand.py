"""Orders that a person gives: checked against the market, judged by the gate like everybody's, sent by the account's desk.

Nothing is rounded but a notional, which is a limit, and percents of a bracket; a price that nobody knows is not guessed.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

from haechi.core.instrument import Instrument
from haechi.core.risk import Refused as GateRefused
from haechi.errors import BadInput, Conflict, HaechiError
from haechi.exchanges.errors import Refused, Unreachable
from haechi.exchanges.port import Accepted, Rejected
from haechi.trading.brackets import ENTRY, ZERO, Guard
from haechi.trading.desk import Desk
from haechi.trading.desk_door import Answer
from haechi.trading.order_schemas import BracketBody, Leg, SubmitBody
from haechi.trading.owner import MANUAL_OWNER, Owner
from haechi.trading.scribe import Unwritten
from haechi.trading.working import Ticket

PLAIN, CLOSE = "manual", "close"  # roles
OLD_MS = 60_000  # a price older than this is asked for again
LOOKED_FOR = "The exchange has not said what became of this order; it is being looked for. Ask GET /order/{id}; do not send it again."


class NoPrice(HaechiError):
    """Nobody knows where the market stands, so nothing can be judged."""

    status = 503
    code = "no_price"


class Unable(HaechiError):
    """The intent could not be kept, so nothing was sent."""

    status = 503
    code = "journal"


async def submit(desk: Desk, body: SubmitBody) -> str:
    """The order's id: accepted, or nobody knows yet. Raises BadInput, Conflict, NoPrice, Unable, and what the exchange raises."""
    one = await instrument_of(desk, body.symbol)
    desk.follow(one.symbol)
    price = await price_of(desk, one.symbol)
    fair = body.price or body.trigger or price
    quantity = checked_quantity(body, one, fair)
    check_prices(body, one, fair)
    owner = desk.owner(MANUAL_OWNER)
    leverage = await leveraged(desk, owner, one.symbol, body)
    ticket = Ticket(ENTRY if body.bracket else PLAIN, one.symbol, body.side, quantity, body.kind, body.price, body.trigger,
                    body.reduce_only, leverage)
    return await (sent(desk, owner, ticket) if body.bracket is None else sent_with_bracket(desk, owner, ticket, body.bracket))


async def sent(desk: Desk, owner: Owner, ticket: Ticket) -> str:
    """Raises Conflict with the rule of the gate or the word of the exchange, and Unable."""
    answer, = await desk.send(owner, [ticket])
    return accepted(answer)


async def sent_with_bracket(desk: Desk, owner: Owner, ticket: Ticket, legs: BracketBody) -> str:
    """The bracket is known before its entry can fill, and written with it."""
    stop, target = legs.stop_loss or Leg.model_construct(), legs.take_profit or Leg.model_construct()
    guard = Guard(desk.coming_id(owner), ticket.symbol, ticket.side, ticket.leverage, stop.price, target.price, stop.percent,
                  target.percent, created_ms=desk.clock.now_ms())
    try:
        answer, = await desk.send(owner, [ticket], also=desk.manual.expect(guard))
        return accepted(answer)
    except (HaechiError, Unwritten):
        desk.manual.forget(guard)
        raise


def accepted(answer: Answer) -> str:
    if isinstance(answer, GateRefused):
        raise refused(answer)
    if isinstance(answer.outcome, Rejected):
        word, code = answer.outcome.reason, answer.outcome.code
        raise Conflict(f"The exchange refused the order: {word}.", code=word,
                       details={"word": word, "exchange_code": code, "order": answer.client_id})
    return answer.client_id


def refused(found: GateRefused) -> HaechiError:
    """With the numbers."""
    details = {"rule": found.rule, "asked": found.asked, "allowed": found.allowed}
    if found.rule in ("journal", "lease"):
        return Unable("The order could not be written down, so it was not sent; try again in a moment.", details=details, code=found.rule)
    return Conflict(f"The risk gate refused the order by its rule {found.rule}: asked {found.asked}, allowed {found.allowed}.",
                    code=found.rule, details=details)


# ---- what is known of the market

async def instrument_of(desk: Desk, symbol: str) -> Instrument:
    """Raises BadInput where there is no such market."""
    one = desk.instruments.get(symbol) or await desk.exchange.instrument(symbol)
    if one is None:
        raise BadInput(f"The exchange has no market {symbol}.", code="symbol")
    desk.instruments[symbol] = one
    return one


async def price_of(desk: Desk, symbol: str) -> Decimal:
    """The last heard; where it is old or missing the exchange is asked. Raises NoPrice."""
    heard, at_ms = desk.prices.get(symbol, (ZERO, 0))
    if heard and desk.clock.now_ms() - at_ms <= OLD_MS:
        return heard
    try:
        bars = await desk.exchange.bars(symbol, 1)
    except (Unreachable, Refused) as error:
        bars = []
        why = f" ({error.message})"
    else:
        why = ""
    if bars and bars[-1].ts + bars[-1].timeframe_ms > at_ms:
        desk.prices[symbol] = bars[-1].close, min(bars[-1].ts + bars[-1].timeframe_ms, desk.clock.now_ms())
    if not desk.price(symbol):
        raise NoPrice(f"Nobody knows where {symbol} stands now{why}; nothing was sent. Try again in a moment.")
    return desk.price(symbol)


# ---- what is asked for

def checked_quantity(body: SubmitBody, one: Instrument, price: Decimal) -> Decimal:
    """Raises BadInput for what the market does not take; never rounds what was given."""
    if body.quantity is not None:
        quantity = body.quantity
        if quantity % one.lot:
            raise off_lot(quantity, one)
    else:
        quantity = ((body.notional or ZERO) / price / one.lot).to_integral_value(rounding=ROUND_DOWN) * one.lot
    least = one.quantity(one.min_lots)
    if quantity < least:
        raise BadInput(f"{quantity:f} is less than {least:f}, the least that {one.symbol} trades.", code="min_quantity",
                       details={"asked": f"{quantity:f}", "allowed": f"{least:f}"})
    if not body.reduce_only and quantity * price < one.min_value:
        raise BadInput(f"An order of {one.symbol} must be worth {one.min_value:f} USDT; this one is worth {quantity * price:f}.",
                       code="min_value", details={"asked": f"{quantity * price:f}", "allowed": f"{one.min_value:f}"})
    return quantity


def off_lot(quantity: Decimal, one: Instrument) -> BadInput:
    return BadInput(f"{quantity:f} is no multiple of {one.lot:f}, the lot of {one.symbol}.", code="lot", details={"lot": f"{one.lot:f}"})


def check_prices(body: SubmitBody, one: Instrument, fair: Decimal) -> None:
    """On the market's ticks, and a bracket's on the right sides. fair: what the order will about be filled at."""
    legs = body.bracket or BracketBody.model_construct()
    stop, target = (leg.price if leg is not None else None for leg in (legs.stop_loss, legs.take_profit))
    for name, price in (("price", body.price), ("trigger", body.trigger), ("stop_loss", stop), ("take_profit", target)):
        if price is not None and price % one.tick:
            raise BadInput(f"{name} {price:f} is no multiple of {one.tick:f}, the tick of {one.symbol}.", code="tick",
                           details={"tick": f"{one.tick:f}"})
    away = 1 if body.side == "buy" else -1
    for name, price, sign in (("stop_loss", stop, -away), ("take_profit", target, away)):
        if price is not None and (price - fair) * sign <= 0:
            side = "above" if sign > 0 else "below"
            raise BadInput(f"The {name} of a {body.side} order lies {side} its price of about {fair:f}; {price:f} does not.",
                           code="bracket", details={"asked": f"{price:f}", "price": f"{fair:f}"})


async def leveraged(desk: Desk, owner: Owner, symbol: str, body: SubmitBody) -> int:
    """The leverage the order is sent with, set at the exchange where it differs. Raises Conflict."""
    there = desk.leverages.get(symbol)
    wanted = body.leverage or there or 1
    if body.reduce_only or there == wanted:
        return wanted
    most = desk.gate.limits_of(owner).leverage_max
    if wanted > most:
        raise refused(GateRefused("leverage", str(wanted), str(most)))
    if desk.at.get(symbol):
        raise Conflict(f"A bot trades {symbol} with leverage {there}; it cannot be changed under it.", code="leverage_in_use",
                       details={"asked": str(wanted), "allowed": str(there)})
    outcome = await desk.exchange.set_leverage(symbol, wanted, cross=False)
    if isinstance(outcome, Accepted):
        desk.leverages[symbol] = wanted
    elif not isinstance(outcome, Rejected):
        raise Unreachable(f"The exchange does not confirm leverage {wanted}: {outcome.why}")
    elif body.leverage is not None or outcome.reason != "position_open":
        raise Conflict(f"The exchange refused leverage {wanted} for {symbol}: {outcome.reason}.", code=outcome.reason,
                       details={"word": outcome.reason, "exchange_code": outcome.code})
    return wanted


# ---- closing

async def close(desk: Desk, owner: Owner, symbol: str, quantity: Decimal | None) -> str:
    """At the market, this owner's part or some of it. Raises BadInput, Conflict."""
    one = await instrument_of(desk, symbol)
    desk.follow(symbol)
    if any(there.order.kind == "market" and there.order.reduce_only for there in desk.orders.of(owner.bot_id, symbol)):
        raise Conflict(f"{symbol} is being closed already.", code="closing")
    held = desk.holdings.quantity(owner.bot_id, symbol)
    wanted = abs(held) if quantity is None else quantity
    if wanted > abs(held):
        raise refused(GateRefused("reduces_at_most", f"{wanted:f}", f"{abs(held):f}"))
    if wanted % one.lot and wanted != abs(held):
        raise off_lot(wanted, one)
    side = "sell" if held > 0 else "buy"
    leverage = desk.leverages.get(symbol, 1)
    return await sent(desk, owner, Ticket(CLOSE, symbol, side, wanted, reduce_only=True, leverage=leverage))
