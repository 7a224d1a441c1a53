"""The books over HTTP: pages, filters, CSV, equity, profit and loss, the check; another's account looks like a missing one."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from sqlalchemy import select, update

from haechi.core.holdings import Holdings
from haechi.exchanges.port import Fill, Moved, Paid
from haechi.identity.models import User
from haechi.trading import ledger
from haechi.trading.models import Account, Booking, EquityPoint

D = Decimal
DAY_MS = 86_400_000


class Stage:
    """A server, Mina with a booked account, Jun with one of his own."""

    def __init__(self, app) -> None:
        self.app, self.now = app, app.clock.now_ms()

    async def opened(self) -> Stage:
        self.mina, self.jun = await self.app.person("mina@example.com"), await self.app.person("jun@example.com")
        for email, account in (("mina@example.com", "mina1"), ("jun@example.com", "jun1")):
            await self._account(email, account)
        return self

    async def _account(self, email: str, account_id: str) -> None:
        async with self.app.house.database.writing() as session:
            user_id = (await session.execute(select(User.id).where(User.email == email))).scalar_one()
            session.add(Account(id=account_id, user_id=user_id, mode="paper", capital=D(0), created_at=self.app.clock.now()))
        held = Holdings()
        for number, (owner, event) in enumerate(self.events()):
            async with self.app.house.database.writing() as session:
                assert await ledger.record(session, user_id=user_id, account_id=account_id, event=event, pieces=held.apply(event, owner),
                                           order_id=f"=o{number}")
        async with self.app.house.database.writing() as session:
            session.add_all([EquityPoint(time_ms=self.now + k, account_id=account_id, bot_id=bot, user_id=user_id, equity=D(1000 + k), wallet=D(1000),
                                         unrealised=D(k)) for k in range(10) for bot in ("", "bot1")])

    def events(self):
        yield "", Moved("m1", "transfer", D("1000"), self.now)
        yield "bot1", self.fill("t1", "buy", "2", "100", "0", "0.12", 1)
        yield "", self.fill("t2", "buy", "1", "103", "0", "0.0618", 2)
        yield "", Paid("p1", "BTCUSDT", D("-0.3"), self.now + 3)
        yield "bot1", self.fill("t3", "sell", "2", "105", "8", "0.126", DAY_MS)

    def fill(self, name, side, quantity, price, realized, fee, at) -> Fill:
        return Fill(name, "c", "BTCUSDT", side, D(quantity), D(price), D(fee), D(realized), False, D(price), self.now + at)

    async def get(self, path: str, who=None, **params):
        return await self.app.http.get(f"/account/{path}", headers=self.mina if who is None else who, params=params)


@pytest.fixture
async def stage(running, tmp_path):
    async with running(tmp_path) as app:
        yield await Stage(app).opened()


async def test_the_ledger_newest_first_with_postings_and_the_wallet_after_each(stage) -> None:
    first = (await stage.get("ledger", limit=4)).json()
    assert [(one["kind"], one["bot_id"], one["symbol"]) for one in first["items"]] == [
        ("fill", "bot1", "BTCUSDT"), ("funding", "", "BTCUSDT"), ("funding", "bot1", "BTCUSDT"), ("fill", "", "BTCUSDT")]
    newest = first["items"][0]
    assert newest["postings"] == [
        {"book": "wallet", "amount": "7.874", "balance": "1007.9922"}, {"book": "realized", "amount": "-10", "balance": "-10"},
        {"book": "fees", "amount": "0.126", "balance": "0.3078"}, {"book": "netting", "amount": "2", "balance": "2"}]
    assert (newest["wallet"], newest["side"], newest["quantity"], newest["time"]) == ("1007.9922", "sell", "2", "2026-01-02T00:00:00Z")
    rest = (await stage.get("ledger", limit=4, cursor=first["next_cursor"])).json()
    assert [one["kind"] for one in rest["items"]] == ["fill", "movement"] and rest["next_cursor"] is None


async def test_filters(stage) -> None:
    async def count(**params) -> int:
        answer = await stage.get("ledger", **params)
        assert answer.status_code == 200, answer.text
        return len(answer.json()["items"])

    assert [await count(), await count(account_id="mina1"), await count(bot_id="bot1"), await count(bot_id=""), await count(bot_id="other")] == [6, 6, 3, 3, 0]
    assert [await count(symbol="btcusdt"), await count(symbol="ETHUSDT"), await count(kind="funding"), await count(kind="liquidation")] == [5, 0, 2, 0]
    assert [await count(**{"from": "2026-01-02T00:00:00Z"}), await count(to="2026-01-02T09:00:00+09:00")] == [1, 5]


REFUSED = [("ledger", {"kind": "gift"}), ("ledger", {"from": "2026-01-01T00:00:00"}), ("ledger", {"symbol": "a b"}), ("ledger", {"cursor": "eA"}),
           ("ledger", {"account_id": "' or 1=1"}), ("ledger", {"limit": 201}), ("ledger.csv", {"kind": "gift"}), ("equity", {"points": 2001}),
           ("equity", {"points": 0}), ("pnl", {"by": "hour"}), ("pnl", {"tz": "Mars/Base"}), ("pnl", {"tz": "../etc/passwd"}),
           ("pnl", {"tz": "Asia/Seoul"}), ("pnl", {"from": "2026-01-01T00:00:01Z"}), ("ledger", {"to": "0001-01-01T00:00:00+09:00"})]


@pytest.mark.parametrize(("path", "params"), REFUSED, ids=lambda one: str(one))
async def test_what_cannot_be_asked(stage, path, params) -> None:
    answer = await stage.get(path, **params)
    assert answer.status_code == 422 and answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["ledger", "ledger.csv", "ledger/check", "equity", "pnl"])
async def test_anothers_account_looks_like_a_missing_one(stage, path) -> None:
    other, missing = await stage.get(path, account_id="jun1"), await stage.get(path, account_id="nobodys")
    assert (other.status_code, missing.status_code) == (404, 404)
    assert other.json()["error"] == missing.json()["error"]
    assert (await stage.app.http.get(f"/account/{path}")).status_code == 401


async def test_the_csv_in_english_and_korean(stage) -> None:
    answer = await stage.get("ledger.csv", account_id="mina1")
    assert answer.headers["content-type"].startswith("text/csv") and "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [row["Kind"] for row in rows] == ["movement", "fill", "fill", "funding", "funding", "fill"]
    assert (rows[-1]["Wallet change"], rows[-1]["Realized"], rows[-1]["Wallet after"]) == ("7.874", "-10", "1007.9922")
    assert {row["Order"] for row in rows} == {"'=o0", "'=o1", "'=o2", "'=o3", "'=o4"}
    korean = await stage.app.http.get("/account/ledger.csv", headers=stage.mina | {"accept-language": "ko-KR,ko"}, params={"kind": "funding"})
    assert korean.text.startswith("\ufeff시각 (UTC),계좌,봇,") and korean.text.count("\r\n") == 3


async def test_a_long_csv_comes_in_parts_and_whole(stage, monkeypatch) -> None:
    whole = (await stage.get("ledger.csv")).text
    monkeypatch.setattr("haechi.trading.ledger_store.AT_ONCE", 2)
    assert (await stage.get("ledger.csv")).text == whole


async def test_the_equity_history(stage) -> None:
    answer = (await stage.get("equity", points=5)).json()
    assert (answer["account_id"], [point["equity"] for point in answer["points"]]) == ("mina1", ["1001", "1003", "1005", "1007", "1009"])
    assert len((await stage.get("equity", account_id="mina1", bot_id="bot1")).json()["points"]) == 10
    assert (await stage.get("equity", bot_id="bot2")).json()["points"] == []
    newcomer = await stage.app.person("new@example.com")
    assert (await stage.get("equity", newcomer)).json() == {"account_id": None, "bot_id": "", "points": []}
    assert (await stage.get("ledger/check", newcomer)).json()["holds"] is True


async def test_profit_and_loss(stage) -> None:
    by_bot = (await stage.get("pnl", by="bot")).json()
    assert [(line["key"], line["realized"], line["fees"], line["funding"], line["net"]) for line in by_bot["lines"]] == [
        ("", "0", "-0.0618", "0.1", "0.0382"), ("bot1", "10", "-0.246", "0.2", "9.954")]
    assert by_bot["total"]["net"] == "9.9922"
    days = (await stage.get("pnl", tz="America/New_York", **{"from": "2025-12-31T00:00:00Z", "to": "2026-01-03T00:00:00Z"})).json()["lines"]
    assert [(line["key"], line["bookings"]) for line in days] == [("2025-12-31", 4), ("2026-01-01", 1)]
    assert [line["key"] for line in (await stage.get("pnl", by="symbol", **{"from": "2026-01-02T00:00:00Z"})).json()["lines"]] == ["BTCUSDT"]


async def test_the_check_tells_the_first_difference(stage) -> None:
    assert (await stage.get("ledger/check")).json() == {"holds": True, "bookings": 6, "difference": None}
    async with stage.app.house.database.writing() as session:
        await session.execute(update(Booking).where(Booking.account_id == "mina1", Booking.exchange_id == "t2").values(wallet=D(1)))
    found = (await stage.get("ledger/check", account_id="mina1")).json()
    assert found["holds"] is False
    assert (found["difference"]["rule"], found["difference"]["expected"], found["difference"]["found"]) == ("wallet", "999.8182", "1")
    assert (await stage.get("ledger/check", stage.jun)).json()["holds"] is True
