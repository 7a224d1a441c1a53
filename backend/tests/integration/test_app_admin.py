"""What admins may see and do, who may not, and what the audit keeps of it."""

from __future__ import annotations

import asyncio
import io
import logging
import re
from datetime import timedelta

import pytest
import structlog
from people import PASSWORD, bearer, signed_in, user_of, with_2fa
from sqlalchemy import select, update

from haechi.admin.routers import ROUTERS
from haechi.bots.models import Bot
from haechi.bots.service import Bots
from haechi.identity.audit import AuditEntry
from haechi.identity.models import User
from haechi.markets.feed import Market
from haechi.platform import log
from haechi.trading.gate import Gate
from haechi.trading.kill_switch import Kills

HOME, ELSEWHERE = {"x-forwarded-for": "192.0.2.7"}, {"x-forwarded-for": "198.51.100.9"}
NOBODY = "0" * 32
QUICK = {"strategy": "rsi", "params": {"period": 2, "low": 49, "high": 51}}
ROUTES = sorted({(route.path, method) for router in ROUTERS for route in router.routes for method in route.methods})
BODIES = {"/admin/users/{id}/role": {"role": "user"}, "/admin/templates": {
    "name": "wide_calm", "title": {"en": "Wide", "ko": "넓게"}, "about": {"en": "Wide.", "ko": "넓게."},
    "plan": {"kind": "grid", "below": "8", "above": "8", "cells": 16}, "symbol": "BTCUSDT"}}


@pytest.fixture
async def app(tmp_path, running):
    async with running(tmp_path, admin_addresses="192.0.2.0/24", trusted_proxy_hops=1, speed=0.000_01) as made:
        yield made


async def person(app, email: str, role: str = "user") -> dict[str, str]:
    await app.add_person(email, PASSWORD)
    async with app.house.database.writing() as session:
        await session.execute(update(User).where(User.email == email).values(role=role))
    return bearer(await signed_in(app, email)) | HOME


async def admin(app, email: str = "root@example.com") -> dict[str, str]:
    headers = await person(app, email, "admin")
    await with_2fa(app, headers)
    return headers


async def id_of(app, email: str) -> str:
    return (await user_of(app, email)).id


async def acts(app) -> list[AuditEntry]:
    async with app.house.database.reading() as session:
        return list((await session.execute(select(AuditEntry).order_by(AuditEntry.number))).scalars())


def code_of(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


# ---- who may ask

def test_the_matrix_sees_the_routes():
    assert len(ROUTES) >= 16 and {path.split("/")[1] for path, _ in ROUTES} == {"admin", "auth"}


@pytest.fixture
async def asker(app):
    """Makes each kind of asker: headers, and what they are refused with (None: nothing) for (reading, changing)."""
    async def make(kind: str):
        if kind == "anonymous":
            return HOME, (401, "not_authenticated"), (401, "not_authenticated")
        if kind == "user":
            headers = await person(app, "mina@example.com")
            await with_2fa(app, headers)
            return headers, (403, "admin_only"), (403, "admin_only")
        if kind == "no second factor":
            return await person(app, "weak@example.com", "admin"), (403, "two_factor_needed"), (403, "two_factor_needed")
        headers = await admin(app)
        if kind == "elsewhere":
            return headers | ELSEWHERE, (403, "admin_address"), (403, "admin_address")
        if kind == "not fresh":
            app.clock.advance(timedelta(minutes=6))
            return headers, None, (403, "fresh_2fa_needed")
        return headers, None, None

    return make


@pytest.mark.parametrize("kind", ["anonymous", "user", "no second factor", "elsewhere", "not fresh", "admin"])
async def test_every_route_lets_in_exactly_whom_it_should(app, asker, kind):
    headers, reading, changing = await asker(kind)
    for path, method in ROUTES:
        expected = reading if method == "GET" else changing
        for prefix in ("", "/api/v1"):
            answer = await app.http.request(method, prefix + path.replace("{id}", NOBODY).replace("{name}", "no_such_one"), headers=headers, json=BODIES.get(path, {}))
            if expected is not None:
                assert code_of(answer) == expected, f"{method} {path}"
            elif "{id}" in path or "{name}" in path:
                assert code_of(answer) == (404, "not_found"), f"{method} {path}"
            else:
                assert answer.status_code in (200, 201), f"{method} {path}: {answer.text}"


async def test_a_proxys_header_of_ones_own_opens_nothing(app):
    headers = await admin(app)
    spoofed = headers | {"x-forwarded-for": f"{HOME['x-forwarded-for']}, {ELSEWHERE['x-forwarded-for']}"}
    assert code_of(await app.http.get("/admin/users", headers=spoofed)) == (403, "admin_address")


async def test_whoever_loses_the_role_loses_the_way_in_at_once(app):
    first, second = await admin(app), await admin(app, "second@example.com")
    await app.http.post(f"/admin/users/{await id_of(app, 'second@example.com')}/role", headers=first, json={"role": "user"})
    assert (await app.http.get("/admin/users", headers=second)).status_code == 401


# ---- people

async def test_people_are_found_and_come_in_pages(app):
    headers = await admin(app)
    for place in range(5):
        app.clock.advance(timedelta(seconds=1))
        await app.add_person(f"someone_{place}@example.com")
    await app.http.post(f"/admin/users/{await id_of(app, 'someone_3@example.com')}/suspend", headers=headers)

    async def emails(**query) -> list[str]:
        answer = await app.http.get("/admin/users", headers=headers, params=query)
        assert answer.status_code == 200, answer.text
        assert answer.json() == (await app.http.get("/auth/users", headers=headers, params=query)).json()
        return [one["email"] for one in answer.json()["items"]]

    assert await emails(email="SOMEONE_4") == ["someone_4@example.com"]
    assert await emails(email="%") == [] and await emails(email="e_4") == ["someone_4@example.com"] and await emails(email="o_4") == []
    assert await emails(role="admin") == ["root@example.com"]
    assert await emails(suspended=True) == ["someone_3@example.com"]
    assert "someone_3@example.com" not in await emails(suspended=False)
    seen, query = [], {"limit": 2}
    while True:
        page = (await app.http.get("/admin/users", headers=headers, params=query)).json()
        seen += [one["email"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        query = {"limit": 2, "cursor": page["next_cursor"]}
    assert seen[:5] == [f"someone_{place}@example.com" for place in (4, 3, 2, 1, 0)] and len(seen) == len(set(seen)) == 7


async def test_one_person_with_their_sessions_and_no_secret(app):
    headers = await admin(app)
    await person(app, "mina@example.com")
    answer = await app.http.get(f"/admin/users/{await id_of(app, 'mina@example.com')}", headers=headers)
    told = answer.json()
    assert (told["email"], told["verified"], told["two_factor"], len(told["sessions"])) == ("mina@example.com", True, False, 1)
    assert not re.search("hash|totp|argon", answer.text)


async def test_suspending_acts_at_once_and_is_kept(app):
    headers, mina = await admin(app), await person(app, "mina@example.com")
    there = f"/admin/users/{await id_of(app, 'mina@example.com')}"
    assert (await app.http.post(f"{there}/suspend", headers=headers)).json()["suspended"] is True
    assert (await app.http.get("/auth/me", headers=mina)).status_code == 401
    assert (await app.http.post("/auth/login", json={"email": "mina@example.com", "password": PASSWORD})).status_code == 401
    assert (await app.http.post(f"{there}/activate", headers=headers)).json()["suspended"] is False
    assert (await app.http.get("/auth/me", headers=mina)).status_code == 401, "the old session stays ended"
    await signed_in(app)
    entry = next(one for one in await acts(app) if one.act == "user.suspended")
    assert (entry.actor, entry.address) == (await id_of(app, "root@example.com"), "192.0.2.7") and there.endswith(entry.subject)
    assert entry.details == {"suspended": {"before": False, "after": True}} and len(entry.request_id) == 32


async def test_a_role_is_given_and_sessions_are_ended(app):
    headers, mina = await admin(app), await person(app, "mina@example.com")
    there = f"/admin/users/{await id_of(app, 'mina@example.com')}"
    assert (await app.http.post(f"{there}/end-sessions", headers=headers)).json() == {"ended": 1}
    assert (await app.http.get("/auth/me", headers=mina)).status_code == 401
    assert (await app.http.post(f"{there}/role", headers=headers, json={"role": "admin"})).json()["role"] == "admin"
    assert (await app.http.post(f"{there}/role", headers=headers, json={"role": "god"})).status_code == 422
    assert [one.act for one in await acts(app)][-2:] == ["user.sessions_ended", "user.role"]


@pytest.mark.parametrize(("path", "body"), [("suspend", None), ("role", {"role": "user"})])
async def test_the_last_admin_stays(app, path, body):
    headers = await admin(app)
    there = f"/admin/users/{await id_of(app, 'root@example.com')}/{path}"
    before = len(await acts(app))
    assert code_of(await app.http.post(there, headers=headers, json=body)) == (409, "last_admin")
    assert len(await acts(app)) == before, "what was refused is not in the audit"
    assert (await app.http.get("/admin/users", headers=headers)).status_code == 200
    await person(app, "second@example.com", "admin")
    assert (await app.http.post(there, headers=headers, json=body)).status_code == 200


async def test_two_admins_cannot_turn_each_other_out(app):
    one, other = await admin(app), await admin(app, "other@example.com")
    ids = [await id_of(app, email) for email in ("other@example.com", "root@example.com")]
    await asyncio.gather(*(app.http.post(f"/admin/users/{who}/suspend", headers=headers) for who, headers in zip(ids, (one, other), strict=True)))
    left = (await user_of(app, "root@example.com")).suspended_at, (await user_of(app, "other@example.com")).suspended_at
    assert left.count(None) == 1


# ---- bots and the kill switch

async def test_an_admin_sees_everybodys_bots_and_stops_one(app):
    headers, mina = await admin(app), await person(app, "mina@example.com")
    bot = (await app.http.post("/bot/start", headers=mina, json=QUICK)).json()["id"]
    found = (await app.http.get("/admin/bots", headers=headers, params={"observed": "running"})).json()["items"]
    assert [(one["id"], one["user_id"]) for one in found] == [(bot, await id_of(app, "mina@example.com"))]
    assert (await app.http.get("/admin/bots", headers=headers, params={"user": NOBODY})).json()["items"] == []
    stopped = await app.http.post(f"/admin/bots/{bot}/stop", headers=headers)
    assert stopped.json()["desired"] == "stopped"
    await app.house.part(Market).step()
    assert (await at_rest(app, mina))["observed"] == "stopped"
    entry = (await acts(app))[-1]
    assert (entry.act, entry.subject, entry.details["desired"]) == ("bot.stopped", bot, {"before": "running", "after": "stopped"})
    assert code_of(await app.http.post(f"/admin/bots/{bot}/stop", headers=headers)) == (409, "conflict")
    assert (await acts(app))[-1].number == entry.number


async def at_rest(app, headers):
    """What the bot has become; its end is written down by a task of its own."""
    async with asyncio.timeout(10):
        while (there := (await app.http.get("/bot/status", headers=headers)).json())["observed"] == "stopping":  # noqa: ASYNC110
            await asyncio.sleep(0)
    return there


async def test_the_kill_switch_stops_all_and_lets_nothing_start(app):
    headers, mina, jun = await admin(app), await person(app, "mina@example.com"), await person(app, "jun@example.com")
    await app.http.post("/bot/start", headers=mina, json=QUICK)
    for _ in range(40):
        await app.house.part(Market).step()
    assert float((await app.http.get("/bot/status", headers=mina)).json()["position"]) != 0
    killed = (await app.http.post("/admin/kill-switch", headers=headers, json={"reason": "a drill"})).json()
    assert (killed["on"], killed["reason"], killed["stopping"], killed["failed"]) == (True, "a drill", 1, 0)
    assert code_of(await app.http.post("/bot/start", headers=jun, json=QUICK)) == (409, "killed")
    for _ in range(2):
        await app.house.part(Market).step()
    there = await at_rest(app, mina)
    assert (there["observed"], there["open_orders"]) == ("stopped", [])
    again = (await app.http.post("/admin/kill-switch", headers=headers)).json()
    assert (again["since"], again["reason"], again["stopping"]) == (killed["since"], "a drill", 0)
    assert (await app.http.delete("/admin/kill-switch", headers=headers)).json()["on"] is False
    assert (await app.http.post("/bot/start", headers=jun, json=QUICK)).status_code == 201
    assert [one.act for one in await acts(app)][-3:] == ["kill_switch.on", "kill_switch.on", "kill_switch.off"]


async def test_the_kill_switch_outlives_a_restart(tmp_path, running):
    given = {"admin_addresses": "192.0.2.0/24", "trusted_proxy_hops": 1, "speed": 0.000_01}
    async with running(tmp_path, **given) as app:
        headers = await admin(app)
        await app.http.post("/admin/kill-switch", headers=headers, json={"reason": "over night"})
    async with running(tmp_path, **given) as app:
        mina = await person(app, "mina@example.com")
        assert code_of(await app.http.post("/bot/start", headers=mina, json=QUICK)) == (409, "killed")
        assert (await app.http.get("/admin/kill-switch", headers=headers)).json()["reason"] == "over night"


async def test_a_bot_that_is_just_starting_does_not_slip_past_the_switch(app, monkeypatch):
    """Turned on after the start has looked, and before the runner is known."""
    from haechi.bots import starting

    headers, mina = await admin(app), await person(app, "mina@example.com")
    begun = starting.begun

    async def slow(*given):
        assert (await app.http.post("/admin/kill-switch", headers=headers)).json()["stopping"] == 1
        return await begun(*given)

    monkeypatch.setattr(starting, "begun", slow)
    assert code_of(await app.http.post("/bot/start", headers=mina, json=QUICK)) == (409, "killed")
    await app.house.part(Market).step()
    assert not app.house.part(Bots).runners
    assert (await at_rest(app, mina))["observed"] == "stopped"


async def test_one_bot_that_cannot_be_stopped_holds_up_no_other(app, monkeypatch):
    headers = await admin(app)
    for name in ("mina", "jun"):
        await app.http.post("/bot/start", headers=await person(app, f"{name}@example.com"), json=QUICK)
    bots = app.house.part(Bots)
    stuck, other = bots.runners.values()

    async def broken() -> None:
        raise RuntimeError("stuck")

    monkeypatch.setattr(stuck, "stop", broken)
    killed = (await app.http.post("/admin/kill-switch", headers=headers)).json()
    assert (killed["stopping"], killed["failed"]) == (1, 1)
    assert app.house.part(Gate).killed(stuck.owner.user_id, stuck.owner.bot_id) == "platform", "and the stuck one takes on no new risk"
    await app.house.part(Market).step()
    assert other.ended.is_set()


async def test_what_fails_to_be_audited_is_not_done(app, monkeypatch):
    headers = await admin(app)

    async def broken(*_given, **_named):
        raise RuntimeError("no room for the audit")

    for where in ("haechi.admin.bots.record", "haechi.identity.accounts.record", "haechi.admin.people.record"):
        monkeypatch.setattr(where, broken)
    mina = await person(app, "mina@example.com")
    there = f"/admin/users/{await id_of(app, 'mina@example.com')}"
    bot = (await app.http.post("/bot/start", headers=mina, json=QUICK)).json()["id"]
    for path, body in ((f"{there}/suspend", None), (f"{there}/role", {"role": "admin"}), (f"{there}/end-sessions", None),
                       ("/admin/kill-switch", {}), (f"/admin/bots/{bot}/stop", None)):
        assert (await app.http.post(path, headers=headers, json=body)).status_code == 500
    assert (await app.http.get("/auth/me", headers=mina)).json()["role"] == "user"
    async with app.house.database.reading() as session:
        assert (await session.get_one(Bot, bot)).desired == "running"
    assert app.house.part(Kills).on(bot) == "platform", "what stops trading waits for no book"


# ---- audit, figures, logs

async def test_the_audit_is_read_filtered_and_verified(app):
    headers = await admin(app)
    me, mina = await id_of(app, "root@example.com"), await person(app, "mina@example.com")
    there = await id_of(app, "mina@example.com")
    assert mina
    for act in ("suspend", "activate", "suspend", "activate"):
        app.clock.advance(timedelta(seconds=10))
        await app.http.post(f"/admin/users/{there}/{act}", headers=headers)

    async def numbers(**query) -> list[int]:
        answer = await app.http.get("/admin/audit", headers=headers, params=query)
        assert answer.status_code == 200, answer.text
        return [one["number"] for one in answer.json()["items"]]

    everything = await numbers()
    assert everything == sorted(everything, reverse=True) and len(everything) == len(await acts(app))
    assert len(await numbers(act="user.suspended")) == 2 and len(await numbers(subject=there)) == 4
    assert await numbers(actor=me) == everything and await numbers(actor="system") == []
    at = [one.at for one in await acts(app)][-2].isoformat()
    assert await numbers(since=at) == everything[:2] and await numbers(until=at) == everything[2:]
    first = (await app.http.get("/admin/audit", headers=headers, params={"limit": 3})).json()
    rest = await numbers(limit=200, cursor=first["next_cursor"])
    assert [one["number"] for one in first["items"]] + rest == everything
    for wrong in ({"cursor": "x"}, {"since": "2026-01-01T00:00:00"}, {"actor": "a\0"}, {"limit": 0}):
        assert (await app.http.get("/admin/audit", headers=headers, params=wrong)).status_code == 422, wrong

    chain = (await app.http.get("/admin/audit/verify", headers=headers)).json()
    assert (chain["holds"], chain["count"], chain["broken"]) == (True, len(everything), [])
    assert chain["head"] == (await acts(app))[-1].hash
    async with app.house.database.writing() as session:
        await session.execute(update(AuditEntry).where(AuditEntry.act == "user.suspended").values(act="user.activated"))
    broken = (await app.http.get("/admin/audit/verify", headers=headers, params={"count": 99, "head": "f" * 64})).json()
    assert not broken["holds"] and [one["number"] for one in broken["broken"]] == [everything[3], everything[1], everything[0], everything[0]]


async def test_the_figures_count_each_day(app):
    headers = await admin(app)
    before = (await app.http.get("/admin/analytics", headers=headers)).json()
    app.clock.advance(timedelta(minutes=59))
    await app.add_person("mina@example.com", PASSWORD)
    for _ in range(2):
        await signed_in(app)
    mina = bearer(await signed_in(app)) | HOME
    await app.http.post("/bot/start", headers=mina, json=QUICK)
    after = (await app.http.get("/admin/analytics", headers=headers, params={"days": 3})).json()
    assert {name: after[name] - before[name] for name in ("people", "admins", "suspended", "sessions", "bots", "backtests")} == {
        "people": 1, "admins": 0, "suspended": 0, "sessions": 3, "bots": 1, "backtests": 0}
    assert len(before["days"]) == 30
    today = {"day": "2026-01-01", "people": 3, "sessions": 4, "bots": 1, "backtests": 0}  # with the admin and the demo user
    empty = {"people": 0, "sessions": 0, "bots": 0, "backtests": 0}
    assert after["days"] == [today, {"day": "2025-12-31", **empty}, {"day": "2025-12-30", **empty}]


@pytest.fixture
def logging_on():
    root = logging.getLogger()
    before = root.handlers[:], root.level
    log.configure(level="debug", production=True, stream=io.StringIO())
    yield
    root.handlers[:], level = before
    root.setLevel(level)


async def test_the_newest_log_lines_are_shown_without_secrets(logging_on, app):
    headers = await admin(app)
    structlog.get_logger("mine").error("it broke", password="hunter2", address="postgresql://me:hunter2@db/x")
    for place in range(5):
        logging.getLogger("theirs").info("line %d Bearer abc.def", place)

    async def lines(**query):
        answer = await app.http.get("/admin/logs", headers=headers, params=query)
        assert answer.status_code == 200 and "hunter2" not in answer.text and "abc.def" not in answer.text
        return answer.json()

    (worst,) = [one for one in (await lines(level="error"))["items"] if one["event"] == "it broke"]
    assert worst["fields"]["password"] == "[hidden]" and worst["level"] == "error"
    page = await lines(limit=1)
    assert len(page["items"]) == 1 and "/admin/logs" in str(page["items"][0]), "the newest is about the request before"
    older = await lines(limit=200, cursor=page["next_cursor"])
    told = [one["event"] for one in older["items"] if one["fields"].get("logger") == "theirs"]
    assert told == [f"line {place} [hidden]" for place in (4, 3, 2, 1, 0)]


def test_the_ring_forgets_the_oldest():
    from haechi.admin.log_ring import LogRing

    ring = LogRing(lines=3)
    for place in range(5):
        ring.handle(logging.LogRecord("x", logging.INFO, "", 0, f"line {place}" + "x" * 20_000, (), None))
    kept = ring.newest(below=None, level=None, limit=10)
    assert [number for number, _ in kept] == [5, 4, 3] and all(len(line["event"]) == 8_000 for _, line in kept)
    assert ring.newest(below=4, level="warning", limit=10) == []
