"""A bot without a house around it: the live engine on one account of the venue, nothing between them."""

from __future__ import annotations

from decimal import Decimal

from haechi.core.instrument import Instrument
from haechi.core.live import LiveEngine, Wanted
from haechi.core.plan import Costs, Plan
from haechi.core.run import Market, atr_ticks, bar_columns, funding_rows
from haechi.core.units import scaled
from haechi.exchanges.port import Accepted, Bar, Event, Fill, Gone, Liquidated, NewOrder, Paid, Price, Rejected
from haechi.venue.exchange import TickBar, Venue
from haechi.venue.floor import Floor
from haechi.venue.paper import Paper


class BareTrader:
    """Acts on every event at once; keeps what rests equal to what the engine wants."""

    def __init__(self, market: Market, plan: Plan, costs: Costs, paper: Paper) -> None:
        self.market, self.paper = market, paper
        self.engine = LiveEngine(market.instrument, plan, costs)
        self.roles: dict[str, str] = {}
        self.resting: dict[str, Wanted] = {}
        self.count = 0
        self.atr = atr_ticks(market)
        self.bar_ts = int(market.bars.ts[0])

    async def hear(self, event: Event) -> None:
        one: Instrument = self.market.instrument
        match event:
            case Fill():
                role = self.roles[event.client_id]
                self.resting.pop(event.client_id, None)
                self.engine.filled(role, 1 if event.side == "buy" else -1, one.lots(event.quantity), one.ticks(event.price),
                                   scaled(event.fee), self.bar_ts, one.ticks(event.market))
            case Gone():
                self.resting.pop(event.client_id, None)
                self.engine.refused(self.roles[event.client_id], event.reason)
            case Paid():
                self.engine.funded(scaled(event.amount))
            case Liquidated():
                self.engine.liquidated(self.bar_ts)
            case Price():
                self.engine.at_price(one.ticks(event.price))
            case Bar():
                await self.closed(event)
        await self.sync()

    async def closed(self, bar: Bar) -> None:
        i = self.engine.bars
        last = i == len(self.market.bars) - 1
        bits = 0 if last else int(self.market.signals.bits[i])
        wishes = self.engine.closed(bar.ts, self.market.instrument.ticks(bar.close), bits, int(self.atr[i]) if len(self.atr) else 0)
        if last:
            return
        self.bar_ts = int(self.market.bars.ts[i + 1])
        for client_id, there in list(self.resting.items()):
            if there.role in {wish.role for wish in wishes}:  # an entry whose bars are over makes room for the next
                await self.paper.cancel(client_id)
                del self.resting[client_id]
        for wish in wishes:
            await self.send(wish)

    async def send(self, wanted: Wanted) -> None:
        one = self.market.instrument
        self.count += 1
        client_id = f"b-{self.count}"
        self.roles[client_id] = wanted.role
        if wanted.kind != "market":
            self.resting[client_id] = wanted
        outcome = await self.paper.place(NewOrder(
            client_id, one.symbol, "buy" if wanted.side > 0 else "sell", one.quantity(wanted.lots), wanted.kind,
            one.price(wanted.price) if wanted.price else None, one.price(wanted.trigger) if wanted.trigger else None, wanted.reduce_only))
        if isinstance(outcome, Rejected):
            self.resting.pop(client_id, None)
            self.engine.refused(wanted.role, outcome.reason)
        else:
            assert isinstance(outcome, Accepted)

    async def sync(self) -> None:
        wanted = self.engine.resting()
        for client_id, there in list(self.resting.items()):
            if wanted.get(there.role) == there:
                wanted.pop(there.role)
            else:
                await self.paper.cancel(client_id)
                self.resting.pop(client_id, None)
        for one in wanted.values():
            await self.send(one)


async def played(market: Market, plan: Plan, costs: Costs) -> BareTrader:
    """All bars of the market through the venue."""
    venue = Venue([market.instrument], timeframe_ms=market.bars.timeframe_ms)
    paper = Floor(venue, clock=lambda: 0).open_paper("a", costs)
    await paper.set_leverage(market.instrument.symbol, plan.leverage, cross=plan.margin == "cross")
    trader = BareTrader(market, plan, costs, paper)
    paper.listen(trader, symbol=market.instrument.symbol, prices=trader.engine.watches_price)
    rates: dict[int, list[int]] = {}
    for bar, rate in funding_rows(market).tolist():
        rates.setdefault(bar, []).append(rate)
    for i, row in enumerate(bar_columns(market.bars).tolist()):
        await venue.instant({market.instrument.symbol: TickBar(*row, 0.0, tuple(rates.get(i, ())))})
    assert paper.account.wallet == Decimal(trader.engine.wallet).scaleb(-8), "the venue's money and the bot's are not the same"
    return trader
