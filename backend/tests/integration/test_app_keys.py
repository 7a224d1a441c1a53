"""Keys of exchanges over HTTP: taken only after a look at what they may do, shown masked, checked, mended, shredded; told to nobody."""

from __future__ import annotations

import io
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest
from exchange_stage import SECRETS, Stage, stage
from sqlalchemy import text
from test_app_canaries import found_in

from haechi.exchanges.bitget.sign import ApiKey
from haechi.identity.audit import AuditEntry
from haechi.platform import log
from haechi.platform.crypto import SealBroken
from haechi.trading import keys
from haechi.trading.keys import ExchangeKey
from haechi.trading.models import Account, Order


@pytest.fixture
async def there(tmp_path, running) -> AsyncIterator[Stage]:
    async with stage(tmp_path, running) as made:
        yield made


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    said, root = io.StringIO(), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    log.configure(level="debug", production=True, stream=said)
    yield said
    root.handlers[:] = handlers
    root.setLevel(level)


def states(key: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["state"] for one in key["checks"]}


async def rows(there: Stage, kind: type) -> list[Any]:
    from sqlalchemy import select

    async with there.app.house.database.reading() as session:
        return list((await session.execute(select(kind))).scalars().all())


async def acts(there: Stage) -> list[str]:
    return [one.act for one in await rows(there, AuditEntry)]


async def refused(there: Stage, headers: dict[str, str], status: int, code: str, **given: Any) -> dict[str, Any]:
    answer = await there.app.http.post("/account/keys", headers=headers, json=there.body(**given))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert await rows(there, ExchangeKey) == [] and "key.saved" not in await acts(there)
    return answer.json()["error"]


# ---- saved

async def test_a_good_key_is_kept_and_shown_masked(there: Stage) -> None:
    mina = await there.person()
    key = await there.saved(mina)
    assert (key["state"], key["api_key"], key["mode"], key["label"]) == ("ok", "…hs8d", "demo", "mine")
    assert set(states(key)) == {"reachable", "key", "withdraw", "trade", "address", "account_mode", "position_mode", "margin_mode", "clock", "equity"}
    assert set(states(key).values()) == {"ok"} and key["checked_at"] is not None
    listed = (await there.app.http.get("/account/keys", headers=mina)).json()["items"]
    assert listed == [key] and "key.saved" in await acts(there)


async def test_the_other_name_of_the_route_does_the_same(there: Stage) -> None:
    mina = await there.person()
    answer = await there.app.http.post("/account/save_keys", headers=mina, json=there.body())
    assert answer.status_code == 201 and len(await rows(there, ExchangeKey)) == 1


async def test_the_doctor_speaks_korean_to_who_prefers_it(there: Stage) -> None:
    mina = await there.person()
    await there.saved(mina)
    told = (await there.app.http.get("/account/keys", headers={**mina, "accept-language": "ko-KR,ko;q=0.9"})).json()["items"][0]
    assert next(one["text"] for one in told["checks"] if one["name"] == "withdraw") == "출금 권한이 없습니다."


async def test_a_key_that_may_withdraw_is_refused(there: Stage) -> None:
    there.key(permissions=("read", "trade", "withdraw"))
    await refused(there, await there.person(), 422, "withdraw")


@pytest.mark.parametrize("given", [{"secret": "another secret of mine"}, {"passphrase": "other words"}, {"api_key": "bg_nobody_knows_this"}],
                         ids=["secret", "passphrase", "key"])
async def test_a_key_that_does_not_fit_is_refused(there: Stage, given: dict[str, str]) -> None:
    said = await refused(there, await there.person(), 422, "key", **given)
    assert found_in(str(said).encode(), SECRETS) == []


async def test_a_key_bound_to_another_address_is_refused(there: Stage) -> None:
    there.key(ips=("192.0.2.1",))
    assert "40018" in (await refused(there, await there.person(), 422, "key"))["message"]


async def test_nothing_is_kept_while_the_exchange_is_silent(there: Stage) -> None:
    mina = await there.person()
    await there.gone()
    await refused(there, mina, 409, "exchange_unreachable")


async def test_what_the_exchange_does_not_tell_about_the_key_is_not_taken_for_good(there: Stage) -> None:
    await there.faults.add({"kind": "error_before", "path": "/api/v2/spot/account/info", "count": 10})
    await refused(there, await there.person(), 409, "exchange_unreachable")


async def test_a_key_is_kept_once(there: Stage) -> None:
    mina = await there.person()
    await there.saved(mina)
    again = await there.app.http.post("/account/keys", headers=mina, json=there.body(label="again"))
    assert (again.status_code, again.json()["error"]["code"]) == (409, "key_known") and len(await rows(there, ExchangeKey)) == 1


WRONG = [{"api_key": "short"}, {"secret": ""}, {"passphrase": ""}, {"api_key": "with space at end "}, {"secret": "line\nbreak in it"}, {"api_key": "é" * 12},
         {"mode": "paper"}, {"mode": "Live"}, {"exchange": "binance"}, {"label": ""}, {"label": "x" * 65}, {"label": "a\x00b"}, {"secret": "s" * 129},
         {"secret": 12345678}, {"passphrase": None}, {"user_id": "me"}, {"checked_at": "2026-01-01T00:00:00Z"}]


@pytest.mark.parametrize("given", WRONG, ids=str)
async def test_what_cannot_be_a_key_is_refused_without_being_repeated(there: Stage, given: dict[str, Any]) -> None:
    answer = await there.app.http.post("/account/keys", headers=await there.person(), json=there.body(**given))
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "validation")
    assert found_in(answer.content, SECRETS) == [] and await rows(there, ExchangeKey) == []


# ---- who may

async def test_a_live_key_wants_the_second_factor(there: Stage) -> None:
    mina = await there.person()
    answer = await there.app.http.post("/account/keys", headers=mina, json=there.body(mode="live"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "two_factor_needed") and await rows(there, ExchangeKey) == []
    strong = await there.person("strong@example.com", strong=True)
    assert (await there.saved(strong, mode="live"))["mode"] == "live"


async def test_a_live_key_is_deleted_and_mended_with_the_second_factor_only(there: Stage) -> None:
    strong = await there.person(strong=True)
    key = await there.saved(strong, mode="live")
    async with there.app.house.database.writing() as session:
        await session.execute(text("UPDATE users SET totp_at = NULL, totp = NULL"))
    for method, path, body in (("DELETE", f"/account/keys/{key['id']}", None), ("POST", f"/account/keys/{key['id']}/fix", {"fix": "one_way"})):
        answer = await there.app.http.request(method, path, headers=strong, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "two_factor_needed"), path
    assert len(await rows(there, ExchangeKey)) == 1


async def test_anothers_key_looks_missing(there: Stage) -> None:
    key = await there.saved(await there.person())
    eve = await there.person("eve@example.com")
    for method, path, body in (("POST", "/check", None), ("POST", "/fix", {"fix": "one_way"}), ("DELETE", "", None)):
        answer = await there.app.http.request(method, f"/account/keys/{key['id']}{path}", headers=eve, json=body)
        assert answer.status_code == 404
    opened = await there.app.http.post("/account", headers=eve, json={"mode": "demo", "name": "stolen", "key_id": key["id"]})
    assert opened.status_code == 404 and (await there.app.http.get("/account/keys", headers=eve)).json() == {"items": []}
    assert len(await rows(there, ExchangeKey)) == 1


# ---- checked and mended

async def checked(there: Stage, headers: dict[str, str], key: dict[str, Any]) -> dict[str, Any]:
    answer = await there.app.http.post(f"/account/keys/{key['id']}/check", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_each_thing_that_is_wrong_is_named(there: Stage) -> None:
    mina = await there.person()
    key = await there.saved(mina)
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"ips": ()}, "address", "warn"), ({"permissions": ("read",)}, "trade", "bad"),
        ({"permissions": ("read", "trade", "withdraw")}, "withdraw", "bad"), ({"revoked": True}, "key", "bad")]
    for given, name, state in cases:
        there.key(**given)
        found = await checked(there, mina, key)
        assert states(found)[name] == state and found["state"] == state, (name, found)
    there.key()
    assert (await checked(there, mina, key))["state"] == "ok"


async def test_an_empty_account_and_a_clock_that_is_off_are_told(there: Stage) -> None:
    mina = await there.person()
    key = await there.saved(mina)
    there.member.transfer(Decimal("-9996"))
    there.played.floor.clock = lambda: there.app.clock.now_ms() + 5_000
    found = await checked(there, mina, key)
    assert (states(found)["equity"], states(found)["clock"]) == ("warn", "warn")
    assert "4 USDT" in next(one["text"] for one in found["checks"] if one["name"] == "equity")


async def test_an_exchange_that_is_silent_makes_everything_unknown_and_nothing_fails(there: Stage) -> None:
    mina = await there.person()
    key = await there.saved(mina)
    await there.gone()
    found = await checked(there, mina, key)
    assert found["state"] == "unknown" and set(states(found).values()) == {"unknown"}
    fixed = await there.app.http.post(f"/account/keys/{key['id']}/fix", headers=mina, json={"fix": "one_way"})
    assert (fixed.status_code, fixed.json()["error"]["code"]) == (409, "exchange_unreachable") and "key.fixed" not in await acts(there)


async def test_hedge_mode_and_isolated_margin_are_mended_in_one_call_each(there: Stage) -> None:
    mina = await there.person()
    key = await there.saved(mina)
    there.member.set_position_mode("hedge_mode")
    there.member.set_margin_mode(0, cross=False)
    found = await checked(there, mina, key)
    assert {one["name"]: one["fix"] for one in found["checks"] if one["fix"]} == {"position_mode": "one_way", "margin_mode": "cross"}
    assert (states(found)["position_mode"], states(found)["margin_mode"]) == ("bad", "warn")
    for fix in ("one_way", "cross"):
        answer = await there.app.http.post(f"/account/keys/{key['id']}/fix", headers=mina, json={"fix": fix})
        assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "ok" and not there.member.hedge and there.member.cross(0)
    assert (await acts(there)).count("key.fixed") == 2


async def test_what_cannot_be_changed_while_something_is_held_says_so(there: Stage) -> None:
    mina = await there.person()
    key = await there.saved(mina)
    there.member.set_position_mode("hedge_mode")
    await there.faults.add({"kind": "error_before", "path": "/api/v2/mix/account/set-position-mode", "status": 400, "code": "40920"})
    answer = await there.app.http.post(f"/account/keys/{key['id']}/fix", headers=mina, json={"fix": "one_way"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "position_open") and there.member.hedge


# ---- deleted

async def test_a_deleted_key_leaves_nothing_behind(there: Stage) -> None:
    mina = await there.person()
    key = await there.saved(mina)
    (row,) = await rows(there, ExchangeKey)
    sealed = [getattr(row, field) for field in keys.SECRET_FIELDS]
    assert (await there.app.http.delete(f"/account/keys/{key['id']}", headers=mina)).status_code == 204
    assert await rows(there, ExchangeKey) == [] and "key.deleted" in await acts(there)
    assert (await there.app.http.delete(f"/account/keys/{key['id']}", headers=mina)).status_code == 404
    await there.app.house.database.close()
    folder = there.app.house.settings.haechi_var
    with closing(sqlite3.connect(folder / "haechi.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    stored = b"".join(path.read_bytes() for path in folder.glob("haechi.db*"))
    assert b"key.deleted" in stored and not any(one.encode() in stored for one in sealed)


async def an_account(there: Stage, headers: dict[str, str], key: dict[str, Any]) -> str:
    answer = await there.app.http.post("/account", headers=headers, json={"mode": "demo", "name": "demo", "key_id": key["id"]})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def test_a_key_in_use_is_not_deleted(there: Stage) -> None:
    mina = await there.person()
    key = await there.saved(mina)
    account = await an_account(there, mina, key)
    async with there.app.house.database.writing() as session:
        user_id = (await session.get_one(Account, account)).user_id
        session.add(Order(id="o-1", user_id=user_id, account_id=account, bot_id="", symbol="BTCUSDT", role="entry", side="buy", kind="limit",
                          quantity=Decimal(1), price=Decimal(1), trigger=None, reduce_only=False, status="open", reason="", exchange_id="1", created_ms=1,
                          updated_ms=1))
    answer = await there.app.http.delete(f"/account/keys/{key['id']}", headers=mina)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "key_in_use") and len(await rows(there, ExchangeKey)) == 1
    async with there.app.house.database.writing() as session:
        (await session.get_one(Order, "o-1")).status = "canceled"
    assert (await there.app.http.delete(f"/account/keys/{key['id']}", headers=mina)).status_code == 204
    (left,) = await rows(there, Account)
    assert left.key_id is None


# ---- sealed

async def test_a_sealed_text_moved_to_another_row_person_or_field_does_not_open(there: Stage) -> None:
    house, given = there.app.house, ApiKey("k" * 12, "s" * 12, "p" * 12)

    def made(user: str, mode: str = "demo") -> ExchangeKey:
        return keys.sealed(house.vault, user, given, mode=mode, label="x", now=house.clock.now())

    one, two = made("mina"), made("eve")
    assert keys.opened(house.vault, one) == given
    for field in keys.SECRET_FIELDS:
        moved = made("eve")
        setattr(moved, field, getattr(one, field))
        with pytest.raises(SealBroken):
            keys.opened(house.vault, moved)
    two.secret, two.passphrase = two.passphrase, two.secret
    with pytest.raises(SealBroken):
        keys.opened(house.vault, two)
    one.mode = "live"
    with pytest.raises(SealBroken):
        keys.opened(house.vault, one)


async def test_no_secret_of_a_key_is_told_logged_exported_or_stored_plainly(tmp_path, running, lines: io.StringIO) -> None:
    async with stage(tmp_path, running) as there:
        mina = await there.person()
        key = await there.saved(mina)
        account = await an_account(there, mina, key)
        told = b""
        for method, path, body in (("GET", "/account/keys", None), ("POST", f"/account/keys/{key['id']}/check", None),
                                   ("POST", f"/account/keys/{key['id']}/fix", {"fix": "cross"}), ("POST", "/account/keys", there.body()),
                                   ("POST", "/account/keys", there.body(mode="nonsense")), ("POST", "/account/keys", there.body(secret="x")),
                                   ("GET", "/account/list", None), ("GET", f"/account/balance?account_id={account}", None),
                                   ("GET", f"/account/positions?account_id={account}", None), ("GET", "/auth/export", None)):
            answer = await there.app.http.request(method, path, headers=mina, json=body)
            told += answer.content
        there.key(revoked=True)
        told += (await there.app.http.get(f"/account/balance?account_id={account}", headers=mina)).content
        await there.gone()
        told += (await there.app.http.get(f"/account/balance?account_id={account}", headers=mina)).content
        assert key["id"].encode() in told and found_in(told, SECRETS) == []
        assert found_in(lines.getvalue().encode(), SECRETS) == [] and "bitget_clock" in lines.getvalue()
        assert b'"exchange_keys"' in told
        await there.app.house.database.close()
        stored = b"".join(path.read_bytes() for path in (tmp_path / "var").glob("haechi.db*"))
        assert found_in(stored, SECRETS) == []
