"""From an account to its exchange: the paper venue of this process, or Bitget with the opened key. One connection an account.

All Bitget clients of the process share one HTTP session and one request budget of its address.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from haechi.errors import Conflict
from haechi.exchanges.port import Exchange, Traceable
from haechi.identity.service import Identity
from haechi.markets.feed import Market
from haechi.platform.db import Session
from haechi.platform.house import House
from haechi.trading import accounts, keys
from haechi.trading.models import DEMO, PAPER, Account

if TYPE_CHECKING:
    import aiohttp

    from haechi.exchanges.bitget.adapter import Bitget
    from haechi.exchanges.bitget.budget import Address
    from haechi.exchanges.bitget.rest import Rest
    from haechi.exchanges.bitget.sign import ApiKey

TIMEFRAME_MS = 60_000
Alarm = Callable[[str, str, str], None]  # account id, word, sentence
Use = Callable[[Session, str], Awaitable[str]]  # account id -> what of it still runs there, '' nothing
Owners = Callable[[str, str], dict[str, Decimal]]  # account id, symbol -> whose part is how much (signed)

log = structlog.get_logger(__name__)


def logged(account_id: str, word: str, sentence: str) -> None:
    log.error("exchange_alarm", account_id=account_id, word=word, sentence=sentence)


def nobody(_account_id: str, _symbol: str) -> dict[str, Decimal]:
    return {}


async def keep(_account_id: str) -> None:
    return


async def sleep_ms(ms: int) -> None:
    await asyncio.sleep(ms / 1000)


class Connections:
    """`open`: by account id, for those whose desk is open. `uses` are asked before an account or key goes away; `owners` knows the parts
    of a position; `alarm` hears what a person should know. Bots and desks set these when they open."""

    name = "connections"

    def __init__(self, house: House) -> None:
        self.house = house
        self.open: dict[str, Traceable] = {}
        self.uses: list[Use] = []
        self.owners: Owners = nobody
        self.alarm: Alarm = logged
        self.let_go: Callable[[str], Awaitable[None]] = keep
        self.sleep: Callable[[int], Awaitable[None]] = sleep_ms
        self._session: aiohttp.ClientSession | None = None
        self._address: Address | None = None
        self._glances: dict[str, Bitget] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def condition(self) -> dict[str, Any]:
        return {"state": "up", "open": len(self.open)}

    # ---- for desks

    async def exchange_of(self, account: Account) -> Traceable:
        """Started. Raises Conflict for a closed account or a key that may not be used, Refused and Unreachable of the exchange."""
        if account.closed_at is not None:
            raise Conflict("This account is closed.", code="account_closed")
        async with self._locks.setdefault(account.id, asyncio.Lock()):
            if account.id not in self.open:
                self.open[account.id] = self._paper(account) if account.mode == PAPER else await self._started(account)
            return self.open[account.id]

    async def close_of(self, account_id: str) -> None:
        """What rests at the exchange stays there."""
        self._glances.pop(account_id, None)
        async with self._locks.setdefault(account_id, asyncio.Lock()):
            made = self.open.pop(account_id, None)
            close = getattr(made, "close", None)
            if close is not None:
                await close()

    async def _started(self, account: Account) -> Traceable:
        made = await self._bitget(account)
        try:
            await made.start()
        except BaseException:
            await made.close()
            raise
        self._glances.pop(account.id, None)
        return made

    # ---- for those who only look

    async def look_at(self, account: Account) -> Exchange:
        """The open connection, or one for asking only: no streams, nothing reconciled."""
        if account.id in self.open:
            return self.open[account.id]
        if account.mode == PAPER:
            return self._paper(account)
        if account.id not in self._glances:
            self._glances[account.id] = await self._bitget(account)
        return self._glances[account.id]

    def rest_of(self, mode: str, key: ApiKey) -> Rest:
        """For the key doctor."""
        from haechi.exchanges.bitget.budget import Budget  # noqa: PLC0415 - with aiohttp, when the first key is used
        from haechi.exchanges.bitget.clock import ServerClock  # noqa: PLC0415
        from haechi.exchanges.bitget.rest import ADDRESS, Rest  # noqa: PLC0415

        session, shared = self._shared()
        return Rest(session, Budget(shared, self.sleep), ServerClock(self.house.clock), key=key, demo=mode == DEMO,
                    address=self.house.settings.bitget_rest or ADDRESS)

    # ---- how they are made

    def _paper(self, account: Account) -> Traceable:
        from haechi.core.plan import Costs  # noqa: PLC0415 - the engine loads with the first account that is used

        return self.house.part(Market).open_account(account.id, capital=account.capital, slippage=Costs().slippage)

    async def _bitget(self, account: Account) -> Bitget:
        from haechi.exchanges.bitget.adapter import Bitget  # noqa: PLC0415
        from haechi.exchanges.bitget.rest import ADDRESS  # noqa: PLC0415

        key = await self._key(account)
        session, shared = self._shared()
        settings = self.house.settings
        return Bitget(session, key, self.house.clock, timeframe_ms=TIMEFRAME_MS, address=settings.bitget_rest or ADDRESS,
                      public=settings.bitget_public, private=settings.bitget_private, demo=account.mode == DEMO, shared=shared,
                      sleep=self.sleep, alarm=partial(self._alarmed, account.id))

    async def _key(self, account: Account) -> ApiKey:
        """Opened. Raises Conflict when there is none, or its last check found something bad."""
        async with self.house.database.reading() as session:
            row = None if account.key_id is None else await keys.key_of(session, account.user_id, account.key_id)
        if row is None:
            raise Conflict("This account has no key.", code="no_key")
        accounts.check_usable(row)
        return keys.opened(self.house.vault, row)

    def _alarmed(self, account_id: str, word: str, sentence: str) -> None:
        self.alarm(account_id, word, sentence)

    def _shared(self) -> tuple[aiohttp.ClientSession, Address]:
        import aiohttp  # noqa: PLC0415

        from haechi.exchanges.bitget.budget import Address  # noqa: PLC0415

        if self._session is None or self._address is None:
            self._session = aiohttp.ClientSession(trust_env=True)
            self._address = Address(lambda: int(self.house.clock.monotonic() * 1000))
        return self._session, self._address

    # ---- what still needs an account

    async def in_use(self, session: Session, account_id: str) -> str:
        """'' or one sentence: what runs, rests or is held there as far as we know."""
        await self.let_go(account_id)
        if account_id in self.open:
            return "Its desk is open: stop what runs on it first."
        for use in self.uses:
            said = await use(session, account_id)
            if said:
                return said
        return await accounts.left_open(session, account_id)

    async def leave(self, session: Session, user_id: str) -> Callable[[], Awaitable[None]]:
        """Before a person is deleted."""
        theirs = [one.id for one in await accounts.accounts_of(session, user_id)]

        async def close_all() -> None:
            for account_id in theirs:
                await self.close_of(account_id)

        return close_all

    async def close(self) -> None:
        for account_id in list(self.open):
            await self.close_of(account_id)
        if self._session is not None:
            await self._session.close()


@asynccontextmanager
async def open_connections(house: House) -> AsyncIterator[Connections]:
    made = Connections(house)
    house.part(Identity).accounts.leaving.append(made.leave)
    try:
        yield made
    finally:
        await made.close()
