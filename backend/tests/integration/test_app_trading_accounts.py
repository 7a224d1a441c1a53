"""Accounts over HTTP: opened, shared, closed; balance and positions as the exchange says, and never a zero for what is not known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from exchange_stage import Stage, stage
from sqlalchemy import select

from haechi.errors import Conflict, HaechiError, NotPermitted
from haechi.exchanges.errors import Refused, Unreachable
from haechi.exchanges.port import Accepted, NewOrder
from haechi.identity.audit import AuditEntry
from haechi.trading import accounts
from haechi.trading.connections import Connections
from haechi.trading.keys import ExchangeKey
from haechi.trading.models import Account, Booking, Order

PAPER = {"mode": "paper", "name": "Trying"}
D = Decimal


@pytest.fixture
async def there(tmp_path, running) -> AsyncIterator[Stage]:
    async with stage(tmp_path, running) as made:
        yield made


async def opened(there: Stage, headers: dict[str, str], **given: Any) -> dict[str, Any]:
    answer = await there.app.http.post("/account", headers=headers, json={**PAPER, **given})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def refused(there: Stage, headers: dict[str, str], status: int, code: str, **given: Any) -> None:
    answer = await there.app.http.post("/account", headers=headers, json={**PAPER, **given})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text


async def demo(there: Stage, headers: dict[str, str]) -> str:
    key = await there.saved(headers)
    return (await opened(there, headers, mode="demo", key_id=key["id"]))["id"]


async def row(there: Stage, account_id: str) -> Account:
    async with there.app.house.database.reading() as session:
        return await session.get_one(Account, account_id)


async def an_order(there: Stage, account_id: str, status: str) -> None:
    owner = (await row(there, account_id)).user_id
    async with there.app.house.database.writing() as session:
        session.add(Order(id=f"o-{status}", user_id=owner, account_id=account_id, bot_id="", symbol="BTCUSDT", role="entry", side="buy", kind="limit",
                          quantity=D(1), price=D(1), trigger=None, reduce_only=False, status=status, reason="", exchange_id="1", leverage=7, created_ms=1,
                          updated_ms=1))


async def a_fill(there: Stage, account_id: str, trade: str, side: str, quantity: str) -> None:
    owner = (await row(there, account_id)).user_id
    async with there.app.house.database.writing() as session:
        session.add(Booking(user_id=owner, account_id=account_id, bot_id="", exchange_id=trade, kind="fill", order_id="", symbol="BTCUSDT", side=side,
                            quantity=D(quantity), price=D(1), time_ms=1))


# ---- opened

async def test_the_default_account_is_made_when_it_is_first_needed_and_not_by_asking(there: Stage) -> None:
    mina = await there.person()
    for path in ("/account/balance", "/account/positions"):
        answer = await there.app.http.get(path, headers=mina)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_account")
    assert (await there.app.http.get("/account/list", headers=mina)).json() == {"items": []}
    for name in "ab":
        made = await there.app.http.post("/bot-instances", headers=mina, json={"name": name, "strategy": "rsi", "symbol": "BTCUSDT"})
        assert made.status_code == 201, made.text
    (account,) = (await there.app.http.get("/account/list", headers=mina)).json()["items"]
    assert (account["name"], account["capital"]) == ("Paper", "10000")
    balance = (await there.app.http.get("/account/balance", headers=mina)).json()
    assert (balance["account_id"], balance["wallet"], balance["mode"]) == (account["id"], "10000.00000000", "paper")


async def test_paper_with_a_capital_of_its_own(there: Stage) -> None:
    mina = await there.person()
    account = await opened(there, mina, capital="2500.5", isolation="netted")
    assert (account["capital"], account["isolation"], account["key_id"], account["closed_at"]) == ("2500.5", "netted", None, None)
    balance = await there.app.http.get("/account/balance", headers=mina, params={"account_id": account["id"]})
    assert balance.json()["equity"] == "2500.50000000"
    async with there.app.house.database.reading() as session:
        assert "account.opened" in (await session.execute(select(AuditEntry.act))).scalars().all()


WRONG = [{"mode": "real"}, {"name": ""}, {"name": "x" * 65}, {"name": "a\nb"}, {"capital": "0"}, {"capital": "-1"}, {"capital": "NaN"}, {"capital": "1e9"},
         {"capital": "0.000000001"}, {"isolation": "shared"}, {"key_id": "0" * 32}, {"key_id": "x"}, {"mode": "demo", "capital": "5"}, {"owner": "me"}]


@pytest.mark.parametrize("given", WRONG, ids=str)
async def test_what_makes_no_account_is_refused(there: Stage, given: dict[str, Any]) -> None:
    answer = await there.app.http.post("/account", headers=await there.person(), json={**PAPER, **given})
    assert answer.status_code == 422, answer.text


async def test_a_demo_account_wants_a_demo_key_of_ones_own_and_only_one_account_a_key(there: Stage) -> None:
    mina = await there.person()
    await refused(there, mina, 409, "no_key", mode="demo")
    await refused(there, mina, 404, "not_found", mode="demo", key_id="0" * 32)
    key = (await there.saved(mina))["id"]
    await opened(there, mina, mode="demo", key_id=key)
    await refused(there, mina, 409, "key_in_use", mode="demo", key_id=key)


async def test_a_key_that_went_bad_opens_nothing(there: Stage) -> None:
    mina = await there.person()
    key = (await there.saved(mina))["id"]
    there.key(permissions=("read", "trade", "withdraw"))
    await there.app.http.post(f"/account/keys/{key}/check", headers=mina)
    await refused(there, mina, 409, "withdraw", mode="demo", key_id=key)


async def test_no_more_accounts_than_allowed(there: Stage) -> None:
    mina = await there.person()
    for _ in range(accounts.ACCOUNTS_MAX):
        await opened(there, mina)
    await refused(there, mina, 409, "too_many_accounts")


# ---- live

async def test_going_live_wants_the_second_factor_a_fresh_proof_and_a_key_of_today(there: Stage) -> None:
    mina = await there.person(strong=True)
    key = (await there.saved(mina, mode="live"))["id"]
    await refused(there, mina, 409, "key_mode", mode="demo", key_id=key)
    there.app.clock.advance(timedelta(minutes=6))
    await refused(there, mina, 403, "fresh_2fa_needed", mode="live", key_id=key)
    async with there.app.house.database.writing() as session:
        (await session.get_one(ExchangeKey, key)).checked_at = there.app.clock.now() - timedelta(hours=25)
        from haechi.identity.models import UserSession

        for one in (await session.execute(select(UserSession))).scalars():
            one.fresh_at, one.fresh_2fa = there.app.clock.now(), True
    await refused(there, mina, 409, "key_unchecked", mode="live", key_id=key)
    await there.app.http.post(f"/account/keys/{key}/check", headers=mina)
    assert (await opened(there, mina, mode="live", key_id=key))["mode"] == "live"


def a_key(there: Stage, **given: Any) -> ExchangeKey:
    now = there.app.clock.now()
    return ExchangeKey(**{"mode": "live", "checked_at": now, "last_check": {"state": "ok", "checks": []}, **given})


@pytest.mark.parametrize("state", ["bad", "unknown"])
async def test_may_go_live_refuses_what_is_not_good(there: Stage, state: str) -> None:
    now = there.app.clock.now()
    accounts.may_go_live(a_key(there), has_2fa=True, now=now)
    accounts.may_go_live(a_key(there, checked_at=now - timedelta(hours=24)), has_2fa=True, now=now)
    wrong: list[tuple[type[HaechiError], str, ExchangeKey, bool]] = [
        (NotPermitted, "two_factor_needed", a_key(there), False), (Conflict, "key_mode", a_key(there, mode="demo"), True),
        (Conflict, "key_unchecked", a_key(there, checked_at=None), True),
        (Conflict, "key_not_good", a_key(there, last_check={"state": state, "checks": []}), True), (Conflict, "key_not_good", a_key(there, last_check=None), True)]
    for kind, code, key, with_2fa in wrong:
        with pytest.raises(kind) as no:
            accounts.may_go_live(key, has_2fa=with_2fa, now=now)
        assert no.value.code == code


# ---- shared, closed

@pytest.mark.parametrize("status", ["sent", "open", "unknown"])
async def test_an_account_with_orders_neither_closes_nor_changes(there: Stage, status: str) -> None:
    mina = await there.person()
    account = (await opened(there, mina))["id"]
    await an_order(there, account, status)
    for method, path, body in (("POST", "close", None), ("PUT", "isolation", {"isolation": "netted"})):
        answer = await there.app.http.request(method, f"/account/{account}/{path}", headers=mina, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "account_in_use"), path
    assert (await row(there, account)).isolation == "exclusive"


async def test_an_account_that_holds_something_does_not_close_until_it_is_flat(there: Stage) -> None:
    mina = await there.person()
    account = (await opened(there, mina))["id"]
    await an_order(there, account, "filled")
    await a_fill(there, account, "t-1", "buy", "0.03")
    await a_fill(there, account, "t-2", "sell", "0.01")
    answer = await there.app.http.post(f"/account/{account}/close", headers=mina)
    assert answer.status_code == 409 and "BTCUSDT" in answer.json()["error"]["message"]
    await a_fill(there, account, "t-3", "sell", "0.02")
    closed = await there.app.http.post(f"/account/{account}/close", headers=mina)
    assert closed.status_code == 200 and closed.json()["closed_at"] is not None


async def test_what_runs_there_is_asked(there: Stage) -> None:
    mina = await there.person()
    account = (await opened(there, mina))["id"]
    said = ["A bot runs."]

    async def use(_session: Any, account_id: str) -> str:
        return said[0] if account_id == account else ""

    connections = there.app.house.part(Connections)
    connections.uses.append(use)
    answer = await there.app.http.put(f"/account/{account}/isolation", headers=mina, json={"isolation": "netted"})
    assert answer.status_code == 409 and "A bot runs." in answer.json()["error"]["message"]
    same = await there.app.http.put(f"/account/{account}/isolation", headers=mina, json={"isolation": "exclusive"})
    assert same.status_code == 200
    said[0] = ""
    changed = await there.app.http.put(f"/account/{account}/isolation", headers=mina, json={"isolation": "netted"})
    assert changed.json()["isolation"] == "netted"


async def test_an_account_whose_desk_is_open_does_not_close(there: Stage) -> None:
    mina = await there.person()
    account = (await opened(there, mina))["id"]
    connections = there.app.house.part(Connections)
    await connections.exchange_of(await row(there, account))
    assert (await there.app.http.post(f"/account/{account}/close", headers=mina)).status_code == 409
    await connections.close_of(account)
    assert (await there.app.http.post(f"/account/{account}/close", headers=mina)).status_code == 200
    with pytest.raises(Conflict):
        await connections.exchange_of(await row(there, account))
    assert (await there.app.http.put(f"/account/{account}/isolation", headers=mina, json={"isolation": "netted"})).status_code == 409


async def test_anothers_account_looks_missing(there: Stage) -> None:
    account = (await opened(there, await there.person()))["id"]
    eve = await there.person("eve@example.com")
    for method, path, body in (("POST", f"/account/{account}/close", None), ("PUT", f"/account/{account}/isolation", {"isolation": "netted"}),
                               ("GET", f"/account/balance?account_id={account}", None), ("GET", f"/account/positions?account_id={account}", None)):
        assert (await there.app.http.request(method, path, headers=eve, json=body)).status_code == 404, path
    assert (await there.app.http.get("/account/list", headers=eve)).json() == {"items": []}


# ---- as the exchange says

async def test_balance_and_positions_are_the_exchanges(there: Stage) -> None:
    mina = await there.person()
    account = await demo(there, mina)
    looked = await there.app.house.part(Connections).look_at(await row(there, account))
    assert isinstance(await looked.place(NewOrder("x-1", "BTCUSDT", "buy", D("0.01"), "market")), Accepted)
    await an_order(there, account, "filled")
    await there.played.move(610_000)
    there.app.house.part(Connections).owners = lambda account_id, symbol: {"bot-1": D("0.006"), "": D("0.004")} if account_id == account else {}
    balance = (await there.app.http.get("/account/balance", headers=mina, params={"account_id": account})).json()
    assert (balance["wallet"], balance["equity"], balance["mode"]) == ("9999.64000000", "10009.64000000", "demo")
    (held,) = (await there.app.http.get("/account/positions", headers=mina, params={"account_id": account})).json()["items"]
    assert (held["symbol"], held["quantity"], D(held["entry"]), held["leverage"]) == ("BTCUSDT", "0.01", D(60_000), 7)
    assert held["owners"] == {"bot-1": "0.006", "": "0.004"} and held["id"] == f"{account}:BTCUSDT"


async def test_an_exchange_that_is_silent_is_a_503_and_no_zero(there: Stage) -> None:
    mina = await there.person()
    account = await demo(there, mina)
    await there.gone()
    for path in ("balance", "positions"):
        answer = await there.app.http.get(f"/account/{path}", headers=mina, params={"account_id": account})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "exchange_unreachable") and "0.000" not in answer.text


async def test_a_key_that_is_gone_is_said(there: Stage) -> None:
    mina = await there.person()
    account = await demo(there, mina)
    there.key(revoked=True)
    answer = await there.app.http.get("/account/balance", headers=mina, params={"account_id": account})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "exchange_refused")
    async with there.app.house.database.writing() as session:
        (await session.get_one(Account, account)).key_id = None
    await there.app.house.part(Connections).close_of(account)
    answer = await there.app.http.get("/account/balance", headers=mina, params={"account_id": account})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_key")


# ---- connections

def held_time(there: Stage) -> Connections:
    """Whoever sleeps there does so for the rest of the test."""
    connections = there.app.house.part(Connections)

    async def sleep(_ms: int) -> None:
        await asyncio.Event().wait()

    connections.sleep = sleep
    return connections


async def test_an_account_has_one_exchange_started_once(there: Stage) -> None:
    account = await row(there, await demo(there, await there.person()))
    connections = held_time(there)
    made = await asyncio.gather(*(connections.exchange_of(account) for _ in range(5)))
    assert all(one is made[0] for one in made) and connections.open == {account.id: made[0]}
    assert (await connections.look_at(account)) is made[0] and (await made[0].balance()).wallet == D(10_000)
    async with asyncio.timeout(5):
        while made[0].blind():  # noqa: ASYNC110 - messages on this machine, no time
            await asyncio.sleep(0)
    await connections.close_of(account.id)
    assert connections.open == {} and (await connections.look_at(account)) is not made[0]


async def test_what_cannot_be_started_is_not_left_half_open(there: Stage) -> None:
    account = await row(there, await demo(there, await there.person()))
    connections = there.app.house.part(Connections)
    there.key(permissions=("read", "trade", "withdraw"))
    with pytest.raises(Refused):
        await connections.exchange_of(account)
    there.key()
    await there.gone()
    with pytest.raises(Unreachable):
        await connections.exchange_of(account)
    assert connections.open == {}


async def test_all_clients_share_one_session_and_one_budget(there: Stage) -> None:
    mina = await there.person()
    account = await row(there, await demo(there, mina))
    connections = held_time(there)
    looked = await connections.look_at(account)
    made: Any = await connections.exchange_of(account)
    assert made.shared is looked.shared and made.rest.session is looked.rest.session and made.rest.demo  # type: ignore[attr-defined]
    heard: list[tuple[str, str, str]] = []
    connections.alarm = lambda *said: heard.append(said)  # type: ignore[assignment]
    made.reconciliation.alarm("order_missing", "look there")
    assert heard == [(account.id, "order_missing", "look there")]
