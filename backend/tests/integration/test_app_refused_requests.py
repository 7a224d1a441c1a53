"""Every request of the table is refused with its status, code and words, and changes nothing; docs/refusals.md shows what is answered.

`HAECHI_WRITE_REFUSALS=1` writes the page anew.
"""

from __future__ import annotations

import json
import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from people import user_of
from refused_requests import TABLE, Row
from sqlalchemy import select, update
from test_app_authorization import MISSING

from haechi.bots.models import RUNNING, STARTING, Bot
from haechi.exchanges.port import NewOrder
from haechi.identity.models import UserSession
from haechi.markets.feed import Market
from haechi.trading.accounts import default_account
from haechi.trading.desks import Desks
from haechi.trading.kill_switch import Kills
from haechi.trading.limits import RiskSettings
from haechi.trading.models import Account, Order

PAGE = Path(__file__).resolve().parents[3] / "docs" / "refusals.md"
STILL = 0.000_01  # times real time: the test plays the bars itself
PRICE = Decimal(60_000)
HEAD = """# Refused requests

What the server answers to what it does not do. Errors are `{"error": {"code", "message", "details"?}, "request_id"}`; the code is for
programs and stays, the message is for people. A refusal of the risk gate (409) has `details` with `rule`, `asked` and `allowed`; one of
the exchange has `word` and `exchange_code`. This page is written by a test that sends every one of these requests:
`HAECHI_WRITE_REFUSALS=1 pytest tests/integration/test_app_refused_requests.py`.

`{account}` is an account of the person who asks, `{foreign}` another person's, `{missing}` nobody's; `{running}` a bot that runs.
"""


class Scene:
    """A server with everything the table names."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.people: dict[str, dict[str, str]] = {"nobody": {}}
        self.names = {"missing": MISSING}

    async def post(self, who: str, path: str, body: Any, status: int = 201) -> Any:
        answer = await self.app.http.post(path, headers=self.people[who], json=body)
        assert answer.status_code == status, (path, answer.text)
        return answer.json()

    async def set(self) -> None:
        for who in ("mina", "jun", "stale", "killed", "narrow", "holder"):
            self.people[who] = await self.app.person(f"{who}@example.com")
            person = await user_of(self.app, f"{who}@example.com")
            async with self.app.house.database.writing() as session:
                await default_account(session, person.id, self.app.house.clock)
        await self._bots()
        await self._orders()
        self.app.house.part(Kills).turn_on("user", (await user_of(self.app, "killed@example.com")).id, by="test")
        answer = await self.app.http.put("/account/risk-settings", headers=self.people["narrow"], json={"allowed_symbols": ["ETHUSDT"]})
        assert answer.status_code == 200
        async with self.app.house.database.writing() as session:
            await session.execute(update(UserSession).where(UserSession.user_id == (await user_of(self.app, "stale@example.com")).id)
                                  .values(fresh_at=None))

    async def _bots(self) -> None:
        quick = {"strategy": "rsi", "params": {"period": 2, "low": 49, "high": 51}}
        bots: dict[str, dict[str, str]] = {"one": {"symbol": "ETHUSDT"}, "running": {}, "same_symbol": {},
                                           "too_much": {"symbol": "XRPUSDT", "allocation": "95"}}
        for name, body in bots.items():
            bot = await self.post("mina", "/bot-instances", quick | {"name": name} | body)
            self.names[name], self.names["account"] = bot["id"], bot["account_id"]
        other = await self.post("jun", "/bot-instances", quick)
        self.names |= {"other": other["id"], "foreign": other["account_id"]}
        async with self.app.house.database.writing() as session:
            bot = await session.get_one(Bot, self.names["running"])  # in its row only: its launch is far away
            bot.desired, bot.observed, bot.retry_ms = RUNNING, STARTING, self.app.clock.now_ms() + 10**12

    async def _orders(self) -> None:
        order = {"symbol": "BTCUSDT", "side": "buy", "quantity": "0.01"}
        rest = {**order, "kind": "limit", "price": "30000"}
        self.names["resting"] = (await self.post("mina", "/order/submit", rest))["id"]
        self.names["over"] = (await self.post("mina", "/order/submit", {**rest, "price": "31000"}))["id"]
        await self.app.http.delete(f"/order/{self.names['over']}", headers=self.people["mina"])
        self.names["theirs"] = (await self.post("jun", "/order/submit", rest))["id"]
        self.names["closed"] = (await self.post("mina", "/account", {"name": "closed"}))["id"]
        await self.post("mina", f"/account/{self.names['closed']}/close", None, 200)
        self.names["held"] = (await self.post("holder", "/order/submit", order))["account_id"]
        desk = self.app.house.part(Desks).open[self.names["account"]]
        await desk.exchange.place(NewOrder("web-1", "BTCUSDT", "buy", Decimal("0.01"), "limit", Decimal(29_000)))
        await desk.check.once()
        await self.app.house.part(Market).step()
        await desk.scribe.settled()
        async with self.app.house.database.writing() as session:
            self.names["stranger"] = (await session.execute(select(Order.id).where(Order.origin == "external"))).scalar_one()
            mine = await session.get_one(Order, self.names["resting"])
            self.names["of_a_bot"] = f"{self.names['running']}-000001"
            session.add(Order(id=self.names["of_a_bot"], user_id=mine.user_id, account_id=mine.account_id, bot_id=self.names["running"],
                              symbol="BTCUSDT", role="stop", side="sell", kind="stop", quantity=Decimal("0.01"), price=None, trigger=PRICE / 2,
                              reduce_only=True, status="open", reason="", exchange_id="", created_ms=1, updated_ms=1))

    async def ask(self, row: Row) -> tuple[int, dict[str, Any]]:
        """At a price of 60,000, after a while that keeps every limit of requests away."""
        self.app.clock.advance(timedelta(seconds=15 if row.path.startswith(("/bot",)) else 2))
        for desk in self.app.house.part(Desks).open.values():
            for symbol, price in (("BTCUSDT", PRICE), ("ETHUSDT", Decimal(3_000)), ("XRPUSDT", Decimal("0.6"))):
                desk.prices[symbol] = price, self.app.clock.now_ms()
        body = json.loads(self.filled(json.dumps(row.body)))
        answer = await self.app.http.request(row.method, self.filled(row.path), headers=self.people[row.who],
                                             **({} if body is None else {"json": body}))
        return answer.status_code, answer.json().get("error", {"code": "", "message": answer.text})

    def filled(self, text: str) -> str:
        for name, value in self.names.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    def emptied(self, text: str) -> str:
        for name, value in self.names.items():
            text = text.replace(value, f"{{{name}}}")
        return text

    async def everything(self) -> list[str]:
        """All that a refused request must not change."""
        async with self.app.house.database.reading() as session:
            rows = [*(await session.execute(select(Bot.id, Bot.desired, Bot.observed, Bot.spec, Bot.name, Bot.allocation, Bot.deleted_at))).all(),
                    *(await session.execute(select(Order.id, Order.status))).all(),
                    *(await session.execute(select(Account.id, Account.isolation, Account.closed_at))).all(),
                    *(await session.execute(select(*RiskSettings.__table__.columns))).all()]
        return sorted(map(repr, rows))


async def test_every_refused_request_says_what_and_why_and_changes_nothing(tmp_path, running):
    wrong, page = [], [HEAD]
    async with running(tmp_path, speed=STILL, rate_limit_per_minute=1_000_000) as app:
        await app.house.part(Market).step()
        scene = Scene(app)
        await scene.set()
        before = await scene.everything()
        for title, rows in TABLE.items():
            page.append(f"\n## {title}\n\n| request | status | code | message |\n|---|---|---|---|\n")
            for row in rows:
                status, error = await scene.ask(row)
                if (status, error["code"]) != (row.status, row.code) or row.said not in error["message"]:
                    wrong.append((row, status, error))
                if (now := await scene.everything()) != before:
                    wrong.append((row, "changed something", sorted(set(now) ^ set(before))))
                    before = now
                page.append(line(row, status, error["code"], scene.emptied(error["message"])))
    assert not wrong, "\n".join(map(str, wrong))
    if os.environ.get("HAECHI_WRITE_REFUSALS"):
        PAGE.write_text("".join(page), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == "".join(page), "docs/refusals.md is not what the server answers: see its head"


def line(row: Row, status: int, code: str, message: str) -> str:
    sent = "" if row.body is None else json.dumps(row.body, ensure_ascii=False)
    sent = f" `{sent if len(sent) <= 200 else sent[:199] + '…'}`" if sent else ""
    who = "" if row.who == "mina" else f" ({row.who})"
    return f"| {row.method} {row.path}{sent}{who} | {status} | `{code}` | {message} |\n".replace("\\n", " ⏎ ")


def test_there_are_enough_refusals_of_each_kind():
    rows = [row for part in TABLE.values() for row in part]
    assert len(rows) >= 80 and all(len(part) >= 8 for part in TABLE.values())
    assert len({(row.method, row.path, json.dumps(row.body), row.who) for row in rows}) == len(rows), "a row is there twice"
