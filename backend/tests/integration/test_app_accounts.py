"""Accounts over HTTP: made by letter, lost and found, changed, exported, deleted; sessions seen, refreshed and ended."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from people import PASSWORD, bearer, letters, mailed, registered, signed_in, user_of
from sqlalchemy import func, select, text

from haechi.identity.models import User
from haechi.identity.service import Identity
from haechi.platform.db import Base
from haechi.research.models import Backtest

BETTER = "some better words"


@pytest.fixture
async def app(tmp_path, running):
    async with running(tmp_path) as made:
        yield made


async def refused(app, email="mina@example.com", password=PASSWORD) -> bool:
    answer = await app.http.post("/auth/login", json={"email": email, "password": password})
    return (answer.status_code, answer.json().get("error", {}).get("code")) == (401, "wrong_credentials")


# ---- registration

async def test_who_shows_the_address_to_be_theirs_may_sign_in(app):
    await letters(app)
    answer = await app.http.post("/auth/register", json={"email": "Mina@Example.com", "password": PASSWORD, "language": "ko"})
    assert answer.status_code == 202
    assert await refused(app), "nobody has shown yet that the address is theirs"
    letter = (await letters(app))[-1]
    assert letter.to == "mina@example.com" and "확인" in letter.subject and "http://127.0.0.1:8000/verify#token=" in letter.text
    token = await mailed(app)
    assert (await app.http.post("/auth/verify-email", json={"token": token, "password": PASSWORD})).status_code == 204
    assert (await app.http.get("/auth/me", headers=bearer(await signed_in(app)))).json()["email"] == "mina@example.com"
    again = await app.http.post("/auth/verify-email", json={"token": token, "password": PASSWORD})
    assert (again.status_code, again.json()["error"]["code"]) == (422, "link_unusable")


async def test_registering_a_known_address_looks_the_same_and_tells_its_owner(app):
    await registered(app)
    new = await app.http.post("/auth/register", json={"email": "new@example.com", "password": PASSWORD})
    known = await app.http.post("/auth/register", json={"email": "mina@example.com", "password": "quite other words"})
    assert (new.status_code, new.json()) == (known.status_code, known.json())
    assert "already" in (await letters(app))[-1].subject
    await signed_in(app)
    assert await refused(app, password="quite other words")


async def test_who_registers_a_foreign_address_first_gains_nothing_by_its_owners_click(app):
    await letters(app)
    await app.http.post("/auth/register", json={"email": "mina@example.com", "password": "the thief's own words"})
    await app.http.post("/auth/register", json={"email": "mina@example.com", "password": PASSWORD})
    await app.http.post("/auth/register", json={"email": "mina@example.com", "password": "the thief's own words"})
    clicked = await app.http.post("/auth/verify-email", json={"token": await mailed(app), "password": PASSWORD})
    assert clicked.status_code == 422
    assert await refused(app, password="the thief's own words")


@pytest.mark.parametrize(("password", "code"), [("short", "password_short"), ("password1234", "password_common"), ("aaaaaaaaaaaaa", "password_common"),
                                                ("Mina2026!!", "password_common"), ("haechi1234!", "password_common"), ("비밀번호123", "password_short")])
async def test_poor_passwords_are_refused_with_a_reason(app, password, code):
    answer = await app.http.post("/auth/register", json={"email": "mina@example.com", "password": password})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)


@pytest.mark.parametrize("password", ["correct horse battery", "말과 배터리와 스테이플 열 글자", "x" * 3 + "Ω≈ç√∫˜µ≤" * 6, "8264-9917-3321-5520", "a b c d e f g h i"])
async def test_long_passwords_of_any_script_are_good(app, password):
    await registered(app, password=password)
    await signed_in(app, password=password)


async def test_passwords_that_differ_after_the_72nd_byte_differ(app):
    await registered(app, password="z y x w" * 20 + "a")
    assert await refused(app, password="z y x w" * 20 + "b")


async def test_a_closed_server_takes_nobody(tmp_path, running):
    async with running(tmp_path, registration="closed") as app:
        answer = await app.http.post("/auth/register", json={"email": "mina@example.com", "password": PASSWORD})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "registration_closed")


# ---- forgotten and changed passwords

async def test_a_forgotten_password_is_set_anew_once_and_all_sessions_end(app):
    await registered(app)
    before = bearer(await signed_in(app))
    assert (await app.http.post("/auth/forgot-password", json={"email": "mina@example.com"})).status_code == 202
    token = await mailed(app)
    for status in (204, 422):
        assert (await app.http.post("/auth/reset-password", json={"token": token, "password": BETTER})).status_code == status
    assert (await app.http.get("/auth/me", headers=before)).status_code == 401
    assert await refused(app)
    await signed_in(app, password=BETTER)
    assert "password changed" in (await letters(app))[-1].subject


async def test_nothing_tells_whether_a_forgotten_address_is_known(app):
    await registered(app)
    sent = len(await letters(app))
    known = await app.http.post("/auth/forgot-password", json={"email": "mina@example.com"})
    unknown = await app.http.post("/auth/forgot-password", json={"email": "nobody@example.com"})
    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())
    assert len(await letters(app)) == sent + 1


async def test_an_old_or_replaced_or_other_link_sets_no_password(app):
    await registered(app)
    await app.http.post("/auth/forgot-password", json={"email": "mina@example.com"})
    first = await mailed(app)
    await app.http.post("/auth/forgot-password", json={"email": "mina@example.com"})
    second = await mailed(app)
    await app.http.post("/auth/register", json={"email": "kim@example.com", "password": PASSWORD})
    verify = await mailed(app)
    for token in (first, verify, "nothing", second[:-1]):
        assert (await app.http.post("/auth/reset-password", json={"token": token, "password": BETTER})).status_code == 422
    app.clock.advance(timedelta(minutes=30))
    assert (await app.http.post("/auth/reset-password", json={"token": second, "password": BETTER})).status_code == 422


async def test_changing_the_password_wants_the_old_one_and_ends_the_other_sessions(app):
    await registered(app)
    here, there = bearer(await signed_in(app)), bearer(await signed_in(app))
    wrong = await app.http.post("/auth/change-password", headers=here, json={"old": "not the old one", "new": BETTER})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "wrong_credentials")
    assert (await app.http.post("/auth/change-password", headers=here, json={"old": PASSWORD, "new": BETTER})).status_code == 204
    assert [(await app.http.get("/auth/me", headers=one)).status_code for one in (here, there)] == [200, 401]
    await signed_in(app, password=BETTER)


# ---- sessions

async def test_sessions_are_seen_and_ended_one_by_one_or_all(app):
    await registered(app)
    phone = await signed_in(app)
    app.clock.advance(timedelta(seconds=1))
    desk = (await app.http.post("/auth/login", json={"email": "mina@example.com", "password": PASSWORD},
                                headers={"user-agent": "Desk\x1b[31m/1.0"})).json()
    listed = (await app.http.get("/auth/sessions", headers=bearer(desk))).json()
    assert [(one["current"], one["device"]) for one in listed] == [(True, "Desk[31m/1.0"), (False, listed[1]["device"])]
    assert listed[0]["address"] == "127.0.0.1"
    assert (await app.http.delete(f"/auth/sessions/{listed[1]['id']}", headers=bearer(desk))).status_code == 204
    assert [(await app.http.get("/auth/me", headers=bearer(one))).status_code for one in (phone, desk)] == [401, 200]
    assert (await app.http.post("/auth/logout-all", headers=bearer(desk))).status_code == 204
    assert (await app.http.get("/auth/me", headers=bearer(desk))).status_code == 401


async def test_another_persons_session_looks_like_a_missing_one(app):
    await registered(app)
    await registered(app, "kim@example.com")
    mina, kim = bearer(await signed_in(app)), bearer(await signed_in(app, "kim@example.com"))
    foreign = (await app.http.get("/auth/sessions", headers=kim)).json()[0]["id"]
    answers = [await app.http.delete(f"/auth/sessions/{id}", headers=mina) for id in (foreign, "0" * 32)]
    assert [one.status_code for one in answers] == [404, 404] and answers[0].json()["error"] == answers[1].json()["error"]
    assert (await app.http.get("/auth/me", headers=kim)).status_code == 200


async def test_a_refresh_token_is_good_once_and_the_old_access_goes_on(app):
    await registered(app)
    first = await signed_in(app)
    second = (await app.http.post("/auth/refresh", json={"refresh_token": first["refresh_token"]})).json()
    assert second["refresh_token"] != first["refresh_token"]
    for tokens in (first, second):
        assert (await app.http.get("/auth/me", headers=bearer(tokens))).status_code == 200
    assert (await app.http.post("/auth/refresh", json={"refresh_token": second["refresh_token"]})).status_code == 200


async def test_a_refresh_token_that_comes_back_later_ends_the_session_and_is_written_down(app):
    await registered(app)
    first = await signed_in(app)
    second = (await app.http.post("/auth/refresh", json={"refresh_token": first["refresh_token"]})).json()
    soon = await app.http.post("/auth/refresh", json={"refresh_token": first["refresh_token"]})
    assert (soon.status_code, soon.json()["error"]["code"]) == (409, "refresh_spent")
    app.clock.advance(timedelta(seconds=11))
    assert (await app.http.post("/auth/refresh", json={"refresh_token": first["refresh_token"]})).status_code == 401
    assert (await app.http.get("/auth/me", headers=bearer(second))).status_code == 401
    assert (await app.http.post("/auth/refresh", json={"refresh_token": second["refresh_token"]})).status_code == 401
    async with app.house.database.reading() as session:
        acts = (await session.execute(text("SELECT act, subject FROM audit"))).all()
    assert ("session.stolen", (await user_of(app, "mina@example.com")).id) in [tuple(one) for one in acts]


async def test_of_fifty_parallel_uses_of_one_refresh_token_one_succeeds(app):
    await registered(app)
    token = (await signed_in(app))["refresh_token"]
    answers = await asyncio.gather(*(app.http.post("/auth/refresh", json={"refresh_token": token}) for _ in range(50)))
    statuses = [one.status_code for one in answers]
    assert statuses.count(200) == 1 and statuses.count(409) == 49
    good = next(one.json() for one in answers if one.status_code == 200)
    assert (await app.http.post("/auth/refresh", json={"refresh_token": good["refresh_token"]})).status_code == 200


async def test_a_session_used_every_day_ends_after_thirty(app):
    await registered(app)
    tokens = await signed_in(app)
    for day in range(40):  # noqa: B007 - how far it got
        app.clock.advance(timedelta(days=1))
        answer = await app.http.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
        if answer.status_code != 200:
            break
        tokens = answer.json()
    assert (day, answer.status_code) == (29, 401)


async def test_a_session_not_used_for_a_week_ends(app):
    await registered(app)
    tokens = await signed_in(app)
    app.clock.advance(timedelta(days=7))
    assert (await app.http.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})).status_code == 401


# ---- everything about me, and nothing any more

async def test_the_export_holds_every_table_that_is_ones_own_and_no_secret(app):
    await registered(app)
    headers = bearer(await signed_in(app))
    await app.http.post("/bot/start", headers=headers, json={"strategy": "rsi"})
    told = (await app.http.get("/auth/export", headers=headers)).json()
    owned = {table.name for table in Base.metadata.sorted_tables if "user_id" in table.c}
    assert set(told) == owned | {"users"}
    assert told["users"][0]["email"] == "mina@example.com" and told["bots"][0]["strategy"] == "rsi"
    mina = await user_of(app, "mina@example.com")
    assert mina.password_hash not in str(told) and "refresh_hash" not in str(told)


async def test_every_table_says_whose_it_is_or_why_it_says_nothing(app):
    from haechi.identity.export import OWNERLESS

    without = {table.name for table in Base.metadata.sorted_tables if "user_id" not in table.c and table.name != "users"}
    assert without == set(OWNERLESS), "a new table: give it a user_id, or a reason in identity/export.py"


async def test_after_deleting_nothing_of_a_person_is_left(app, tmp_path):
    await registered(app, "gone@example.com")
    tokens = await signed_in(app, "gone@example.com")
    mine = await user_of(app, "gone@example.com")
    assert (await app.http.delete("/auth/me", headers=bearer(tokens))).status_code == 204
    assert (await app.http.get("/auth/me", headers=bearer(tokens))).status_code == 401
    assert (await app.http.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})).status_code == 401
    async with app.house.database.reading() as session:
        for table in Base.metadata.sorted_tables:
            if "user_id" in table.c:
                assert (await session.execute(select(func.count()).select_from(table).where(table.c.user_id == mine.id))).scalar_one() == 0
        assert await session.get(User, mine.id) is None
    await vacuumed(app)
    found = b"".join(path.read_bytes() for path in (tmp_path / "var").glob("haechi.db*"))
    assert b"gone@example.com" not in found and mine.password_hash.encode() not in found


async def test_after_deleting_no_file_of_a_person_is_left(app, tmp_path):
    await registered(app)
    headers = bearer(await signed_in(app))
    await app.http.post("/bot/start", headers=headers, json={"strategy": "rsi"})
    await app.http.post("/bot/stop", headers=headers)
    async with asyncio.timeout(10):
        while (await app.http.get("/bot/status", headers=headers)).json()["observed"] == "stopping":  # noqa: ASYNC110 - its own task ends it
            await asyncio.sleep(0)
    mine = await user_of(app, "mina@example.com")
    folder = tmp_path / "var" / "results"
    async with app.house.database.writing() as session:
        session.add(Backtest(id="b" * 32, user_id=mine.id, status="done", strategy="rsi", symbol="BTCUSDT", timeframe="1m", request={},
                             metrics=None, error=None, created_at=app.clock.now(), started_at=None, finished_at=None))
    (folder / ("b" * 32)).mkdir(parents=True)
    (folder / ("b" * 32) / "trades.json").write_text("[]")
    assert list((tmp_path / "var" / "journals").iterdir()) and list(folder.iterdir())
    assert (await app.http.delete("/auth/me", headers=headers)).status_code == 204
    assert not list((tmp_path / "var" / "journals").iterdir()) and not list(folder.iterdir())


async def vacuumed(app) -> None:
    async with app.house.database.engine.connect() as connection:
        raw = await connection.get_raw_connection()
        await raw.driver_connection.execute("VACUUM")
        await raw.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def test_who_has_a_running_bot_is_not_deleted(app):
    await registered(app)
    headers = bearer(await signed_in(app))
    await app.http.post("/bot/start", headers=headers, json={"strategy": "rsi"})
    answer = await app.http.delete("/auth/me", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "bots_running")
    assert (await app.http.get("/auth/me", headers=headers)).status_code == 200


async def test_delicate_acts_want_a_proof_of_the_last_five_minutes(app):
    await registered(app)
    headers = bearer(await signed_in(app))
    app.clock.advance(timedelta(minutes=5, seconds=1))
    for method, path in (("GET", "/auth/export"), ("DELETE", "/auth/me"), ("POST", "/auth/2fa/setup"), ("POST", "/auth/2fa/disable"),
                         ("POST", "/auth/2fa/recovery-codes")):
        answer = await app.http.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "fresh_2fa_needed"), path
    wrong = await app.http.post("/auth/confirm", headers=headers, json={"proof": "not my words"})
    assert wrong.status_code == 401
    assert (await app.http.post("/auth/confirm", headers=headers, json={"proof": PASSWORD})).status_code == 204
    assert (await app.http.get("/auth/export", headers=headers)).status_code == 200


async def test_letters_that_cannot_be_sent_are_no_ones_trouble(app):
    class Broken:
        async def send(self, _letter):
            raise OSError("no mail server")

    app.house.part(Identity).letterbox.post = Broken()
    assert (await app.http.post("/auth/register", json={"email": "mina@example.com", "password": PASSWORD})).status_code == 202
    await app.house.part(Identity).letterbox.brought()
