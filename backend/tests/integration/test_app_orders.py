"""Orders given by hand over HTTP, on the paper market: placed, protected, closed, listed, cancelled, and the panic button."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from sqlalchemy import func, select, text, update

from haechi.exchanges.errors import Unreachable
from haechi.exchanges.port import NewOrder, Rejected, Unknown
from haechi.identity.audit import AuditEntry
from haechi.identity.models import UserSession
from haechi.markets.feed import Market
from haechi.trading.desks import Desks
from haechi.trading.kill_switch import Kills
from haechi.trading.models import Order
from haechi.trading.standing import Standing

STILL = 0.000_01  # times real time: the test plays the bars itself
BUY = {"symbol": "BTCUSDT", "side": "buy", "kind": "market", "quantity": "0.01"}


@pytest.fixture
async def app(tmp_path, running):
    async with running(tmp_path, speed=STILL, rate_limit_per_minute=1_000_000) as made:
        yield made


@pytest.fixture
async def mina(app):
    return await app.person()


async def played(app, bars=1):
    market = app.house.part(Market)
    for _ in range(bars):
        assert await market.step()
    await app.house.part(Desks).scribe.settled()


async def given(app, who, status=201, **body):
    answer = await app.http.post("/order/submit", headers=who, json=BUY | body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def seen(app, who, order):
    answer = await app.http.get(f"/order/{order['id']}", headers=who)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def all_of(app, who, **query):
    answer = await app.http.get("/order/list", headers=who, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def desk_of(app):
    (desk,) = app.house.part(Desks).open.values()
    return desk


async def test_an_order_is_placed_filled_and_told_with_its_price(app, mina):
    order = await given(app, mina)
    assert (order["status"], order["origin"], order["filled"], order["average_price"]) == ("open", "manual", "0", None)
    await played(app)
    there = await seen(app, mina, order)
    assert (there["status"], there["filled"]) == ("filled", "0.01")
    position = (await app.http.get("/account/positions", headers=mina, params={"account_id": order["account_id"]})).json()["items"][0]
    assert position["id"] == f"{order['account_id']}:BTCUSDT" and Decimal(position["entry"]) == Decimal(there["average_price"])
    assert position["owners"] == {"": "0.01"}


async def test_a_notional_is_the_largest_quantity_that_is_worth_no_more(app, mina):
    order = await given(app, mina, quantity=None, notional="1000", kind="limit", price="50000")
    assert order["quantity"] == "0.02"
    assert (await given(app, mina, quantity=None, notional="1049", kind="limit", price="50000.1"))["quantity"] == "0.02"


async def test_a_bracket_rests_at_the_exchange_as_soon_as_its_entry_fills_and_one_cancels_the_other(app, mina):
    order = await given(app, mina, bracket={"stop_loss": {"percent": "50"}, "take_profit": {"percent": "0.01"}})
    assert await all_of(app, mina, status="open") == [order]
    await played(app)
    entry = await seen(app, mina, order)
    rest = {one["role"]: one for one in await all_of(app, mina) if one["parent"] == order["id"]}
    assert set(rest) == {"stop", "target"} and all(one["reduce_only"] and one["quantity"] == "0.01" for one in rest.values())
    price = Decimal(entry["average_price"])
    assert Decimal(entry["bracket"]["stop_loss"]) == Decimal(rest["stop"]["trigger"]) == (price / 2).quantize(Decimal("0.1"))
    for _ in range(60):
        await played(app)
        if (await seen(app, mina, rest["target"]))["status"] == "filled":
            break
    assert (await seen(app, mina, rest["target"]))["status"] == "filled"
    assert (await seen(app, mina, rest["stop"]))["status"] == "canceled"
    assert not await desk_of(app).exchange.open_orders() and not desk_of(app).manual.guards


async def test_a_restart_goes_on_protecting(tmp_path, running):
    async with running(tmp_path, speed=STILL) as app:
        mina = await app.person()
        order = await given(app, mina, bracket={"stop_loss": {"percent": "50"}, "take_profit": {"percent": "40"}})
        await played(app)
        later = await given(app, mina, kind="limit", price="1000.0", symbol="ETHUSDT", quantity="0.1", bracket={"stop_loss": {"price": "900"}})
    async with running(tmp_path, speed=STILL) as app:
        mina = await app.sign_in("mina@example.com")
        await app.house.part(Standing).look()
        desk = desk_of(app)
        assert {guard.id: guard.left for guard in desk.manual.guards.values()} == {order["id"]: Decimal("0.01"), later["id"]: Decimal(0)}
        assert {one["role"] for one in await all_of(app, mina, status="open")} == {"stop", "target", "bracket"}
        closed = await app.http.post(f"/order/close/{order['account_id']}:BTCUSDT", headers=mina)
        assert closed.status_code == 201, closed.text
        await played(app)
        assert {one["id"] for one in await all_of(app, mina, status="open")} == {later["id"]}, "nothing is left to protect"
        assert set(desk.manual.guards) == {later["id"]}


async def test_closing_wants_what_is_there_and_ones_own(app, mina):
    order = await given(app, mina)
    await played(app)
    where, jun = f"/order/close/{order['account_id']}:BTCUSDT", await app.person("jun@example.com")
    assert (await app.http.post(where, headers=jun)).json()["error"]["code"] == "not_found"
    part = await app.http.post(where, headers=mina, json={"quantity": "0.004"})
    assert (part.status_code, part.json()["side"], part.json()["reduce_only"]) == (201, "sell", True)
    again = await app.http.post(where, headers=mina)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "closing")
    await played(app)
    too_much = await app.http.post(where, headers=mina, json={"quantity": "0.01"})
    assert (too_much.status_code, too_much.json()["error"]["details"]) == (409, {"rule": "reduces_at_most", "asked": "0.01", "allowed": "0.006"})
    assert (await app.http.post(where, headers=mina)).status_code == 201
    await played(app)
    assert (await app.http.post(where, headers=mina)).status_code == 404
    assert not desk_of(app).holdings.symbols()


async def test_a_stopped_bots_part_is_closed_with_its_id_and_a_running_ones_is_not(app, mina):
    started = await app.http.post("/bot/start", headers=mina, json={"strategy": "rsi", "params": {"period": 2, "low": 49, "high": 51}})
    bot = started.json()["id"]
    await played(app, 40)
    desk = desk_of(app)
    held = desk.holdings.quantity(bot, "BTCUSDT")
    assert held
    where = f"/order/close/{desk.account_id}:BTCUSDT:{bot}"
    refused = await app.http.post(where, headers=mina)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "bot_running") and "stop" in refused.json()["error"]["message"]
    resting = next(one.id for one in desk.orders.of(bot))
    kept = await app.http.delete(f"/order/{resting}", headers=mina)
    assert (kept.status_code, kept.json()["error"]["code"]) == (409, "bot_running")
    runner = next(iter(app.house.part(Desks).open.values())).faces[bot]
    await runner.stop(flatten=False)
    async with app.house.database.writing() as session:
        await session.execute(text("update bots set desired = 'stopped', observed = 'stopped'"))
    closed = await app.http.post(where, headers=mina)
    assert (closed.status_code, closed.json()["bot_id"]) == (201, bot), closed.text
    await played(app)
    assert not desk.holdings.quantity(bot, "BTCUSDT") and not desk.orders.of(bot)


async def test_lists_are_filtered_and_come_in_pages(app, mina):
    for price in ("50000", "50001", "50002"):
        last = await given(app, mina, kind="limit", price=price)
    await given(app, mina, symbol="ETHUSDT", quantity="0.1", kind="limit", price="2500")
    found, cursor = [], None
    while True:
        page = (await app.http.get("/order/list", headers=mina, params={"limit": 3} | ({"cursor": cursor} if cursor else {}))).json()
        found += [one["id"] for one in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert len(found) == len(set(found)) == 4 and found == sorted(found, reverse=True)
    for query, expected in [({"symbol": "ethusdt"}, 1), ({"status": "open"}, 4), ({"status": "filled"}, 0), ({"origin": "manual"}, 4),
                            ({"origin": "bot"}, 0), ({"account_id": last["account_id"]}, 4), ({"account_id": "0" * 32}, 0), ({"bot_id": "0" * 32}, 0)]:
        assert len(await all_of(app, mina, **query)) == expected, query
    assert await all_of(app, await app.person("jun@example.com")) == []


async def test_an_order_is_cancelled_once(app, mina):
    order = await given(app, mina, kind="limit", price="50000")
    gone = await app.http.delete(f"/order/{order['id']}", headers=mina)
    assert (gone.status_code, gone.json()["status"]) == (200, "canceled")
    again = await app.http.delete(f"/order/{order['id']}", headers=mina)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "order_ended")
    assert not await desk_of(app).exchange.open_orders()


async def test_a_cancelled_stop_is_given_up_and_the_target_stays(app, mina):
    order = await given(app, mina, bracket={"stop_loss": {"percent": "50"}, "take_profit": {"percent": "60"}})
    await played(app)
    stop = next(one for one in await all_of(app, mina) if one["role"] == "stop")
    assert (await app.http.delete(f"/order/{stop['id']}", headers=mina)).json()["status"] == "canceled"
    await desk_of(app).manual.poke()
    assert [one["role"] for one in await all_of(app, mina, status="open")] == ["target"]
    assert (await seen(app, mina, order))["bracket"]["stop_loss"] is None


async def test_an_external_order_is_touched_only_with_consent(app, mina):
    order = await given(app, mina, kind="limit", price="50000")
    desk = desk_of(app)
    await desk.exchange.place(NewOrder("web-1", "BTCUSDT", "buy", Decimal("0.01"), "limit", Decimal(40_000)))
    await desk.check.once()
    await desk.scribe.settled()
    (external,) = await all_of(app, mina, origin="external")
    refused = await app.http.delete(f"/order/{external['id']}", headers=mina)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "consent_needed")
    assert len(await desk.exchange.open_orders()) == 2
    assert (await app.http.delete(f"/order/{external['id']}?consent=true", headers=mina)).json()["status"] == "canceled"
    assert [one.order.client_id for one in await desk.exchange.open_orders()] == [order["id"]]


async def test_the_gate_refuses_with_its_rule_and_numbers(app, mina):
    answer = await app.http.post("/order/submit", headers=mina, json=BUY | {"quantity": "100", "leverage": 10})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["details"]["rule"]) == (409, error["details"]["rule"], "order_value_max")
    assert Decimal(error["details"]["asked"]) > Decimal(error["details"]["allowed"])
    answer = await app.http.post("/order/submit", headers=mina, json=BUY | {"reduce_only": True, "side": "sell"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "reduces_at_most")
    assert await all_of(app, mina) == []


class Odd:
    """An exchange whose placing answers as the test says; the rest is the real one."""

    def __init__(self, inner, outcome):
        self.inner, self.outcome, self.sent = inner, outcome, []

    def __getattr__(self, name):
        return getattr(self.inner, name)

    async def place(self, order, *, still=None):
        self.sent.append(order)
        return self.outcome

    async def look(self, order, sent_ms):
        return Unknown("silence")


async def test_silence_is_202_unknown_and_is_looked_for(app, mina):
    await given(app, mina, kind="limit", price="50000")
    desk = desk_of(app)
    desk.exchange = Odd(desk.exchange, Unknown("timeout"))
    order = await given(app, mina, 202, bracket={"stop_loss": {"percent": "5"}})
    assert (order["status"], "being looked for" in order["note"]) == ("unknown", True)
    after = await app.http.post("/order/submit", headers=mina, json=BUY)
    assert (after.status_code, after.json()["error"]["code"]) == (409, "doubt"), "no new risk while an order is unknown"
    assert len(desk.exchange.sent) == 1


async def test_the_exchanges_no_is_409_with_its_word_and_code(app, mina):
    await given(app, mina, kind="limit", price="50000")
    desk = desk_of(app)
    desk.exchange = Odd(desk.exchange, Rejected("margin", "40762"))
    answer = await app.http.post("/order/submit", headers=mina, json=BUY | {"bracket": {"stop_loss": {"percent": "5"}}})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["details"]["exchange_code"]) == (409, "margin", "40762")
    assert desk.manual.guards == {} and (await all_of(app, mina, status="rejected"))[0]["reason"] == "margin"


async def test_without_a_price_nothing_is_sent(app, mina, monkeypatch):
    await given(app, mina, kind="limit", price="50000")
    desk = desk_of(app)

    async def nothing(_symbol, _most):
        raise Unreachable("far away")

    desk.exchange = Odd(desk.exchange, None)
    desk.exchange.bars = nothing
    answer = await app.http.post("/order/submit", headers=mina, json=BUY | {"symbol": "XRPUSDT", "quantity": "10"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_price") and desk.exchange.sent == []


async def test_one_key_is_one_order(app, mina):
    headers = mina | {"idempotency-key": "the-same-key"}
    first, second = [await app.http.post("/order/submit", headers=headers, json=BUY | {"kind": "limit", "price": "50000"}) for _ in range(2)]
    assert first.json()["id"] == second.json()["id"] and second.headers["idempotency-replayed"] == "true"
    assert len(await all_of(app, mina)) == 1


async def test_leverage_is_set_before_the_order_and_not_above_the_limit(app, mina):
    assert (await given(app, mina, leverage=3))["leverage"] == 3
    assert desk_of(app).leverages == {"BTCUSDT": 3}
    answer = await app.http.post("/order/submit", headers=mina, json=BUY | {"symbol": "ETHUSDT", "quantity": "0.1", "leverage": 11})
    assert answer.json()["error"]["details"] == {"rule": "leverage", "asked": "11", "allowed": "10"}
    assert desk_of(app).leverages == {"BTCUSDT": 3}, "nothing was changed at the exchange"


async def test_panic_stops_orders_bots_and_positions_and_stays(app, mina):
    started = (await app.http.post("/bot/start", headers=mina, json={"strategy": "rsi", "params": {"period": 2, "low": 49, "high": 51}})).json()
    await given(app, mina)
    resting = await given(app, mina, kind="limit", price="50000")
    await played(app, 40)
    answer = await app.http.post("/order/panic", headers=mina, json={"close": True, "reason": "enough"})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["on"], told["bots"], told["failed"]) == (True, [started["id"]], []) and told["canceling"] >= 1
    assert told["closing"] == [f"{resting['account_id']}:BTCUSDT"]
    await played(app, 2)
    assert (await seen(app, mina, resting))["status"] == "canceled"
    assert not any(desk.holdings.symbols() for desk in app.house.part(Desks).open.values())
    async with asyncio.timeout(5):
        while (await app.http.get("/bot/status", headers=mina)).json()["observed"] != "stopped":  # noqa: ASYNC110
            await asyncio.sleep(0)
    refused = await app.http.post("/order/submit", headers=mina, json=BUY)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "killed")
    assert (await app.http.post("/bot/start", headers=mina, json={})).json()["error"]["code"] == "killed"
    again = (await app.http.post("/order/panic", headers=mina)).json()
    assert (again["on"], again["bots"], again["failed"]) == (True, [], [])
    assert (await app.http.delete("/order/panic", headers=mina)).json()["on"] is False
    assert (await app.http.post("/order/submit", headers=mina, json=BUY)).status_code == 201
    async with app.house.database.reading() as session:
        acts = (await session.execute(select(AuditEntry.act).where(AuditEntry.act.startswith("panic.")))).scalars().all()
    assert acts == ["panic.on", "panic.on", "panic.off"]


async def test_panic_needs_no_database(app, mina):
    """The switch, the orders and the closing; what belongs into rows follows when they can be written."""
    order = await given(app, mina)
    await played(app)
    resting = await given(app, mina, kind="limit", price="50000")
    desk, database = desk_of(app), app.house.database
    engine, link = database.engine, database.url
    async with app.house.database.reading() as session:
        user_id = (await session.execute(select(Order.user_id))).scalars().first()
    with broken(database, app):
        answer = await app.http.post("/order/panic", headers=mina | {"idempotency-key": "panic-key"}, json={"close": True})
        assert answer.status_code == 200, answer.text
        assert answer.json()["on"] and any("database" in one for one in answer.json()["failed"])
        assert app.house.part(Kills).on(user_id) == "user"
        assert resting["id"] not in {one.order.client_id for one in await desk.exchange.open_orders()}
        assert any(one.order.reduce_only and one.order.side == "sell" for one in await desk.exchange.open_orders())
        assert (await app.http.post("/order/panic", headers={"authorization": "Bearer nonsense"})).status_code == 401
    assert (database.engine, database.url) == (engine, link)
    await asyncio.wait_for(app.house.part(Desks).scribe.settled(), 10)
    async with app.house.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(AuditEntry).where(AuditEntry.act == "panic.on")) == 1
    assert (await seen(app, mina, resting))["status"] == "canceled" and order["id"] != resting["id"]


class broken:  # noqa: N801 - used as a word
    """A database that does not answer, for as long as the block runs."""

    def __init__(self, database, app):
        self.database, self.app = database, app

    def __enter__(self):
        from haechi.identity.service import Identity

        async def away(*_given, **_named):
            raise OSError("the disk is gone")

        class Away:
            async def __aenter__(self):
                raise OSError("the disk is gone")

            async def __aexit__(self, *_why):
                return False

        sessions = self.app.house.part(Identity).sessions
        self.kept = (self.database.reading, self.database.writing, sessions._holder.one, sessions)
        self.database.reading = self.database.writing = Away
        sessions._holder.one = away

    def __exit__(self, *_why):
        self.database.reading, self.database.writing, sessions = self.kept[0], self.kept[1], self.kept[3]
        sessions._holder.one = self.kept[2]


async def test_panic_off_wants_a_fresh_proof_and_not_the_operators_switch(app, mina):
    await app.http.post("/order/panic", headers=mina)
    async with app.house.database.writing() as session:
        user_id = (await session.execute(select(UserSession.user_id))).scalars().first()
        await session.execute(update(UserSession).values(fresh_at=None))
    assert (await app.http.delete("/order/panic", headers=mina)).json()["error"]["code"] == "fresh_2fa_needed"
    kills = app.house.part(Kills)
    kills.turn_off("user", user_id)
    kills.turn_on("user", user_id, by="command line")
    again = await app.sign_in("mina@example.com")
    answer = await app.http.delete("/order/panic", headers=again)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "operators_switch") and kills.on(user_id) == "user"
