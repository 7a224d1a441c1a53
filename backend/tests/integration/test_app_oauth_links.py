"""Links to accounts elsewhere: made, used, removed, and whose they are."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, update

from haechi.identity import audit
from haechi.identity.models import User
from haechi.identity.oauth.models import OAuthLink
from haechi.identity.service import Identity

from .oauth_stage import Stage, code_of, fragment, refused_callback, staged


@pytest.fixture
async def stage(tmp_path, running):
    async with staged(tmp_path, running) as made:
        yield made


async def test_a_link_opens_the_same_account(stage):
    headers = await stage.app.person("juno@example.com")
    me = await stage.me(headers)
    landed = await stage.link("google", headers)
    assert fragment(landed) == {"oauth_linked": "google"}
    assert await stage.me(await stage.sign_in("google")) == me
    shown = (await stage.mine.get("/auth/oauth/links", headers=headers)).json()
    assert [(link["provider"], link["email"]) for link in shown] == [("google", "mina@example.com")]
    assert fragment(await stage.link("google", headers)) == {"oauth_linked": "google"}  # again changes nothing
    assert len(await stage.rows(OAuthLink)) == 1
    async with stage.app.house.database.reading() as session:
        acts = [entry.act async for entry in audit.entries(session)]
        assert await audit.verify(session) == []
    assert [act for act in acts if act.startswith("oauth")] == ["oauth.linked"]


async def test_the_owner_gets_a_letter_about_a_link(stage):
    sent = []

    class Post:
        async def send(self, letter):
            sent.append((letter.to, "Kakao" in letter.subject))

    headers = await stage.app.person()
    letterbox = stage.app.house.part(Identity).letterbox
    letterbox.post = Post()
    await stage.link("kakao", headers)
    await letterbox.brought()
    assert sent == [("mina@example.com", True)]


async def test_linking_and_unlinking_want_a_fresh_proof(stage):
    headers = await stage.app.person()
    stage.app.clock.advance(timedelta(minutes=6))
    assert code_of(await stage.mine.post("/auth/oauth/google/link", headers=headers)) == "fresh_2fa_needed"
    assert (await stage.mine.post("/auth/confirm", headers=headers, json={"proof": "a long password"})).status_code == 204
    assert fragment(await stage.link("google", headers)) == {"oauth_linked": "google"}
    (link,) = await stage.rows(OAuthLink)
    stage.app.clock.advance(timedelta(minutes=6))
    assert code_of(await stage.mine.delete(f"/auth/oauth/links/{link.id}", headers=headers)) == "fresh_2fa_needed"
    assert len(await stage.rows(OAuthLink)) == 1


@pytest.mark.parametrize("how", ["signed out", "suspended", "deleted"])
async def test_a_link_needs_its_owner_to_be_signed_in_still(stage, how):
    headers = await stage.app.person()
    begun = await stage.mine.post("/auth/oauth/google/link", headers=headers)
    back = await stage.go("google", address=begun.json()["address"])
    if how == "signed out":
        await stage.mine.post("/auth/logout", headers=headers)
    async with stage.app.house.database.writing() as session:
        if how == "suspended":
            await session.execute(update(User).values(suspended_at=stage.app.clock.now()))
        if how == "deleted":
            await session.execute(delete(User).where(User.email == "mina@example.com"))
    await refused_callback(stage, back, "link_signed_out")
    assert await stage.rows(OAuthLink) == []


async def test_an_account_that_is_linked_elsewhere_is_not_taken_over(stage):
    await stage.sign_in("google")
    headers = await stage.app.person("juno@example.com")
    assert code_of(await stage.link("google", headers)) == "linked_elsewhere"
    assert (await stage.mine.get("/auth/oauth/links", headers=headers)).json() == []


async def test_there_is_an_end_to_links(stage):
    headers = await stage.app.person()
    for number in range(10):
        stage.fakes["google"].sub = f"g{number}"
        assert fragment(await stage.link("google", headers)) == {"oauth_linked": "google"}
    stage.fakes["google"].sub = "one more"
    assert code_of(await stage.link("google", headers)) == "too_many_links"


# password, links, which of them is removed -> status
UNLINK = [
    (True, ["google"], 0, 204), (True, ["google", "kakao"], 1, 204), (False, ["google", "kakao"], 0, 204), (False, ["google", "google"], 1, 204),
    (False, ["google"], 0, 409), (False, ["kakao"], 0, 409),
]


@pytest.mark.parametrize(("password", "linked", "removed", "status"), UNLINK)
async def test_the_last_way_to_sign_in_stays(stage, password, linked, removed, status):
    headers = await with_links(stage, linked, password=password)
    shown = (await stage.mine.get("/auth/oauth/links", headers=headers)).json()
    answer = await stage.mine.delete(f"/auth/oauth/links/{shown[removed]['id']}", headers=headers)
    assert answer.status_code == status
    if status == 409:
        assert code_of(answer) == "last_way"
    assert len(await stage.rows(OAuthLink)) == len(linked) - (status == 204)


async def test_a_link_to_a_provider_that_is_no_longer_set_up_is_no_way_in(stage):
    headers = await with_links(stage, ["google", "kakao"], password=False)
    stage.oauth.providers = {"google": stage.oauth.providers["google"]}
    google, kakao = (await stage.mine.get("/auth/oauth/links", headers=headers)).json()
    assert code_of(await stage.mine.delete(f"/auth/oauth/links/{google['id']}", headers=headers)) == "last_way"
    assert (await stage.mine.delete(f"/auth/oauth/links/{kakao['id']}", headers=headers)).status_code == 204


async def test_nobody_removes_the_link_of_another(stage):
    await stage.sign_in("google")
    (link,) = await stage.rows(OAuthLink)
    thief = await stage.app.person("thief@example.com")
    assert code_of(await stage.mine.delete(f"/auth/oauth/links/{link.id}", headers=thief)) == "not_found"
    assert (await stage.mine.get("/auth/oauth/links", headers=thief)).json() == []
    assert len(await stage.rows(OAuthLink)) == 1


async def test_who_came_in_through_a_link_goes_with_it(stage):
    headers = await with_links(stage, ["google"], password=True)
    inside, waiting = await stage.sign_in("google"), await stage.code("google")
    (link,) = await stage.rows(OAuthLink)
    assert (await stage.mine.delete(f"/auth/oauth/links/{link.id}", headers=headers)).status_code == 204
    assert (await stage.mine.get("/auth/me", headers=inside)).status_code == 401
    assert (await stage.finish(waiting)).status_code == 401
    assert (await stage.mine.get("/auth/me", headers=headers)).status_code == 200


async def with_links(stage: Stage, linked: list[str], *, password: bool) -> dict[str, str]:
    headers = await stage.app.person()
    for number, name in enumerate(linked):
        stage.fakes[name].sub = f"{number + 1}"
        stage.app.clock.advance(timedelta(seconds=1))
        await stage.link(name, headers)
    if not password:
        async with stage.app.house.database.writing() as session:
            await session.execute(update(User).where(User.email == "mina@example.com").values(password_hash=None))
    return headers
