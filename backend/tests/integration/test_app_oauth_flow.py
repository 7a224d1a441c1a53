"""Attacks on the way through a provider and back: every one is refused."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from haechi.identity.oauth.flow import sealed
from haechi.identity.oauth.models import OAuthFlow
from haechi.identity.tokens import hashed

from .oauth_stage import BROWSER, code_of, fragment, opened_flow, path_of, refused_callback, staged


@pytest.fixture
async def stage(tmp_path, running):
    async with staged(tmp_path, running) as made:
        yield made


async def test_a_missing_or_foreign_state_is_refused(stage):
    there = await stage.browser()
    foreign = parse_qs(urlsplit(await stage.go("google", there)).query)["state"][0]
    back = await stage.go("google")
    code = parse_qs(urlsplit(back).query)["code"][0]
    for state in ("", foreign, "x" * 43, "ü"):
        answer = await stage.mine.get("/auth/oauth/google/callback", params={"code": code, **({"state": state} if state else {})})
        assert code_of(answer) == "oauth_state"
    assert stage.fakes["google"].asked == []
    assert (await stage.mine.get(path_of(back))).status_code == 302  # the right one was not spent by the wrong ones


async def test_a_state_is_good_once(stage):
    back = await stage.go("google")
    assert (await stage.mine.get(path_of(back))).status_code == 302
    await refused_callback(stage, back, "oauth_state")
    assert stage.fakes["google"].asked.count("token") == 1


async def test_of_parallel_answers_one_goes_on(stage):
    back = path_of(await stage.go("google"))
    statuses = [answer.status_code for answer in await asyncio.gather(*(stage.mine.get(back) for _ in range(5)))]
    assert sorted(statuses) == [302, 422, 422, 422, 422]


@pytest.mark.parametrize(("minutes", "good"), [(9, True), (10, False)])
async def test_a_state_is_good_for_ten_minutes(stage, minutes, good):
    back = await stage.go("google")
    stage.app.clock.advance(timedelta(minutes=minutes))
    assert ((await stage.mine.get(path_of(back))).status_code == 302) is good


async def test_spent_states_are_not_kept_for_ever(stage):
    await stage.sign_in("google")
    stage.app.clock.advance(timedelta(minutes=12))
    await stage.sign_in("google")
    assert len(await stage.rows(OAuthFlow)) == 1


async def test_an_answer_in_a_browser_that_did_not_begin_is_refused(stage):
    """Else somebody could sign a victim in as himself, or into his own link."""
    back = await stage.go("google")
    bare, other = await stage.browser(), await stage.browser()
    await stage.go("google", other)
    await refused_callback(stage, back, "oauth_state", bare)
    await refused_callback(stage, back, "oauth_state", other)


async def test_a_cookie_that_we_did_not_seal_is_refused(stage):
    back = await stage.go("google")
    stage.mine.cookies.clear()
    for cookie in ("", "x", "gAAAAABinvalid", "x" * 5000):
        assert code_of(await stage.mine.get(path_of(back), headers={"cookie": f"haechi_oauth={cookie}"})) == "oauth_state"


async def test_another_secret_of_the_house_is_no_cookie(stage):
    back = await stage.go("google")
    other = stage.app.house.vault.seal(json.dumps({"provider": "google"}), {"user": "1", "field": "totp"})
    stage.mine.cookies.clear()
    assert code_of(await stage.mine.get(path_of(back), headers={"cookie": f"haechi_oauth={other}"})) == "oauth_state"


async def test_googles_answer_at_kakaos_door_is_refused(stage):
    """Mix-up (RFC 9207): a code of one provider must never be shown to another."""
    back = path_of(await stage.go("google"))
    assert code_of(await stage.mine.get(back.replace("google", "kakao"))) == "oauth_state"
    assert stage.fakes["kakao"].asked == []


async def test_an_answer_that_names_another_issuer_is_refused(stage):
    back = (await stage.go("google")).replace("accounts.google.com", "kauth.kakao.com")
    await refused_callback(stage, back, "provider_answer")
    assert stage.fakes["google"].asked == []


async def test_an_answer_without_a_code_is_refused(stage):
    state = parse_qs(urlsplit(await stage.go("google")).query)["state"][0]
    assert code_of(await stage.mine.get(f"/auth/oauth/google/callback?state={state}")) == "provider_answer"


@pytest.mark.parametrize("verifier", ["", "w" * 43])
async def test_the_provider_refuses_a_code_without_its_verifier(stage, verifier):
    """A code that was stolen and put into the thief's own flow (RFC 7636): his verifier is another."""
    back = await stage.go("google")
    flow = replace(opened_flow(stage), verifier=verifier)
    stage.mine.cookies.set("haechi_oauth", sealed(flow, stage.app.house.vault), domain="haechi.test", path="/")
    await refused_callback(stage, back, "provider_refused")
    assert stage.fakes["google"].refusals == ["verifier"]


async def test_a_stolen_code_in_the_thiefs_own_flow_is_refused(stage):
    thief = await stage.browser()
    stolen = parse_qs(urlsplit(await stage.go("google")).query)["code"][0]
    state = parse_qs(urlsplit(await stage.go("google", thief)).query)["state"][0]
    answer = await thief.get("/auth/oauth/google/callback", params={"code": stolen, "state": state})
    assert code_of(answer) == "provider_refused"
    assert stage.fakes["google"].refusals == ["verifier"]


async def test_a_code_of_the_provider_is_good_once(stage):
    used = parse_qs(urlsplit(await stage.go("google")).query)
    assert (await stage.mine.get("/auth/oauth/google/callback", params={name: used[name][0] for name in used})).status_code == 302
    state = parse_qs(urlsplit(await stage.go("google")).query)["state"][0]
    answer = await stage.mine.get("/auth/oauth/google/callback", params={"code": used["code"][0], "state": state})
    assert code_of(answer) == "provider_refused"
    assert stage.fakes["google"].refusals == ["code"]


async def test_nothing_in_a_request_leads_the_browser_elsewhere(stage):
    evil = {"x-forwarded-host": "evil.example", "x-forwarded-proto": "ftp", "forwarded": "host=evil.example"}
    for extra in ("next=https://evil.example", "redirect_uri=https://evil.example", "return_to=//evil.example", "state=https://evil.example"):
        begun = await stage.mine.get(f"/auth/oauth/google/start?{extra}", headers={**evil, "host": "evil.example"})
        assert "evil" not in begun.headers["location"]
        back = path_of(await stage.go("google"))
        landed = await stage.mine.get(f"{back}&{extra}", headers={**evil, **BROWSER})
        assert "evil" not in landed.headers["location"]
        assert fragment(landed).keys() == ({"oauth_error"} if extra.startswith("state") else {"oauth"})


async def test_what_a_provider_says_in_its_error_is_never_repeated(stage):
    state = parse_qs(urlsplit(await stage.go("kakao")).query)["state"][0]
    answer = await stage.mine.get("/auth/oauth/kakao/callback", params={
        "state": state, "error": "<script>alert(1)</script>", "error_description": "<b>call us</b>"})
    assert code_of(answer) == "provider_denied"
    assert "<" not in answer.text
    assert "call us" not in answer.text


async def test_the_one_time_code_is_good_once_and_stored_hashed(stage):
    code = await stage.code("google")
    (row,) = await stage.rows(OAuthFlow)
    assert row.code_hash == hashed(code)
    statuses = [answer.status_code for answer in await asyncio.gather(*(stage.finish(code) for _ in range(4)))]
    assert sorted(statuses) == [200, 401, 401, 401]
    assert code_of(await stage.finish(code)) == "oauth_code"


async def test_the_one_time_code_is_worth_nothing_in_another_browser(stage):
    code = await stage.code("google")
    bare, other = await stage.browser(), await stage.browser()
    await stage.go("google", other)
    assert code_of(await stage.finish(code, bare)) == "oauth_code"
    assert code_of(await stage.finish(code, other)) == "oauth_code"
    assert (await stage.finish(code)).status_code == 200  # and nobody else can use it up


@pytest.mark.parametrize(("seconds", "status"), [(59, 200), (60, 401)])
async def test_the_one_time_code_is_good_for_a_minute(stage, seconds, status):
    code = await stage.code("google")
    stage.app.clock.advance(timedelta(seconds=seconds))
    assert (await stage.finish(code)).status_code == status


@pytest.mark.parametrize("code", ["x", "ü" * 43, "\ud800"])
async def test_an_invented_code_is_refused(stage, code):
    await stage.code("google")
    answer = await stage.mine.post("/auth/oauth/finish", content=json.dumps({"code": code}), headers={"content-type": "application/json"})
    assert answer.status_code in (401, 422)
