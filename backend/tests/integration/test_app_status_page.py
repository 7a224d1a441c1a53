"""The server's own page as a browser runs it: in with both factors, kept in by new tokens, out with nothing left behind."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from people import PASSWORD, bearer, code, registered, signed_in, with_2fa
from small_browser import NODE, NOTHING, browsing

from haechi.health import pages
from haechi.health.words import WORDS
from haechi.identity.second_factor import CODE_CHARS_MAX
from haechi.identity.tokens import ACCESS_LIFE, SESSION_LIFE

pytestmark = pytest.mark.skipif(NODE is None, reason="Node is not installed: the page's script is not run")
EN, KO = WORDS["en"], WORDS["ko"]
HOSTILE = "<img src=x onerror=alert(1)>"
MINE = {"email": "mina@example.com", "password": PASSWORD}


@pytest.fixture
async def app(tmp_path, running):
    async with running(tmp_path) as made:
        await registered(made)
        yield made


@pytest.fixture
async def tab(app):
    async with browsing(app.http) as made:
        yield made


async def with_codes(app) -> tuple[str, list[str]]:
    found = await with_2fa(app, bearer(await signed_in(app)))
    app.clock.advance(timedelta(seconds=30))
    return found


def wanted(tab, path: str) -> list[dict]:
    return [one for one in tab.asked if one["path"] == path]


def nothing_left(seen) -> None:
    assert seen["session"] == {} and not seen["rings"] and EN["bots"] not in seen["shown"]
    for word in ("bot-of-mina", "line-of-mina", "strategy-of-mina"):
        assert word not in seen["everything"]


def a_bot(method: str, path: str):
    """A person with something to see."""
    rows = [{"strategy": "strategy-of-mina", "symbol": HOSTILE, "timeframe": "1h", "status": "done", "created_at": "2026-01-01T00:00:00Z"}]
    return {"/bot/status": (200, {"id": "bot-of-mina", "note": HOSTILE, "positions": [{"symbol": HOSTILE}]}),
            "/bot/logs?limit=50": (200, {"items": [{"text": "line-of-mina " + HOSTILE}], "next_cursor": None}),
            "/backtest/results?limit=5": (200, {"items": rows, "next_cursor": None})}.get(path)


async def test_a_password_is_enough_where_there_is_no_second_factor(tab):
    seen = await tab.order("submit", id="login", given=MINE)
    assert EN["no_bot"] in seen["shown"] and EN["password"] not in seen["shown"] and seen["rings"] and not seen["problem"]
    assert seen["fields"]["password"] == ""


async def test_what_the_browser_keeps_is_the_tokens_in_the_tab_and_the_devices_note(app, tab):
    seen = await tab.order("submit", id="login", given=MINE)
    tokens = json.loads(seen["session"]["haechi.tokens"])
    assert set(seen["session"]) == {"haechi.tokens"} and set(tokens) == {"access", "refresh"} and set(seen["local"]) == {"haechi.device"}
    refused = await app.http.get("/auth/me", headers={"authorization": f"Bearer {seen['local']['haechi.device']}"})
    assert refused.status_code == 401


async def test_the_second_step_asks_for_a_code_until_it_is_right(app, tab):
    secret, _ = await with_codes(app)
    seen = await tab.order("submit", id="login", given=MINE)
    assert EN["code_hint"] in seen["shown"] and EN["password"] not in seen["shown"] and seen["session"] == {}
    assert seen["code"] == {"inputMode": "numeric", "focused": True} and seen["fields"]["password"] == ""
    wrong = await tab.order("submit", id="proof", given={"code": "000000"})
    assert wrong["problem"] == EN["wrong_code"] and EN["code_hint"] in wrong["shown"] and wrong["fields"]["code"] == "" and wrong["disabled"] == []
    there = await tab.order("submit", id="proof", given={"code": code(app, secret)})
    assert EN["no_bot"] in there["shown"] and not there["problem"] and there["session"]
    assert {one["path"] for one in tab.asked if "Authorization" not in one["headers"]} == {"/auth/login", "/auth/login/2fa"}


async def test_a_recovery_code_is_taken_and_can_be_typed_on_a_telephone(app, tab):
    _, codes = await with_codes(app)
    await tab.order("submit", id="login", given=MINE)
    assert (await tab.order("click", id="recovery"))["code"]["inputMode"] == "text"
    assert EN["no_bot"] in (await tab.order("submit", id="proof", given={"code": codes[0]}))["shown"]


async def test_after_too_long_one_starts_again_with_the_password(app, tab):
    secret, _ = await with_codes(app)
    await tab.order("submit", id="login", given=MINE)
    app.clock.advance(timedelta(minutes=6))
    seen = await tab.order("submit", id="proof", given={"code": code(app, secret)})
    assert seen["problem"] == EN["too_late"] and EN["password"] in seen["shown"] and EN["code_hint"] not in seen["shown"]


async def test_one_can_start_over_instead_of_giving_a_code(app, tab):
    await with_codes(app)
    await tab.order("submit", id="login", given=MINE)
    seen = await tab.order("click", id="back")
    assert EN["password"] in seen["shown"] and EN["code_hint"] not in seen["shown"]


async def test_a_wrong_password_and_a_lock_out_are_said(tab):
    wrong = await tab.order("submit", id="login", given=MINE | {"password": "not this one"})
    assert wrong["problem"] == EN["wrong"] and wrong["session"] == {}
    for _ in range(30):
        seen = await tab.order("submit", id="login", given=MINE | {"password": "not this one"})
        if seen["problem"] != EN["wrong"]:
            break
    told = await tab.http.post("/auth/login", json=MINE)
    assert told.status_code == 429
    assert re.sub(r"\d+", "", seen["problem"]) == re.sub(r"\d+", "", told.json()["error"]["message"])


async def test_the_devices_note_goes_with_the_next_sign_in(app, tab):
    first = await tab.order("submit", id="login", given=MINE)
    app.clock.advance(SESSION_LIFE + ACCESS_LIFE)
    ended = await tab.order("ring")
    assert ended["problem"] == EN["ended"] and ended["local"] == first["local"]
    nothing_left(ended)
    await tab.order("submit", id="login", given=MINE)
    bodies = [json.loads(one["body"]) for one in wanted(tab, "/auth/login")]
    assert "device_token" not in bodies[0] and bodies[1]["device_token"] == first["local"]["haechi.device"]


async def test_an_expired_token_is_exchanged_once_and_nobody_notices(app, tab):
    before = await tab.order("submit", id="login", given=MINE)
    app.clock.advance(ACCESS_LIFE + timedelta(minutes=1))
    after = await tab.order("ring")
    assert after["shown"] == before["shown"] and after["session"] != before["session"] and after["rings"]
    assert len(wanted(tab, "/auth/refresh")) == 1
    assert (await tab.order("ring"))["session"] == after["session"] and len(wanted(tab, "/auth/refresh")) == 1


@pytest.mark.parametrize("held", [{"/bot/logs?limit=50", "/bot/start"}, {"/bot/start"}], ids=["at once", "late"])
async def test_two_that_find_the_token_expired_share_one_exchange(app, tab, held):
    """A second exchange of the same refresh token would look like a theft."""
    await tab.order("submit", id="login", given=MINE)
    app.clock.advance(ACCESS_LIFE + timedelta(minutes=1))
    tab.hold = held
    await tab.order("click", id="start")
    await tab.order("ring")
    app.clock.advance(timedelta(minutes=1))
    seen = await tab.release()
    assert len(wanted(tab, "/auth/refresh")) == 1 and len(wanted(tab, "/bot/start")) == 2 and EN["bots"] in seen["shown"]


async def test_while_the_server_is_away_one_stays_signed_in_and_hears_it(app, tab):
    before = await tab.order("submit", id="login", given=MINE)
    app.clock.advance(ACCESS_LIFE + timedelta(minutes=1))
    tab.instead = lambda method, path: NOTHING if path == "/auth/refresh" else None
    away = await tab.order("ring")
    assert away["problem"] == EN["offline"] and away["session"] == before["session"] and away["rings"]
    tab.instead = lambda method, path: None
    again = await tab.order("ring")
    assert again["problem"] == "" and EN["no_bot"] in again["shown"]


async def test_signing_out_ends_the_session_and_leaves_nothing(app, tab):
    tab.instead = a_bot
    there = await tab.order("submit", id="login", given=MINE)
    assert all(word in there["shown"] for word in ("bot-of-mina", "line-of-mina", "strategy-of-mina"))
    headers = {"authorization": f"Bearer {json.loads(there['session']['haechi.tokens'])['access']}"}
    out = await tab.order("click", id="out")
    nothing_left(out)
    assert out["local"] == {} and out["problem"] == "" and EN["password"] in out["shown"]
    assert (await app.http.get("/auth/me", headers=headers)).status_code == 401


async def test_signing_out_with_an_expired_token_ends_the_session_too(app, tab):
    there = await tab.order("submit", id="login", given=MINE)
    app.clock.advance(ACCESS_LIFE + timedelta(minutes=1))
    out = await tab.order("click", id="out")
    assert out["session"] == out["local"] == {} and out["problem"] == ""
    old = json.loads(there["session"]["haechi.tokens"])["refresh"]
    app.clock.advance(timedelta(minutes=1))
    assert (await app.http.post("/auth/refresh", json={"refresh_token": old})).status_code == 401
    assert [row["current"] for row in (await app.http.get("/auth/sessions", headers=bearer(await signed_in(app)))).json()] == [True]


@pytest.mark.parametrize("answer", [NOTHING, (503, {"error": {"code": "unavailable", "message": "Not now."}, "request_id": "x"})])
async def test_signing_out_leaves_nothing_when_the_server_does_not_answer(tab, answer):
    tab.instead = a_bot
    await tab.order("submit", id="login", given=MINE)
    tab.instead = lambda method, path: answer
    out = await tab.order("click", id="out")
    nothing_left(out)
    assert out["local"] == {} and out["problem"] == EN["unheard"]


async def test_a_server_that_stays_silent_holds_up_nothing(tab):
    tab.instead = a_bot
    await tab.order("submit", id="login", given=MINE)
    tab.hold = {"/auth/logout"}
    out = await tab.order("click", id="out")
    nothing_left(out)
    assert out["local"] == {} and out["disabled"] == []


async def test_an_answer_that_comes_after_signing_out_is_not_shown(tab):
    tab.instead = a_bot
    await tab.order("submit", id="login", given=MINE)
    tab.hold = {"/backtest/results?limit=5"}
    await tab.order("ring")
    await tab.order("click", id="out")
    nothing_left(await tab.release())


async def test_an_older_answer_does_not_replace_a_newer_one(tab):
    tab.instead = a_bot
    await tab.order("submit", id="login", given=MINE)
    tab.hold = {"/bot/logs?limit=50"}
    await tab.order("ring")
    await tab.order("click", id="start")
    tab.open.reverse()
    texts = iter(["the newer line", "the older line"])
    tab.instead = lambda method, path: (200, {"items": [{"text": next(texts)}]}) if "/bot/logs" in path else a_bot(method, path)
    assert "the newer line" in (await tab.release())["shown"] and next(texts, None) is None


async def test_tokens_that_come_after_signing_out_are_not_kept(app, tab):
    await tab.order("submit", id="login", given=MINE)
    app.clock.advance(ACCESS_LIFE + timedelta(minutes=1))
    tab.hold = {"/auth/refresh"}
    await tab.order("ring")
    await tab.order("click", id="out")
    out = await tab.release()
    assert out["session"] == out["local"] == {} and not out["rings"] and out["problem"] == ""
    assert [row["current"] for row in (await app.http.get("/auth/sessions", headers=bearer(await signed_in(app)))).json()] == [True]


async def test_text_from_the_server_is_text(tab):
    tab.instead = a_bot
    seen = await tab.order("submit", id="login", given=MINE)
    assert seen["shown"].count(HOSTILE) == 4 and "img" not in seen["names"]
    problem = {"error": {"code": "conflict", "message": HOSTILE}, "request_id": "x"}
    tab.instead = lambda method, path: (409, problem) if path == "/bot/start" else a_bot(method, path)
    seen = await tab.order("click", id="start")
    assert seen["problem"] == HOSTILE and "img" not in seen["names"]
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|createContextualFragment|eval\(|Function\(", pages.source("status.js"))


async def test_the_page_speaks_korean(app):
    await with_codes(app)
    async with browsing(app.http, "/?lang=ko") as tab:
        seen = await tab.order("submit", id="login", given=MINE)
        assert KO["code_hint"] in seen["shown"]
        assert (await tab.order("submit", id="proof", given={"code": "000000"}))["problem"] == KO["wrong_code"]


def test_the_code_has_one_field_that_a_telephone_can_fill():
    (field,) = re.findall(r"<input[^>]*name=\"code\"[^>]*>", pages.source("status.html"))
    assert 'inputmode="numeric"' in field and 'autocomplete="one-time-code"' in field and f'maxlength="{CODE_CHARS_MAX}"' in field


def test_both_languages_have_every_word_of_the_script():
    used = set(re.findall(r"words\.(\w+)", pages.source("status.js")))
    assert used <= set(EN) and set(EN) == set(KO)
