"""A person's bots over HTTP: made, changed, started with a share of the account, watched, stopped, deleted; and what is refused."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from refusals_bots import BOTS, REFUSALS
from sqlalchemy import select

from haechi.bots.models import RUNNING, STARTING, Bot
from haechi.bots.service import Bots
from haechi.identity.audit import AuditEntry
from haechi.markets.feed import Market

QUICK = {"strategy": "rsi", "params": {"period": 2, "low": 49, "high": 51}}
STILL = 0.000_01  # times real time: the test plays the bars itself


@pytest.fixture
async def app(tmp_path, running):
    async with running(tmp_path, speed=STILL, rate_limit_per_minute=1_000_000) as made:
        yield made


@pytest.fixture
async def mina(app):
    return await app.person()


async def made(app, who, **body):
    answer = await app.http.post(BOTS, headers=who, json=QUICK | body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def act(app, who, bot, what, **body):
    return await app.http.post(f"{BOTS}/{bot['id']}/{what}", headers=who, json=body or None)


async def seen(app, who, bot, observed):
    """Wait until it is observed so."""
    async with asyncio.timeout(20):
        while (there := (await app.http.get(f"{BOTS}/{bot['id']}", headers=who)).json())["observed"] != observed:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # the supervisor of the running server writes it down
    return there


async def played(app, bars):
    market = app.house.part(Market)
    for _ in range(bars):
        assert await market.step()


async def test_a_bot_is_made_stopped_and_found(app, mina):
    bot = await made(app, mina, name="조용한 봇", symbol="ethusdt", allocation="12.5", overrides={"stop_loss.percent": 2})
    assert (bot["name"], bot["symbol"], bot["allocation"], bot["desired"], bot["observed"]) == ("조용한 봇", "ETHUSDT", "12.5", "stopped", "stopped")
    assert bot["params"] == QUICK["params"] and bot["overrides"] == {"stop_loss.percent": 2}
    assert (await app.http.get(f"{BOTS}/{bot['id']}", headers=mina)).json()["id"] == bot["id"]
    other = await app.person("jun@example.com")
    assert (await app.http.get(BOTS, headers=other)).json()["items"] == []


async def test_lists_come_in_pages_and_are_filtered(app, mina):
    bots = [await made(app, mina, name=f"b{n}", symbol=symbol) for n, symbol in enumerate(["BTCUSDT", "ETHUSDT", "XRPUSDT"])]
    names, cursor = [], None
    while True:
        page = (await app.http.get(BOTS, headers=mina, params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        names += [one["name"] for one in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert sorted(names) == ["b0", "b1", "b2"]
    for query, expected in [({"symbol": "ethusdt"}, ["b1"]), ({"observed": "running"}, []), ({"kind": "strategy", "symbol": "XRPUSDT"}, ["b2"]),
                            ({"account": "0" * 32}, []), ({"account": bots[0]["account_id"], "symbol": "BTCUSDT"}, ["b0"])]:
        assert [one["name"] for one in (await app.http.get(BOTS, headers=mina, params=query)).json()["items"]] == expected, query


async def test_a_bot_starts_trades_and_stops(app, mina):
    bot = await made(app, mina, allocation="20")
    started = (await act(app, mina, bot, "start")).json()
    assert (started["desired"], started["observed"]) == ("running", "starting")
    assert (await seen(app, mina, bot, "running"))["capital"] in ("2000", "2000.00")
    await played(app, 40)
    stats = (await app.http.get(f"{BOTS}/{bot['id']}/stats", headers=mina)).json()
    assert stats["position"] != "0" and stats["unrealized"] is not None and stats["fees"].startswith("-")
    why = (await app.http.get(f"{BOTS}/{bot['id']}/why", headers=mina)).json()
    assert len(why["decisions"]) == 40 and any(one["held"] for one in why["decisions"])
    assert all(one["rules"] == [] for one in why["decisions"]), "the values only of the bar that is asked for"
    told = next(one for one in why["decisions"] if one["held"])
    one, = (await app.http.get(f"{BOTS}/{bot['id']}/why", headers=mina, params={"bar": told["time"]})).json()["decisions"]
    assert one == told | {"rules": one["rules"]} and [rule["rule"] for rule in one["rules"] if rule["holds"]] == told["held"]
    held = next(rule for rule in one["rules"] if rule["holds"])
    assert held["parts"][0]["value"] is True and any(isinstance(part["value"], float) and part["depth"] for part in held["parts"])
    gone = (await app.http.get(f"{BOTS}/{bot['id']}/why", headers=mina, params={"bar": "2020-01-01T00:00:00Z"})).json()
    assert gone["decisions"] == []
    assert (await act(app, mina, bot, "stop", flatten=True)).json()["observed"] == "stopping"
    async with asyncio.timeout(20):
        while (there := (await app.http.get(f"{BOTS}/{bot['id']}", headers=mina)).json())["observed"] != "stopped":
            await played(app, 1)
            await asyncio.sleep(0.01)
    assert there["desired"] == "stopped"
    stats = (await app.http.get(f"{BOTS}/{bot['id']}/stats", headers=mina)).json()
    assert stats["position"] == "0" and stats["trades"] >= 1
    summary = (await app.http.get(f"{BOTS}/summary", headers=mina)).json()
    assert (summary["bots"], summary["states"], summary["pnl"]) == (1, {"stopped": 1}, stats["pnl"])
    assert (await app.http.delete(f"{BOTS}/{bot['id']}", headers=mina)).status_code == 204
    assert (await app.http.get(f"{BOTS}/{bot['id']}", headers=mina)).status_code == 404


async def test_what_was_done_is_in_the_log_in_both_languages_and_in_the_audit(app, mina):
    bot = await made(app, mina)
    await act(app, mina, bot, "start")
    await act(app, mina, bot, "stop", flatten=False)
    english = (await app.http.get(f"{BOTS}/{bot['id']}/logs", headers=mina)).json()["items"]
    korean = (await app.http.get(f"{BOTS}/{bot['id']}/logs", headers=mina | {"accept-language": "ko-KR"})).json()["items"]
    codes = [one["code"] for one in english]
    assert codes[-1] == "created" and codes[-2] == "start_wished" and "stop_keep" in codes
    assert english[-2]["text"] == "Start asked for, with 10 % of the account."
    assert korean[-1]["text"].startswith("생성: rsi")
    async with app.house.database.reading() as session:
        acts = (await session.execute(select(AuditEntry).where(AuditEntry.subject == bot["id"]).order_by(AuditEntry.number))).scalars().all()
    assert [one.act for one in acts] == ["bot.started", "bot.stopped"]
    assert acts[1].details["flatten"] is False


async def test_only_a_stopped_bot_changes_and_the_name_always(app, mina):
    bot = await made(app, mina)
    changed = (await app.http.put(f"{BOTS}/{bot['id']}", headers=mina, json={"symbol": "ETHUSDT", "params": {"period": 9}, "allocation": "30"})).json()
    assert (changed["symbol"], changed["params"], changed["allocation"], changed["strategy"]) == ("ETHUSDT", {"period": 9}, "30", "rsi")
    await act(app, mina, bot, "start")
    assert (await app.http.put(f"{BOTS}/{bot['id']}", headers=mina, json={"name": "renamed"})).json()["name"] == "renamed"


async def test_all_start_as_far_as_there_is_room_and_count_as_one(app, mina):
    bots = []
    for symbol in ("BTCUSDT", "ETHUSDT"):
        bots.append(await made(app, mina, symbol=symbol, allocation="60"))
        app.clock.advance(timedelta(seconds=1))  # ids sort by their time of birth
    answer = (await app.http.post(f"{BOTS}/start-all", headers=mina)).json()
    assert answer["changed"] == [bots[0]["id"]]
    assert [(one["id"], one["code"]) for one in answer["refused"]] == [(bots[1]["id"], "allocation_exceeded")]
    assert (await app.http.post(f"{BOTS}/stop-all", headers=mina, json={"flatten": True})).json()["changed"] == [bots[0]["id"]]


async def test_five_starts_a_minute_whichever_way(app, mina):
    await made(app, mina, allocation="100")
    seen = [(await app.http.post(path, headers=mina)).status_code
            for path in (f"{BOTS}/start-all", f"{BOTS}/{'0' * 32}/start", f"{BOTS}/start-all", f"{BOTS}/{'0' * 32}/start", f"{BOTS}/start-all")]
    assert 429 not in seen
    refused = [await app.http.post(path, headers=mina, json=body) for path, body in [(f"{BOTS}/start-all", None), ("/bot/start", {})]]
    assert [(one.status_code, one.json()["error"]["code"]) for one in refused] == [(429, "too_many_requests")] * 2
    other = await app.person("jun@example.com")
    assert (await app.http.post(f"{BOTS}/start-all", headers=other)).status_code == 200, "each person by itself"
    app.clock.advance(timedelta(seconds=61))
    assert (await app.http.post(f"{BOTS}/start-all", headers=mina)).status_code == 200


async def test_one_key_one_start(app, mina):
    bot = await made(app, mina)
    key = mina | {"idempotency-key": "start-0001"}
    first, again = [await app.http.post(f"{BOTS}/{bot['id']}/start", headers=key) for _ in range(2)]
    assert (first.status_code, again.status_code, again.headers["idempotency-replayed"]) == (200, 200, "true")
    assert first.json() == again.json()
    made_twice = [await app.http.post(BOTS, headers=mina | {"idempotency-key": "make-00001"}, json=QUICK) for _ in range(2)]
    assert len({one.json()["id"] for one in made_twice}) == 1


async def test_the_eleventh_is_one_too_many(app, mina):
    for _ in range(10):
        await made(app, mina)
    answer = await app.http.post(BOTS, headers=mina, json=QUICK)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "bot_limit")
    assert answer.json()["error"]["details"] == {"bots": 10, "allowed": 10}


async def test_fifty_starts_at_once_never_have_more_than_their_accounts(app):
    people = [await app.person(f"p{n}@example.com") for n in range(10)]
    for who in people:
        for symbol in ("BTCUSDT", "ETHUSDT", "XRPUSDT", "BTCUSDT", "ETHUSDT"):
            await made(app, who, symbol=symbol, allocation="40")
    bots = [(who, bot) for who in people for bot in (await app.http.get(BOTS, headers=who)).json()["items"]]
    app.house.part(Bots).supervisor.leads = lambda: False  # shares are meant here; nothing is launched
    answers = await asyncio.gather(*(act(app, who, bot, "start") for who, bot in bots))
    assert len(answers) == 50
    codes = [answer.json().get("error", {}).get("code", "") for answer in answers]
    assert set(codes) <= {"", "allocation_exceeded", "symbol_taken"}, set(codes)
    async with app.house.database.reading() as session:
        wanted = (await session.execute(select(Bot).where(Bot.desired == RUNNING))).scalars().all()
    assert len(wanted) == codes.count("")
    taken: dict[str, list[Bot]] = {}
    for bot in wanted:
        taken.setdefault(bot.account_id, []).append(bot)
    for of_one in taken.values():
        assert sum(bot.allocation for bot in of_one) == 80, "two of forty fit, a third does not"
        assert len({bot.symbol for bot in of_one}) == len(of_one)


# ---- what is refused


@pytest.fixture
async def names(app, mina):
    """What the table of refusals names. The bot that runs is one in its row only: its launch is far away."""
    jun, found = await app.person("jun@example.com"), {"missing": "0" * 32}
    bots = {"one": {"symbol": "ETHUSDT"}, "running": {}, "same_symbol": {}, "too_much": {"symbol": "XRPUSDT", "allocation": "95"}}
    for name, body in bots.items():
        bot = await made(app, mina, name=name, **body)
        found[name], found["account"] = bot["id"], bot["account_id"]
    foreign = await made(app, jun)
    async with app.house.database.writing() as session:
        bot = await session.get_one(Bot, found["running"])
        bot.desired, bot.observed, bot.retry_ms = RUNNING, STARTING, app.clock.now_ms() + 10**12
    return found | {"other": foreign["id"], "foreign": foreign["account_id"]}


async def test_every_refused_request_says_what_and_why_and_changes_nothing(app, mina, names):
    before, wrong = await everything(app), []
    for row in REFUSALS:
        app.clock.advance(timedelta(seconds=15))  # no more than five starts a minute
        body = json.loads(filled(json.dumps(row.body), names))
        answer = await app.http.request(row.method, filled(row.path, names), headers=mina, json=body)
        error = answer.json().get("error", {"code": "", "message": ""})
        if (answer.status_code, error["code"]) != (row.status, row.code) or row.said not in error["message"]:
            wrong.append((row, answer.status_code, error))
        if await everything(app) != before:
            wrong.append((row, "changed something"))
            before = await everything(app)
    assert not wrong, "\n".join(map(str, wrong))


def filled(text, names):
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    return text


async def everything(app):
    async with app.house.database.reading() as session:
        rows = (await session.execute(select(Bot.id, Bot.desired, Bot.observed, Bot.spec, Bot.name, Bot.allocation, Bot.deleted_at))).all()
    return sorted(repr(row) for row in rows)


def test_there_are_enough_refusals():
    assert len(REFUSALS) >= 60
    assert len({(row.method, row.path, json.dumps(row.body)) for row in REFUSALS}) == len(REFUSALS)


@pytest.mark.parametrize(("method", "path"), [("POST", "/bot/start"), ("POST", BOTS), ("PUT", f"{BOTS}/{{one}}")])
@pytest.mark.parametrize("field", ["name", "description"])
async def test_half_a_character_is_refused(app, mina, method, path, field):
    """Nothing can write it down."""
    path = path.format(one=(await made(app, mina))["id"]) if "{one}" in path else path
    rules = {"name": "t", "timeframe": "1m", "enter_long": "close > open", "exit_long": "close < open",
             "size": {"kind": "fixed_quantity", "quantity": "1"}} | {field: "\ud800"}
    answer = await app.http.request(method, path, headers=mina | {"content-type": "application/json"}, content=json.dumps({"strategy": rules}))
    assert answer.status_code == 422 and "surrogate" in answer.text, answer.text
