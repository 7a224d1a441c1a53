"""A trading day with ccxt. Its one argument is JSON: addresses, key, client (sync, pro) and uta (true, false, null); prints its steps."""

from __future__ import annotations

import asyncio
import json
import sys

import ccxt_hedge
import ccxt_market
import ccxt_trading
from ccxt_steps import Steps


async def whole_day(day: Steps) -> None:
    for act in (*ccxt_market.STEPS, *ccxt_trading.STEPS, *ccxt_hedge.STEPS):
        await day.step(act)
    if day.told["client"] == "pro":
        import ccxt_streams

        for act in ccxt_streams.STEPS:
            await day.step(act)


async def main() -> None:
    day = Steps(json.loads(sys.argv[1]))
    try:
        await whole_day(day)
    finally:
        await day.close()
    print(json.dumps(day.done))


asyncio.run(main())
