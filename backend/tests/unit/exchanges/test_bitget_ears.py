"""A listener that is far behind: the market waits for it, what the account did does not."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from bitget_bench import Bench, Heard, an_order, bench

from haechi.exchanges.bitget.ears import WAITING_MAX, Ears
from haechi.exchanges.port import Bar, Event, Fill, Outcome, Price, Rejected


def bar(number: int) -> Bar:
    price = Decimal(60_000)
    return Bar("BTCUSDT", 60_000, number * 60_000, price, price, price, price, 1.0)


class Behind(Heard):
    """At its first bar it stands still until it may go on, then it cancels an order that is filled meanwhile."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self.bench, self.may, self.outcome = bench, asyncio.Event(), list[Outcome]()

    async def hear(self, event: Event) -> None:
        if isinstance(event, Bar) and not self.outcome:
            await self.may.wait()
            self.outcome.append(await self.bench.bitget.cancel("o-1"))
        await super().hear(event)


async def test_a_fill_is_told_though_a_thousand_bars_wait_and_who_hears_them_may_act() -> None:
    """It acts under the lock under which the fill is told: each would wait for the other, for ever."""
    async with bench() as b, asyncio.timeout(20):
        heard = Behind(b)
        ear = b.bitget.ears.add(heard, "BTCUSDT", prices=False)
        await b.bitget.place(an_order())
        for number in range(WAITING_MAX):
            await ear.put(bar(number))
        await heard.settled()
        await ear.put(bar(WAITING_MAX))
        one_more = asyncio.create_task(ear.put(bar(WAITING_MAX + 1)))
        await b.bitget.reconciliation.once()
        (fill,) = await heard.until(1, Fill)
        assert fill.client_id == "o-1" and not heard.outcome, "also while it acts on a bar"
        assert len(ear.waiting) == WAITING_MAX and not one_more.done()
        heard.may.set()
        await one_more
        await heard.until(WAITING_MAX + 2, Bar)
        assert [one.reason for one in heard.outcome if isinstance(one, Rejected)] == ["no_order"]


class Slow(Heard):
    """Each event takes until it may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may = 0, asyncio.Event()

    async def hear(self, event: Event) -> None:
        self.begun += 1
        await self.may.wait()
        await super().hear(event)


async def test_who_stops_listening_hears_to_the_end_what_is_being_heard_and_nothing_more() -> None:
    ears, slow = Ears(), Slow()
    ears.add(slow, "BTCUSDT", prices=False)
    for number in (1, 2):
        await ears.tell(bar(number))
    await slow.settled()
    ears.remove(slow)
    slow.may.set()
    await slow.settled()
    assert (slow.begun, len(slow.events)) == (1, 1)


async def test_at_the_end_of_all_nobody_goes_on() -> None:
    ears, slow, left = Ears(), Slow(), Slow()
    for one in (slow, left):
        ears.add(one, "BTCUSDT", prices=False)
    await ears.tell(bar(1))
    await slow.settled()
    ears.remove(left)
    ears.close()
    slow.may.set()
    left.may.set()
    await slow.settled()
    assert (slow.begun, left.begun) == (1, 1) and slow.events == left.events == []


async def test_with_prices_or_without_the_same_listener_misses_nothing() -> None:
    ears, heard = Ears(), Heard()
    price = Price("BTCUSDT", Decimal(60_000), 1)
    ears.add(heard, "BTCUSDT", prices=False)
    for event in (bar(1), price):
        await ears.tell(event)
    ears.add(heard, "BTCUSDT", prices=True)
    for event in (price, bar(2)):
        await ears.tell(event)
    await heard.settled()
    assert heard.events == [bar(1), price, bar(2)]
    ears.close()
