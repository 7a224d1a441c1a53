"""HTTP of orders: given by hand, closed, listed, cancelled; and the panic button."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from haechi.bots import orders
from haechi.bots.orders import Filters
from haechi.bots.panic import Panic, calm
from haechi.identity.current import CurrentUser, FreshUser, bearer, current, current_user
from haechi.identity.origins import From
from haechi.identity.service import Identity
from haechi.platform.answers import errors
from haechi.platform.house import Reading, TheHouse
from haechi.platform.idempotency import OneAttempt
from haechi.platform.limits import limited
from haechi.platform.paging import Paging, cursor, cut
from haechi.trading.account_schemas import Id
from haechi.trading.desks import Desks
from haechi.trading.models import UNKNOWN
from haechi.trading.order_schemas import CloseBody, OrderAnswer, OrdersPage, PanicAnswer, PanicBody, Status, SubmitBody

router = APIRouter(prefix="/order", tags=["order"])
LOOK = "GET /order/list"
SUBMITS = Depends(limited("order", 60, 60, by="user", known=current_user))

OrderId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:#/-]{0,47}$")]
PositionId = Annotated[str, Path(max_length=100, description="account:symbol for your own part, account:symbol:bot for a bot's",
                                 examples=["019ab0c4d5e6a1b2c3d4e5f60718293a:BTCUSDT"])]


def status_of(made: BaseModel | None) -> int:
    """202 while the exchange has not said."""
    return 202 if isinstance(made, OrderAnswer) and made.status == UNKNOWN else 201


@router.post("/submit", operation_id="order_submit", summary="Give an order", status_code=201, response_model=OrderAnswer,
             responses={202: {"model": OrderAnswer, "description": "Sent; the exchange has not said what became of it."},
                        **errors(401, 404, 409, 422)}, dependencies=[SUBMITS])
async def submit(body: SubmitBody, user: CurrentUser, house: TheHouse, attempt: OneAttempt) -> Response:
    """Through the risk gate. What the gate refuses is 409 with the rule as code, what was asked and what is allowed."""
    return await attempt.once(user.id, status_of, lambda: orders.submit(house, user.id, body), look=LOOK)


@router.post("/close/{position_id}", operation_id="order_close", summary="Close a position", status_code=201, response_model=OrderAnswer,
             responses={202: {"model": OrderAnswer, "description": "Sent; the exchange has not said what became of it."},
                        **errors(401, 404, 409, 422)})
async def close(position_id: PositionId, user: CurrentUser, house: TheHouse, attempt: OneAttempt,
                body: CloseBody = CloseBody()) -> Response:
    """At the market: what you hold by hand, or what a stopped bot holds. A bot that runs closes its own when it is stopped."""
    return await attempt.once(user.id, status_of, lambda: orders.close(house, user.id, position_id, body.quantity), look=LOOK)


@router.get("/list", operation_id="orders", summary="Your orders", responses=errors(401, 422))
async def listed(user: CurrentUser, house: TheHouse, session: Reading, paging: Paging,  # noqa: PLR0913
                 account_id: Annotated[Id | None, Query()] = None,
                 symbol: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")] = None, status: Status | None = None,
                 bot_id: Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$")] = None,
                 origin: Literal["manual", "bot", "external"] | None = None) -> OrdersPage:
    """Newest first: those of bots, and those found at the exchange, too."""
    filters = Filters(account_id, symbol and symbol.upper(), status, bot_id, origin)
    await house.part(Desks).scribe.caught_up()
    rows, more = cut((await session.execute(orders.listing(user.id, filters, paging))).scalars().all(), paging.limit)
    items = await orders.answers(session, house.part(Desks), user.id, rows)
    return OrdersPage(items=items, next_cursor=cursor(f"{rows[-1].created_ms} {rows[-1].id}") if more else None)


# ---- the panic button, before /order/{id}

async def panicking(request: Request, house: TheHouse, given: Annotated[object, Depends(bearer)]) -> str:
    """The person's id. A database that is away stops nobody from stopping: then the token's signature and age are enough."""
    try:
        user, _ = await current(request, house, given)  # type: ignore[arg-type]
    except (SQLAlchemyError, OSError):
        request.state.user_id = house.part(Identity).tokens.read(given.credentials).user_id  # type: ignore[attr-defined]
        return str(request.state.user_id)
    return user.id


@router.post("/panic", operation_id="order_panic", summary="Stop everything of yours", response_model=PanicAnswer,
             responses=errors(401, 409, 422))
async def panic(user_id: Annotated[str, Depends(panicking)], house: TheHouse, origin: From, attempt: OneAttempt,
                body: PanicBody = PanicBody()) -> Response:
    """Your kill switch goes on first, whatever else fails. Orders that could add risk are cancelled, your bots close and stop; with
    `close` also what you hold by hand. Until `DELETE /order/panic` nothing of yours takes on risk."""
    made = Panic(house, user_id, origin.address)
    made.switch_on(body.reason)
    try:
        return await attempt.once(user_id, 200, lambda: made.act(close=body.close), look=LOOK)
    except (SQLAlchemyError, OSError):  # the key cannot be kept: stopping twice does no harm, not stopping does
        return Response((await made.act(close=body.close)).model_dump_json(), 200, media_type="application/json")


@router.delete("/panic", operation_id="order_panic_off", summary="Allow trading again", responses=errors(401, 403))
async def panic_off(user: FreshUser, house: TheHouse, origin: From) -> PanicAnswer:
    """Orders may be given and bots started again; none starts by itself."""
    return await calm(house, user.id, origin.address)


# ---- one order

@router.get("/{id}", operation_id="order", summary="One order", responses=errors(401, 404, 422))
async def one(id: OrderId, user: CurrentUser, house: TheHouse) -> OrderAnswer:
    """As it is now."""
    return await orders.told(house, user.id, id)


@router.delete("/{id}", operation_id="order_cancel", summary="Cancel an order", responses=errors(401, 404, 409, 422))
async def cancel(id: OrderId, user: CurrentUser, house: TheHouse,
                 consent: Annotated[bool, Query(description="Also an order that was not given here.")] = False) -> OrderAnswer:
    """An order you gave, or one that a stopped bot left. The stop or target of a bracket is given up for good. What filled stays filled."""
    return await orders.cancel(house, user.id, id, consent=consent)
