"""A small face for scripts: one account's balance and market orders over REST, without streams or tracking.

    client = BitgetRestClient(key, secret, passphrase)
    balance = await client.fetch_balance()
    outcome = await client.place_market_order("BTCUSDT", "buy", Decimal("0.01"), "USDT", reduce_only=False)
    await client.close()
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from types import TracebackType

import aiohttp

from haechi.exchanges.bitget.adapter import Bitget, sleep_ms
from haechi.exchanges.bitget.requests import COIN
from haechi.exchanges.bitget.rest import ADDRESS
from haechi.exchanges.bitget.sign import ApiKey
from haechi.exchanges.port import Balance, NewOrder, Outcome, Rejected
from haechi.platform.clock import Clock, SystemClock
from haechi.platform.ids import new_id

MINUTE_MS = 60_000


class BitgetRestClient:
    """new_client_id: makes an id that was never used."""

    def __init__(self, key: str, secret: str, passphrase: str, *, address: str = ADDRESS, demo: bool = False, clock: Clock | None = None,
                 sleep: Callable[[int], Awaitable[None]] = sleep_ms, new_client_id: Callable[[], str] | None = None) -> None:
        self._clock = clock or SystemClock()
        self._session = aiohttp.ClientSession(trust_env=True)
        self._account = Bitget(self._session, ApiKey(key, secret, passphrase), self._clock, timeframe_ms=MINUTE_MS, address=address,
                               demo=demo, sleep=sleep)
        self._new_id = new_client_id or (lambda: str(new_id(self._clock.now_ms())))

    async def fetch_balance(self) -> Balance:
        """Of the USDT futures account. Raises Unreachable or Refused; never a made-up zero."""
        return await self._account.balance()

    async def place_market_order(self, symbol: str, side: str, size: Decimal, margin_coin: str = COIN, *,
                                 reduce_only: bool = False, client_id: str | None = None) -> Outcome:
        """size in base coin. Accepted, Rejected (with the reason) or Unknown: an Unknown one may have been executed; give client_id to
        be able to ask for it with `resolve`."""
        if margin_coin.upper() != COIN:
            return Rejected("margin_coin", margin_coin)
        return await self._account.place(NewOrder(client_id or self._new_id(), symbol.upper(), side.lower(), size, "market",
                                                  reduce_only=reduce_only))

    async def resolve(self, client_id: str) -> Outcome:
        """What became of an Unknown order."""
        return await self._account.resolve(client_id)

    async def close(self) -> None:
        await self._session.close()

    async def __aenter__(self) -> BitgetRestClient:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()
