"""Signing in through Google and Kakao, and no secret told on the way. The providers are on this machine."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import jwt
import pyotp
import pytest

from haechi.identity.oauth import providers
from haechi.identity.oauth.models import OAuthLink
from haechi.platform import log
from haechi.settings import SettingsError, load_settings

from .oauth_provider import public, rsa_key
from .oauth_stage import BOTH, BROWSER, code_of, fragment, opened_flow, path_of, staged


@pytest.fixture
async def stage(tmp_path, running):
    async with staged(tmp_path, running) as made:
        yield made


@pytest.mark.parametrize("name", BOTH)
async def test_a_first_sign_in_makes_a_person_and_the_second_finds_them(stage, name):
    first = await stage.me(await stage.sign_in(name))
    assert (first["email"], first["role"], first["has_password"]) == ("mina@example.com", "user", False)
    stage.fakes[name].email = "renamed@example.com"  # who it is says (iss, sub), not the address
    stage.app.clock.advance(timedelta(days=1))
    again = await stage.me(await stage.sign_in(name))
    assert again == first
    (link,) = await stage.rows(OAuthLink)
    assert (link.issuer, link.subject, link.user_id) == (stage.fakes[name].real.issuer, "4711", first["id"])


async def test_what_the_provider_is_asked_for(stage):
    begun = await stage.mine.get("/auth/oauth/google/start")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(begun.headers["location"]).query).items()}
    assert {name: asked[name] for name in ("response_type", "client_id", "scope", "code_challenge_method", "redirect_uri")} == {
        "response_type": "code", "client_id": "google-id", "scope": "openid email", "code_challenge_method": "S256",
        "redirect_uri": "http://127.0.0.1:8000/auth/oauth/google/callback"}
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) == 43


@pytest.mark.parametrize(("public_url", "name", "secure"), [("http://127.0.0.1:8000", "haechi_oauth", False),
                                                            ("https://haechi.example", "__Host-haechi_oauth", True)])
async def test_the_cookie_is_for_this_server_alone_and_unreadable(tmp_path, running, public_url, name, secure):
    async with staged(tmp_path, running, public_url=public_url) as stage:
        answer = await stage.mine.get("/auth/oauth/kakao/start")
    cookie, *attributes = [part.strip() for part in answer.headers["set-cookie"].split(";")]
    assert cookie.startswith(f"{name}=")
    expected = {"httponly", "samesite=lax", "path=/", "max-age=660", *(["secure"] if secure else [])}
    assert {attribute.lower() for attribute in attributes} == expected
    state = parse_qs(urlsplit(answer.headers["location"]).query)["state"][0]
    assert state not in cookie


async def test_the_second_factor_is_still_wanted(stage):
    headers = await stage.sign_in("google")
    setup = (await stage.mine.post("/auth/2fa/setup", headers=headers)).json()
    totp = pyotp.TOTP(setup["secret"])
    on = await stage.mine.post("/auth/2fa/verify", headers=headers, json={"code": totp.at(stage.app.clock.now())})
    assert on.status_code == 200, on.text
    stage.app.clock.advance(timedelta(minutes=1))
    challenged = (await stage.finish(await stage.code("google"))).json()
    assert challenged.keys() == {"requires_2fa", "challenge"}
    done = await stage.mine.post("/auth/login/2fa", json={"challenge": challenged["challenge"], "code": totp.at(stage.app.clock.now())})
    assert done.status_code == 200


async def test_browsers_are_led_home_with_a_refusal(stage):
    refused = await stage.mine.get("/auth/oauth/google/callback?code=x&state=y", headers=BROWSER)
    assert (refused.status_code, fragment(refused)) == (302, {"oauth_error": "oauth_state"})


async def test_a_provider_that_is_not_set_up_is_not_there(tmp_path, running):
    async with staged(tmp_path, running, names=("kakao",)) as stage:
        headers = await stage.app.person()
        for method, path in (("GET", "start"), ("GET", "callback"), ("POST", "link")):
            assert code_of(await stage.mine.request(method, f"/auth/oauth/google/{path}", headers=headers)) == "provider_not_configured"
        assert (await stage.mine.get("/auth/oauth/github/start")).status_code == 422


async def test_new_keys_of_the_provider_are_read_when_they_are_used(stage):
    google = stage.fakes["google"]
    await stage.sign_in("google")
    google.keys, google.sign = [public("two")], lambda claims: jwt.encode(claims, rsa_key("two"), "RS256", {"kid": "two"})
    assert code_of(await stage.come_back("google")) == "id_token_refused"  # read a moment ago: an unknown key does not make us ask again
    stage.app.clock.advance(timedelta(minutes=1))
    await stage.sign_in("google")
    await stage.sign_in("google")
    assert google.asked.count("keys") == 2


def heard(said: io.StringIO) -> str:
    """What the server logged; not what the test's own browsers and the provider did, which share the process."""
    lines = [json.loads(line) for line in said.getvalue().splitlines()]
    browsers = ("haechi.test", "/authorize?")
    return "\n".join(json.dumps(line) for line in lines if line["logger"] != "aiohttp.access"
                     and not (line["logger"] == "httpx" and any(sign in line["event"] for sign in browsers)))


@pytest.mark.parametrize("name", BOTH)
async def test_no_secret_is_logged_or_answered(stage, name):
    said, fake = io.StringIO(), stage.fakes[name]
    log.configure(level="info", production=True, stream=said)
    back = await stage.go(name)
    cookie, flow = stage.mine.cookies.get("haechi_oauth"), opened_flow(stage)
    landed = await stage.mine.get(path_of(back))
    code = fragment(landed)["oauth"]
    tokens = (await stage.finish(code)).json()
    fake.claims = {"nonce": "wrong"}
    refused = await stage.come_back(name)
    theirs = [fake.real.client_secret, flow.verifier, flow.nonce, flow.state, *fake.given]
    lines = heard(said)
    assert "id_token_refused" in lines
    assert fake.provider.token_url in lines  # the library that asks was listened to as well
    for secret in [*theirs, cookie, code, tokens["access_token"], tokens["refresh_token"]]:
        assert secret not in lines
        assert secret not in refused.text
    for secret in [*theirs, cookie]:
        assert secret not in landed.headers["location"] + json.dumps(tokens)


def test_an_id_wants_its_secret_and_production_wants_https(tmp_path):
    for given in ({"oauth_google_id": "x"}, {"oauth_kakao_secret": "x"}):
        with pytest.raises(SettingsError, match="OAUTH_(GOOGLE|KAKAO)_ID and OAUTH_"):
            load_settings(_env_file=None, haechi_var=tmp_path, **given)
    both = {"oauth_google_id": "x", "oauth_google_secret": "y", "oauth_kakao_id": "x", "oauth_kakao_secret": "y"}
    settings = load_settings(_env_file=None, haechi_var=tmp_path, **both)
    assert set(providers.configured(settings)) == set(BOTH)
    with pytest.raises(SettingsError, match="PUBLIC_URL must begin with https"):
        load_settings(_env_file=None, environment="production", **both)


def test_a_provider_does_not_show_its_secret():
    assert "hush" not in repr(providers.google("id", "hush"))
