"""The whole road in one process: market, venue, bots, desk, ledger, database; only time is virtual."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tables import with_tables

from haechi.bots.grid_mind import GridMind, GridSpec
from haechi.bots.models import Bot
from haechi.bots.schemas import StartBody
from haechi.bots.service import Bots
from haechi.bots.starting import SLIPPAGE, Wish, saved
from haechi.core.risk import Limits
from haechi.core.run import Market, bar_columns, funding_rows
from haechi.core.strategies import find
from haechi.identity.models import User
from haechi.markets.feed import Instant, Tape
from haechi.markets.feed import Market as Player
from haechi.platform.db import Database
from haechi.trading.desks import Desks
from haechi.trading.gate import Gate
from haechi.trading.lease import Lease
from haechi.trading.models import Account
from haechi.trading.reserve import Reserve
from haechi.venue.exchange import TickBar

BIG = Decimal("1e15")
WIDE = Limits(leverage_max=125, positions_max=50, daily_loss_max=BIG, exposure_max=Decimal(1000), order_value_max=BIG, orders_second_max=10**9,
              orders_minute_max=10**9, orders_minute_user_max=10**9, distance_percent=Decimal(1_000), collar_percent=Decimal(100))
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class VenueClock:
    """Time is the market's time."""

    now_at: int = 0

    def now_ms(self) -> int:
        return self.now_at

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.now_at / 1000, UTC)

    def monotonic(self) -> float:
        return self.now_at / 1000


class PaperOnly:
    """Connections of accounts that are all at the market's own venue."""

    def __init__(self, player: Player) -> None:
        self.player = player

    async def exchange_of(self, account: Account) -> Any:
        return self.player.open_account(account.id, capital=account.capital, slippage=SLIPPAGE)

    async def close_of(self, account_id: str) -> None:
        return


async def never(_seconds: float) -> None:
    """Nothing is due: what a timer would do is asked for by the tests."""
    await asyncio.Event().wait()


async def at_once(work: Callable[[], None]) -> None:
    work()


@dataclass
class Road:
    """A market of recorded bars and the bots on it."""

    database: Database
    clock: VenueClock
    player: Player
    bots: Bots
    markets: dict[str, Market]
    started: list[tuple[Bot, StartBody]] = field(default_factory=list)
    users: int = 0

    async def start(self, strategy: str, symbol: str, **given: Any) -> Bot:
        """Each bot has a user of its own: the one-bot form allows one."""
        name = await self._user()
        body = StartBody(strategy=strategy, symbol=symbol, **given)
        bot = await self.bots.start(name, body)
        self.started.append((bot, body))
        return bot

    async def _user(self) -> str:
        self.users += 1
        name = f"u{self.users}"
        async with self.database.writing() as session:
            session.add(User(id=name, email=f"{name}@example.com", password_hash="x", role="user", created_at=START, suspended_at=None))
        return name

    async def start_grid(self, spec: GridSpec) -> Bot:
        """The way /grid-bot will go: the same rows, the same runner."""
        wish = Wish(spec, GridMind(spec))
        user_id = await self._user()
        async with self.database.writing() as session:
            bot = await saved(session, user_id, wish, self.clock)
        await self.bots.launch(bot)
        return bot

    async def play(self, bars: int | None = None) -> None:
        while bars is None or bars > 0:
            if not await self.player.step():
                return
            self.clock.now_at = max(bar.ts for bar in self.player.venue.last.values()) + self.player.tape.timeframe_ms
            bars = None if bars is None else bars - 1

    def signals(self, strategy: str, symbol: str, params: dict[str, Any]) -> Market:
        """The back-test's market of a bot: the same bars, the strategy's signals at once."""
        market = self.markets[symbol]
        found = find(strategy).over(market.bars).signals(params)
        return Market(market.instrument, market.bars, found, market.funding)

    async def rows(self, sql: str, **values: Any) -> list[Any]:
        await self.bots.desks.scribe.settled()
        async with self.database.reading() as session:
            return list((await session.execute(text(sql), values)).all())


def tape_of(markets: dict[str, Market]) -> Tape:
    """All markets side by side, instant by instant."""
    instants: dict[int, Instant] = {}
    for symbol, market in markets.items():
        rates: dict[int, list[int]] = {}
        for bar, rate in funding_rows(market).tolist():
            rates.setdefault(bar, []).append(rate)
        for i, row in enumerate(bar_columns(market.bars).tolist()):
            instants.setdefault(row[0], {})[symbol] = TickBar(*row, float(market.bars.volume[i]), tuple(rates.get(i, ())))
    length = next(iter(markets.values())).bars.timeframe_ms
    played = iter([instants[ts] for ts in sorted(instants)])
    return Tape(tuple(market.instrument for market in markets.values()), length, played, "recorded")




@pytest.fixture
def road(tmp_path: Path) -> Callable[[dict[str, Market]], AbstractAsyncContextManager[Road]]:
    @asynccontextmanager
    async def opened(markets: dict[str, Market], limits: Limits = WIDE) -> AsyncIterator[Road]:
        database = await with_tables(f"sqlite+aiosqlite:///{tmp_path}/road.db")
        clock, player = VenueClock(), Player(tape_of(markets), 1.0, clock=lambda: clock.now_at)
        clock.now_at = min(int(market.bars.ts[0]) for market in markets.values())
        gate = Gate(lambda _owner: limits, lambda _user, _bot: "", started_ms=clock.now_at)
        lease = Lease(database, clock, "test", guard=lambda: True)
        desks = Desks(database, clock, PaperOnly(player), gate, Reserve(tmp_path / "reserve", room=1 << 16), lease, sleep=never)
        assert await desks.lead()
        bots = Bots(database, clock, player, desks, tmp_path / "journals", in_thread=at_once)
        try:
            yield Road(database, clock, player, bots, markets)
        finally:
            await bots.close()
            await desks.close()
            await database.close()

    return opened
