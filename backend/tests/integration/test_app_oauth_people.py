"""Whose address it is: an e-mail address never opens an account."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import update

from haechi.identity.models import User, UserSession
from haechi.identity.oauth.models import OAuthLink

from .oauth_stage import BOTH, all_of, code_of, path_of, refusals, staged


@pytest.fixture
async def stage(tmp_path, running):
    async with staged(tmp_path, running) as made:
        yield made


@pytest.mark.parametrize("name", BOTH)
async def test_the_address_of_an_existing_person_never_opens_their_account(stage, name):
    await stage.app.add_person("mina@example.com")
    people = await stage.rows(User)
    answer = await stage.come_back(name)
    assert code_of(answer) == "link_first"
    assert "sign in with your password" in answer.text
    assert await stage.rows(OAuthLink) == []
    assert len(await stage.rows(User)) == len(people)
    assert await stage.rows(UserSession) == []


@pytest.mark.parametrize("spelled", ["MINA@Example.com", " mina@example.com "])
async def test_another_spelling_of_the_address_does_not_either(stage, spelled):
    await stage.app.add_person("mina@example.com")
    stage.fakes["google"].email = spelled
    assert code_of(await stage.come_back("google")) == "link_first"


async def test_one_provider_does_not_open_what_another_made(stage):
    await stage.sign_in("google")
    assert code_of(await stage.come_back("kakao")) == "link_first"


GOOGLE_UNCONFIRMED = [{"email_verified": False}, {"email_verified": None}, {"email_verified": "true"}, {"email_verified": 1},
                      {"email": None}, {"email": "no address"}, {"email": ["mina@example.com"]}, {"email": f"{'x' * 250}@example.com"}]


async def test_an_address_google_did_not_confirm_makes_nobody(stage):
    cases = {str(claims)[:40]: claims for claims in GOOGLE_UNCONFIRMED}
    found = await refusals(stage, "google", cases, lambda claims: setattr(stage.fakes["google"], "claims", claims))
    assert found == all_of(cases, "email_unverified")


KAKAO_UNCONFIRMED = [{}, {"email": "m@example.com"}, {"email": "m@example.com", "is_email_valid": True, "is_email_verified": False},
                     {"email": "m@example.com", "is_email_valid": False, "is_email_verified": True}, {"is_email_valid": True, "is_email_verified": True}]


async def test_an_address_kakao_did_not_confirm_makes_nobody(stage):
    cases = {str(account): {"id": 4711, "kakao_account": account} for account in [*KAKAO_UNCONFIRMED, "text", None]}
    found = await refusals(stage, "kakao", cases, lambda profile: setattr(stage.fakes["kakao"], "profile", profile))
    assert found == all_of(cases, "email_unverified")


async def test_who_waited_with_a_foreign_address_and_his_own_password_is_left_with_nothing(stage):
    """Somebody registers the victim's address first and hopes that the victim's sign-in makes his password good."""
    await stage.mine.post("/auth/register", json={"email": "mina@example.com", "password": "the thief's own words"})
    headers = await stage.sign_in("google")
    assert (await stage.me(headers))["has_password"] is False
    answer = await stage.mine.post("/auth/login", json={"email": "mina@example.com", "password": "the thief's own words"})
    assert answer.status_code == 401


async def test_closed_registration_is_closed_here_too(tmp_path, running):
    async with staged(tmp_path, running, registration="closed") as stage:
        assert code_of(await stage.come_back("google")) == "registration_closed"
        headers = await stage.app.person()
        await stage.link("google", headers)
        assert (await stage.me(await stage.sign_in("google")))["email"] == "mina@example.com"


async def test_a_suspended_person_stays_out(stage):
    await stage.sign_in("google")
    waiting = await stage.code("google")
    async with stage.app.house.database.writing() as session:
        await session.execute(update(User).values(suspended_at=stage.app.clock.now()))
    assert (await stage.finish(waiting)).status_code == 401
    assert code_of(await stage.come_back("google")) == "suspended"


async def test_two_first_sign_ins_at_once_make_one_person(stage):
    people = len(await stage.rows(User))
    browsers = [await stage.browser() for _ in range(4)]
    backs = [path_of(await stage.go("google", browser)) for browser in browsers]
    landed = await asyncio.gather(*(browser.get(back) for browser, back in zip(browsers, backs, strict=True)))
    assert {answer.status_code for answer in landed} <= {302, 409}
    assert len(await stage.rows(User)) == people + 1
    assert len(await stage.rows(OAuthLink)) == 1
