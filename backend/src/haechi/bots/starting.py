"""What starting a bot takes: its wish made into a mind, its rows saved, its runner put on the market. Loads the engine."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache, partial
from typing import TYPE_CHECKING

import msgspec

from haechi.bots.grid_mind import GridMind, GridSpec
from haechi.bots.mind import Mind, Spec
from haechi.bots.models import RUNNING, STARTING, Bot
from haechi.bots.runner import Runner
from haechi.bots.schemas import StartBody
from haechi.core.instrument import Instrument
from haechi.core.language import LanguageError
from haechi.core.live import LiveEngine
from haechi.core.plan import Costs, Plan
from haechi.core.strategies import find
from haechi.core.units import UnitError
from haechi.errors import BadInput, Conflict
from haechi.exchanges.port import Rejected
from haechi.markets.feed import Listing
from haechi.markets.timeframes import NAMES, TIMEFRAMES, timeframe
from haechi.platform.clock import Clock
from haechi.platform.db import Session
from haechi.platform.ids import new_id
from haechi.trading import ledger
from haechi.trading.desk import Desk, Owner
from haechi.trading.journal import HEAD, Journal
from haechi.trading.models import Account, Booking

if TYPE_CHECKING:
    from haechi.bots.service import Bots

HISTORY_BARS = 5000
SLIPPAGE = Decimal("0.0001")


@cache
def warm() -> None:
    """Load, or once compile, what a bot runs through, so that no event has to wait for it. Called in a thread."""
    engine = LiveEngine(Instrument("WARM", tick=Decimal(1), lot=Decimal(1)), Plan(stop_loss=Decimal("0.01")), Costs())
    engine.closed(0, 100, 1, 0)
    engine.filled("entry", 1, 1, 100, 1, 60_000, 100)
    engine.at_price(100)
    engine.funded(1)
    engine.filled("stop", -1, 1, 99, 1, 60_000, 99)


@dataclass(frozen=True)
class Wish:
    """What the user asked for, checked: every fault of it was a BadInput with its sentence."""

    spec: Spec | GridSpec
    mind: Mind | GridMind

    @classmethod
    def of(cls, body: StartBody, tape: Listing) -> Wish:
        try:
            spec = Spec(body.strategy, dict(body.params), dict(body.overrides), instrument_of(body.symbol, tape),
                        Costs(slippage=SLIPPAGE, capital=body.capital), length_of(body.timeframe, tape))
            find(spec.strategy).plan(spec.params, spec.overrides)
            return cls(spec, Mind(spec))
        except (LanguageError, UnitError) as error:
            raise BadInput(str(error)) from None


def instrument_of(symbol: str | None, tape: Listing) -> Instrument:
    known = {one.symbol: one for one in tape.instruments}
    wanted = next(iter(known)) if symbol is None else symbol.upper()
    if wanted not in known:
        raise BadInput(f"The venue has no market {wanted}; it has {', '.join(known)}.")
    return known[wanted]


def length_of(name: str | None, tape: Listing) -> int:
    length = TIMEFRAMES[timeframe(name)] if name else tape.timeframe_ms
    if length % tape.timeframe_ms:
        raise BadInput(f"The market plays {NAMES[tape.timeframe_ms]} bars; {NAMES[length]} bars cannot be made of them.")
    return length


async def saved(session: Session, user_id: str, wish: Wish, clock: Clock) -> Bot:
    """Account, bot and the deposit of its capital, in the caller's transaction."""
    now, now_ms, spec = clock.now(), clock.now_ms(), wish.spec
    account = Account(id=new_id(now_ms), user_id=user_id, mode="paper", capital=spec.costs.capital, created_at=now)
    bot = Bot(id=new_id(now_ms), user_id=user_id, account_id=account.id, strategy=wish.mind.name[:64],
              symbol=spec.instrument.symbol, timeframe=NAMES[spec.timeframe_ms], spec=msgspec.to_builtins(spec),
              capital=spec.costs.capital, desired=RUNNING, observed=STARTING, reason="", created_at=now, ended_at=None)
    session.add(account)
    await session.flush()
    session.add(bot)
    await session.flush()
    booking = Booking(user_id=user_id, account_id=account.id, bot_id=bot.id, exchange_id="deposit", kind="deposit", order_id="", symbol="",
                      side="", quantity=Decimal(0), price=Decimal(0), time_ms=now_ms)
    await ledger.book(session, booking, {ledger.WALLET: account.capital, ledger.CAPITAL: -account.capital})
    return bot


async def begun(bot: Bot, wish: Wish, bots: Bots) -> Runner:
    """The runner, listening to its market. It knows the past bars and acts from the next one on."""
    mind = wish.mind
    paper = bots.market.venue.open_account(bot.account_id, wish.spec.costs)
    outcome = await paper.set_leverage(bot.symbol, mind.leverage, cross=mind.cross)
    if isinstance(outcome, Rejected):
        raise Conflict(f"The venue refused leverage {mind.leverage}: {outcome.reason}.")
    journal = Journal(bots.folder / f"{bot.id}.jsonl")
    journal.write(HEAD, engine=1, spec=wish.spec)
    for bar in await paper.bars(bot.symbol, HISTORY_BARS):
        mind.learn(bar)
        journal.write("learn", event=bar)
    runner = Runner(mind, journal, paper, bots.clock, partial(bots.say, bot.user_id, bot.id))
    runner.finished = partial(bots.ended, bot.user_id, bot.id, bot.account_id, runner)
    runner.start(Desk(Owner(bot.user_id, bot.account_id, bot.id), wish.spec.instrument, mind.leverage, paper, bots.database, bots.clock,
                      bots.limits, runner.view, runner.refused))
    paper.listen(runner, symbol=bot.symbol, prices=mind.watches_price)
    return runner
