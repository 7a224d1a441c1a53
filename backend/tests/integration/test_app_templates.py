"""Templates: shipped ones whose figures say what they rest on, those that admins save, and the bots that are made of them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from test_app_authorization import Matrix

from haechi.bots.shipped_templates import SHIPPED
from haechi.markets.feed import Market

STILL = 0.000_01
SAVED = {"name": "wide_calm", "title": {"en": "Wide and calm", "ko": "넓고 느긋하게"}, "about": {"en": "Few wide cells.", "ko": "넓은 칸 몇 개."},
         "plan": {"kind": "grid", "below": "8", "above": "8", "cells": 16}, "symbol": "BTCUSDT"}


@pytest.fixture
async def app(tmp_path, running):
    async with running(tmp_path, speed=STILL, admin_addresses="127.0.0.0/8") as made:
        await made.house.part(Market).step()
        yield made


@pytest.fixture
async def mina(app):
    return await app.person()


@pytest.fixture
async def admin(app):
    matrix = Matrix(app)
    yield (await matrix.admin()).headers
    await matrix.close()


async def test_the_shipped_ones_say_what_their_figures_rest_on(app, mina):
    items = (await app.http.get("/templates", headers=mina | {"accept-language": "ko"})).json()["items"]
    assert [one["name"] for one in items] == list(SHIPPED) and {one["kind"] for one in items} == {"grid", "trend"}
    for one in items:
        figures = one["figures"]
        assert figures["market"].startswith("synthetic") and figures["bars"] == 10_000 and one["shipped"]
        assert any("가" <= letter <= "힣" for letter in one["title"])
        if one["kind"] == "grid":
            assert Decimal(figures["total"]) == sum(Decimal(figures[name]) for name in ("matched", "unmatched")) - Decimal(figures["fees"])
    alone = (await app.http.get("/templates/calm_neutral", headers=mina)).json()
    assert alone["title"] == "Calm market, both ways" and alone["figures"] == items[0]["figures"]


@pytest.mark.parametrize(("name", "kind"), [("calm_neutral", "grid"), ("rising_long", "grid"), ("trend_ema", "strategy")])
async def test_a_template_becomes_a_bot(app, mina, name, kind):
    made = await app.http.post(f"/templates/{name}/use", headers=mina, json={"symbol": "BTCUSDT", "allocation": "20", "investment": "500"})
    assert made.status_code == 201, made.text
    assert (made.json()["kind"], made.json()["allocation"], made.json()["observed"]) == (kind, "20", "stopped")


async def test_an_admin_saves_one_with_figures_the_server_made_and_deletes_it(app, mina, admin):
    saved = await app.http.post("/admin/templates", headers=admin, json=SAVED)
    assert saved.status_code == 201, saved.text
    assert saved.json()["figures"]["market"] == "synthetic" and saved.json()["figures"]["bars"] > 500
    assert (await app.http.get("/templates/wide_calm", headers=mina | {"accept-language": "ko"})).json()["about"] == "넓은 칸 몇 개."
    made = await app.http.post("/templates/wide_calm/use", headers=mina, json={"symbol": "ETHUSDT", "investment": "900"})
    assert made.status_code == 201, made.text
    assert (await app.http.delete("/admin/templates/wide_calm", headers=admin)).status_code == 204
    assert (await app.http.get("/templates/wide_calm", headers=mina)).status_code == 404
    acts = [one["act"] for one in (await app.http.get("/admin/audit", headers=admin)).json()["items"]]
    assert {"template.saved", "template.deleted"} <= set(acts)


@pytest.mark.parametrize(("changed", "status", "said"), [
    ({"name": "calm_neutral"}, 409, "comes with the software"), ({"symbol": "NOPE"}, 404, "no market"), ({"name": "Bad Name"}, 422, "name"),
    ({"plan": {"kind": "grid", "below": "8", "above": "8", "cells": 1}}, 422, "cells"), ({"plan": {"kind": "magic"}}, 422, "kind"),
    ({"plan": {"kind": "trend", "strategy": "rsii"}}, 422, "rsi"), ({"figures": {"total": "1000000"}}, 422, "figures")])
async def test_what_cannot_be_saved_is_refused(app, admin, changed, status, said):
    answer = await app.http.post("/admin/templates", headers=admin, json=SAVED | changed)
    assert answer.status_code == status and said in answer.json()["error"]["message"], answer.text


async def test_only_admins_save(app, mina):
    assert (await app.http.post("/admin/templates", headers=mina, json=SAVED)).status_code == 403
    assert (await app.http.delete("/admin/templates/wide_calm", headers=mina)).status_code == 403
