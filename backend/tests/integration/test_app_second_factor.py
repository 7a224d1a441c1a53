"""The second factor over HTTP: turned on by a scanned picture, asked for at sign-in, good once, hard to guess, recovered, turned off."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import pytest
from people import PASSWORD, bearer, code, letters, mailed, registered, signed_in, user_of, with_2fa
from sqlalchemy import select

from haechi.identity.models import RecoveryCode


@pytest.fixture
async def app(tmp_path, running):
    async with running(tmp_path) as made:
        await registered(made)
        yield made


async def challenged(app) -> str:
    answer = await signed_in(app)
    assert answer["requires_2fa"] is True and "access_token" not in answer
    return answer["challenge"]


async def second(app, challenge: str, given: str):
    return await app.http.post("/auth/login/2fa", json={"challenge": challenge, "code": given})


async def on(app) -> tuple[str, list[str]]:
    """With the second factor on, half a minute later: the code that turned it on is used."""
    found = await with_2fa(app, bearer(await signed_in(app)))
    app.clock.advance(timedelta(seconds=30))
    return found


async def test_setting_up_shows_a_picture_and_signing_in_then_wants_a_code(app):
    headers = bearer(await signed_in(app))
    made = (await app.http.post("/auth/2fa/setup", headers=headers)).json()
    assert made["uri"].startswith("otpauth://totp/haechi:mina%40example.com?secret=") and made["secret"] in made["uri"]
    assert made["qr"].startswith("<svg") and "script" not in made["qr"]
    assert (await app.http.get("/auth/me", headers=headers)).json()["two_factor"] is False, "not before the first code"
    verified = await app.http.post("/auth/2fa/verify", headers=headers, json={"code": code(app, made["secret"])})
    codes = verified.json()["recovery_codes"]
    assert len(set(codes)) == 10 and all(re.fullmatch("([0-9a-f]{8}-){3}[0-9a-f]{8}", one) for one in codes)
    app.clock.advance(timedelta(seconds=30))
    tokens = await second(app, await challenged(app), code(app, made["secret"]))
    assert tokens.status_code == 200
    assert (await app.http.get("/auth/me", headers=bearer(tokens.json()))).json()["two_factor"] is True


async def test_the_secret_lies_sealed_and_the_codes_as_hashes(app, tmp_path):
    secret, codes = await on(app)
    mina = await user_of(app, "mina@example.com")
    assert secret not in mina.totp
    async with app.house.database.reading() as session:
        kept = (await session.execute(select(RecoveryCode.hash))).scalars().all()
    assert len(kept) == 10 and not {one.replace("-", "") for one in codes} & set(kept)
    held = b"".join(path.read_bytes() for path in (tmp_path / "var").glob("haechi.db*"))
    assert secret.encode() not in held and all(one.replace("-", "").encode() not in held for one in codes)


async def test_a_code_is_good_once_whatever_the_challenge(app):
    secret, _ = await on(app)
    given = code(app, secret)
    assert (await second(app, await challenged(app), given)).status_code == 200
    again = await second(app, await challenged(app), given)
    assert (again.status_code, again.json()["error"]["code"]) == (401, "wrong_code")


async def test_of_parallel_uses_of_one_code_one_succeeds(app):
    secret, _ = await on(app)
    challenge, given = await challenged(app), code(app, secret)
    answers = await asyncio.gather(*(second(app, challenge, given) for _ in range(4)))
    assert sorted(one.status_code for one in answers) == [200, 401, 401, 401]


async def test_an_earlier_code_is_not_taken_after_a_later_one(app):
    secret, _ = await on(app)
    earlier = code(app, secret)
    assert (await second(app, await challenged(app), code(app, secret, 1))).status_code == 200
    assert (await second(app, await challenged(app), earlier)).status_code == 401


@pytest.mark.parametrize(("steps", "status"), [(-2, 401), (-1, 200), (0, 200), (1, 200), (2, 401)])
async def test_a_clock_may_be_half_a_minute_off_and_no_more(app, steps, status):
    secret, _ = await on(app)
    app.clock.advance(timedelta(minutes=5))
    assert (await second(app, await challenged(app), code(app, secret, steps))).status_code == status


@pytest.mark.parametrize("given", ["000000", "١٢٣٤٥٦", "12345", "1234567", "      ", "-12345", "1e5000", "0x1234", "abcdef", "%00%00"])
async def test_what_is_no_code_is_refused(app, given):
    await on(app)
    answer = await second(app, await challenged(app), given)
    assert answer.status_code in (401, 422)


async def test_guessing_codes_ends_after_five_and_after_thirty_a_day(app):
    await on(app)
    tried = 0
    for _ in range(40):
        answer = await second(app, await challenged(app), "000000")
        if answer.status_code == 429:
            app.clock.advance(timedelta(minutes=1))
            answer = await second(app, await challenged(app), "000000")
        if answer.status_code == 429:
            break
        tried += 1
        app.clock.advance(timedelta(seconds=1))
    assert (answer.json()["error"]["code"], tried) == ("locked_out", 30)


async def test_fifty_guesses_at_once_are_no_more_than_five(app):
    await on(app)
    challenge = await challenged(app)
    answers = await asyncio.gather(*(second(app, challenge, f"{number:06d}") for number in range(50)))
    assert [one.status_code for one in answers].count(401) == 5 and [one.status_code for one in answers].count(429) == 45


async def test_a_challenge_is_for_five_minutes_and_is_no_access(app):
    secret, _ = await on(app)
    challenge = await challenged(app)
    assert (await app.http.get("/auth/me", headers={"authorization": f"Bearer {challenge}"})).status_code == 401
    app.clock.advance(timedelta(minutes=5))
    assert (await second(app, challenge, code(app, secret))).status_code == 401
    for other in ("", "x", (await app.http.post("/auth/refresh", json={"refresh_token": "x"})).text):
        assert (await second(app, other or "y", code(app, secret))).status_code in (401, 422)


async def test_each_recovery_code_works_once_in_any_spelling_and_is_written_down(app):
    _, codes = await on(app)
    assert (await second(app, await challenged(app), codes[0].upper().replace("-", " "))).status_code == 200
    assert "recovery code used" in (await letters(app))[-1].subject
    assert (await second(app, await challenged(app), codes[0])).status_code == 401
    assert (await second(app, await challenged(app), codes[1])).status_code == 200


async def test_new_recovery_codes_replace_the_old(app):
    secret, old = await on(app)
    headers = bearer((await second(app, await challenged(app), code(app, secret))).json())
    new = (await app.http.post("/auth/2fa/recovery-codes", headers=headers)).json()["recovery_codes"]
    assert not set(new) & set(old)
    assert (await second(app, await challenged(app), old[3])).status_code == 401
    assert (await second(app, await challenged(app), new[3])).status_code == 200


async def test_turning_it_off_wants_a_fresh_code_not_the_password(app):
    secret, codes = await on(app)
    headers = bearer((await second(app, await challenged(app), code(app, secret))).json())
    app.clock.advance(timedelta(minutes=6))
    assert (await app.http.post("/auth/2fa/disable", headers=headers)).status_code == 403
    assert (await app.http.post("/auth/confirm", headers=headers, json={"proof": PASSWORD})).status_code == 401
    assert (await app.http.post("/auth/confirm", headers=headers, json={"proof": code(app, secret)})).status_code == 204
    assert (await app.http.post("/auth/2fa/disable", headers=headers)).status_code == 204
    assert "second factor off" in (await letters(app))[-1].subject
    assert "access_token" in await signed_in(app)
    async with app.house.database.reading() as session:
        assert (await session.execute(select(RecoveryCode))).first() is None


async def test_turning_it_on_or_off_ends_the_other_sessions(app):
    other, here = bearer(await signed_in(app)), bearer(await signed_in(app))
    secret, _ = await with_2fa(app, here)
    assert (await app.http.get("/auth/me", headers=other)).status_code == 401
    app.clock.advance(timedelta(seconds=30))
    second_session = bearer((await second(app, await challenged(app), code(app, secret))).json())
    assert (await app.http.post("/auth/2fa/disable", headers=second_session)).status_code == 204
    assert (await app.http.get("/auth/me", headers=here)).status_code == 401


async def test_what_is_on_is_not_set_up_again_and_what_is_off_not_turned_off(app):
    headers = bearer(await signed_in(app))
    assert (await app.http.post("/auth/2fa/disable", headers=headers)).json()["error"]["code"] == "two_factor_off"
    assert (await app.http.post("/auth/2fa/recovery-codes", headers=headers)).json()["error"]["code"] == "two_factor_off"
    assert (await app.http.post("/auth/2fa/verify", headers=headers, json={"code": "123456"})).json()["error"]["code"] == "two_factor_not_begun"
    await with_2fa(app, headers)
    assert (await app.http.post("/auth/2fa/setup", headers=headers)).json()["error"]["code"] == "two_factor_on"


async def test_a_forgotten_password_does_not_go_round_the_second_factor(app):
    secret, _ = await on(app)
    await app.http.post("/auth/forgot-password", json={"email": "mina@example.com"})
    await app.http.post("/auth/reset-password", json={"token": await mailed(app), "password": "some better words"})
    answer = await signed_in(app, password="some better words")
    assert answer["requires_2fa"] is True
    assert (await second(app, answer["challenge"], code(app, secret))).status_code == 200


async def test_another_password_wants_a_fresh_code_too(app):
    secret, _ = await on(app)
    headers = bearer((await second(app, await challenged(app), code(app, secret))).json())
    app.clock.advance(timedelta(minutes=6))
    wish = {"old": PASSWORD, "new": "some better words"}
    assert (await app.http.post("/auth/change-password", headers=headers, json=wish)).json()["error"]["code"] == "fresh_2fa_needed"
    await app.http.post("/auth/confirm", headers=headers, json={"proof": code(app, secret)})
    assert (await app.http.post("/auth/change-password", headers=headers, json=wish)).status_code == 204
