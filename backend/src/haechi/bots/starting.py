"""What starting a bot takes: its wish made into a mind, its rows saved, its runner put on its account's desk. Loads the engine."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from sqlalchemy import func, select, update

from haechi.bots.grid_mind import START, GridMind, GridSpec
from haechi.bots.hearing import HISTORY_BARS
from haechi.bots.mind import Mind, Spec
from haechi.bots.models import FORM, RUNNING, STARTING, Bot, BotState
from haechi.bots.runner import Runner
from haechi.bots.schemas import StartBody
from haechi.bots.states import Saved
from haechi.core.bars import Bars
from haechi.core.instrument import Instrument
from haechi.core.language import LanguageError, evaluate
from haechi.core.live import LiveEngine
from haechi.core.plan import Costs, Plan
from haechi.core.strategies import LIBRARY, find, library
from haechi.core.units import UnitError
from haechi.errors import BadInput, HaechiError
from haechi.exchanges.errors import Refused as ExchangeRefused
from haechi.exchanges.errors import Unreachable
from haechi.exchanges.port import Accepted, Bar, Rejected
from haechi.markets.feed import Listing
from haechi.markets.timeframes import NAMES, TIMEFRAMES, timeframe
from haechi.platform.clock import Clock
from haechi.platform.db import Session
from haechi.platform.ids import new_id
from haechi.trading.desk import Desk
from haechi.trading.heard import HEARD_KINDS, heard_after
from haechi.trading.journal import Journal
from haechi.trading.lease import LeaseLost
from haechi.trading.models import PAPER, Account, Booking

if TYPE_CHECKING:
    from haechi.bots.service import Bots

SLIPPAGE = Decimal("0.0001")
CENT = Decimal("0.00000001")
WARM_BARS = 300


class StateDiffers(HaechiError):
    """What a bot remembers is not what its account holds: nothing is traded on such a memory."""

    status = 409
    code = "state_differs"


@cache
def warm() -> None:
    """Load, or once compile, what a bot runs through, so that no event has to wait for it. Called in a thread."""
    engine = LiveEngine(Instrument("WARM", tick=Decimal(1), lot=Decimal(1)), Plan(stop_loss=Decimal("0.01")), Costs())
    engine.closed(0, 100, 1, 0)
    engine.filled("entry", 1, 1, 100, 1, 60_000, 100)
    engine.at_price(100)
    engine.funded(1)
    engine.filled("stop", -1, 1, 99, 1, 60_000, 99)
    ramp = np.arange(1, WARM_BARS + 1)
    bars = Bars("WARM", 60_000, Decimal(1), ramp * 60_000, ramp, ramp, ramp, ramp, np.ones(WARM_BARS))
    for name in LIBRARY:
        evaluate(library(name), bars)


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
    """Of the one-bot form: a paper account of its own and the bot, in the caller's transaction."""
    now, now_ms, spec = clock.now(), clock.now_ms(), wish.spec
    account = Account(id=new_id(now_ms), user_id=user_id, mode=PAPER, name=FORM, capital=spec.costs.capital, created_at=now)
    bot = Bot(id=new_id(now_ms), user_id=user_id, account_id=account.id, strategy=wish.mind.name[:64], origin=FORM,
              symbol=spec.instrument.symbol, timeframe=NAMES[spec.timeframe_ms], spec=msgspec.to_builtins(spec),
              capital=spec.costs.capital, desired=RUNNING, observed=STARTING, reason="", created_at=now, started_at=now, ended_at=None)
    session.add(account)
    await session.flush()
    session.add(bot)
    await session.flush()
    return bot


def spec_of(bot: Bot) -> Spec | GridSpec:
    """Raises BadInput where another version wrote it."""
    try:
        return msgspec.convert(bot.spec, Spec | GridSpec)
    except msgspec.ValidationError as error:
        raise BadInput(f"the bot was saved by another version: {error}") from None


async def begun(bot: Bot, bots: Bots) -> None:
    """Its runner, at work on a reconciled desk. A bot that was here before goes on from where it stood; a new one from the next bar.

    Raises what the exchange raises, StateDiffers, and LeaseLost when the desk was closed meanwhile.
    """
    desk = await bots.desks.desk_of(bot.account_id)
    async with bots.database.reading() as session:
        state = await session.get(BotState, bot.id)
    mind, saved_state = await (_again(bot, state, bots) if state is not None else _fresh(bot, desk, bots))
    journal = Journal(bots.folder / f"{bot.id}.jsonl")
    if state is None:
        put_aside(journal.path)
    journal.begin(mind.spec, state=saved_state.mind if state is not None else "")
    await _terms(bot, mind, desk)
    runner = Runner(desk.owner(bot.id), mind, journal, desk, bots.clock, partial(bots.say, bot.user_id, bot.id), heard=saved_state.heard)
    runner.exiting = saved_state.exiting
    await _look_back(runner, desk, bots, fresh=state is None)
    await _caught_up(runner, bot, bots)
    _agrees(runner, desk)
    _start_is_there(runner, desk)
    journal.later = asyncio.get_running_loop().call_later  # not before: lines of a start that fails may not come after those of the next
    runner.finished = partial(bots.ended, bot, runner)
    if desk.closed:
        raise LeaseLost("the desk was closed while the bot was read")
    bots.runners[bot.id] = runner  # known before it acts, and nothing is awaited: whoever breaks this off leaves none at work unknown
    runner.begin()


async def _fresh(bot: Bot, desk: Desk, bots: Bots) -> tuple[Mind | GridMind, Saved]:
    """A new mind. An instance's capital is its share of what the account is worth now."""
    spec = spec_of(bot)
    if bot.origin != FORM:
        capital = (desk.equity * bot.allocation / 100).quantize(CENT, rounding=ROUND_DOWN)
        spec = msgspec.structs.replace(spec, costs=msgspec.structs.replace(spec.costs, capital=capital))
    begun_with = spec

    async def work(session: Session) -> int:
        """How much it has been told. With others that start: one transaction for all who wait."""
        if bot.origin != FORM:
            await session.execute(update(Bot).where(Bot.user_id == bot.user_id, Bot.id == bot.id)
                                  .values(capital=begun_with.costs.capital, spec=msgspec.to_builtins(begun_with)))
        count = await session.execute(select(func.count(Booking.id)).where(
            Booking.user_id == bot.user_id, Booking.bot_id == bot.id, Booking.kind.in_(HEARD_KINDS)))
        return int(count.scalar_one())

    heard = await bots.desks.scribe.write(work)
    if spec.costs.capital <= 0:
        raise ExchangeRefused("The account has no money for this bot.", details={"word": "margin"})
    return (Mind(spec) if isinstance(spec, Spec) else GridMind(spec)), Saved(heard, "")


async def _again(bot: Bot, state: BotState, bots: Bots) -> tuple[Mind | GridMind, Saved]:
    spec, saved_state = spec_of(bot), msgspec.json.decode(state.body, type=Saved)
    made = Mind.restored(spec, saved_state.mind) if isinstance(spec, Spec) else GridMind.restored(spec, saved_state.mind)
    return made, saved_state


def put_aside(path: Path) -> None:
    """The journal of an earlier life of this bot is kept under a number."""
    if path.exists():
        number = next(n for n in range(1, 100_000) if not path.with_suffix(f".{n}.jsonl").exists())
        path.rename(path.with_suffix(f".{number}.jsonl"))


async def _terms(bot: Bot, mind: Mind | GridMind, desk: Desk) -> None:
    """Margin mode and leverage, before the first order."""
    outcome = await desk.exchange.set_leverage(bot.symbol, mind.leverage, cross=mind.cross)
    if isinstance(outcome, Rejected) and not (outcome.reason == "position_open" and desk.holdings.total(bot.symbol)):
        raise ExchangeRefused(f"The exchange refused leverage {mind.leverage}: {outcome.reason}.", details={"word": outcome.reason})
    if not isinstance(outcome, Accepted | Rejected):
        raise Unreachable(f"The exchange does not confirm leverage {mind.leverage}: {outcome.why}")
    desk.leverages[bot.symbol] = mind.leverage


async def _look_back(runner: Runner, desk: Desk, bots: Bots, *, fresh: bool) -> None:
    """The past bars for its strategy."""
    mind = runner.mind
    bars = await _opened(runner, mind, desk, bots) if isinstance(mind, Mind) else []
    if not bars and not desk.price(runner.symbol):
        bars = await desk.exchange.bars(runner.symbol, 1)
    if bars and not desk.price(runner.symbol):
        desk.prices[runner.symbol] = bars[-1].close, bars[-1].ts + bars[-1].timeframe_ms
    if fresh and isinstance(mind, Mind):
        mind.market = desk.price(runner.symbol)


async def _opened(runner: Runner, mind: Mind, desk: Desk, bots: Bots) -> list[Bar]:
    """The bars its series began with: as many of its timeframe as there are, so that what recurs has the values it had. None where the
    series is there already."""
    source, bars, length = "paper" if desk.mode == PAPER else "bitget", list[Bar](), mind.spec.timeframe_ms
    async with bots.hub.turn(mind.spec, source):
        if bots.hub.wants_bars(mind.spec, source):
            bars = await desk.exchange.bars(runner.symbol, HISTORY_BARS, length)
        key = bots.hub.open(mind.spec, bars, source)
        runner.hearing.open(bots.hub, key)
    short = bots.hub.short(key)
    if short is not None:
        await runner.say("short_history", there=str(short[0]), needed=str(short[1]), timeframe=NAMES[length])
    return bars


async def _caught_up(runner: Runner, bot: Bot, bots: Bots) -> None:
    """What was booked after its state was saved is told to it now, and what is booked while we read. Nothing is awaited afterwards.

    Bars that closed while it was away are thought over in their place between: an exit of a bar is for what was held then.
    """
    unheard = runner.desk.unheard
    unheard.add(bot.id)
    while bot.id in unheard:
        unheard.discard(bot.id)
        await bots.desks.scribe.settled()
        async with bots.database.reading() as session:
            missed = await heard_after(session, bot.user_id, bot.id, runner.booked)
        for event, role in missed:
            runner.hearing.missed(before=event.time_ms - runner.mind.spec.timeframe_ms + 1)
            runner.journal.write("fill" if hasattr(event, "client_id") else "paid" if hasattr(event, "payment_id") else "liquidated",
                                 role=role, event=event)
            runner.mind.heard(event, role)
            runner.booked += 1
            runner.exiting = runner.exiting and runner.mind.position != 0
    runner.hearing.missed()


def _agrees(runner: Runner, desk: Desk) -> None:
    """Its memory against the books. What exits closed too much it knows by itself; a grid finds its line again from what it holds."""
    one = runner.mind.spec.instrument
    held = one.lots(desk.holdings.quantity(runner.owner.bot_id, one.symbol))
    if held == runner.mind.position + runner.mind.excess:
        desk.over.remembered(runner.owner.bot_id, one.symbol, one.quantity(runner.mind.excess))
        return
    if isinstance(runner.mind, GridMind):
        runner.mind.recover(held)
        return
    remembered, booked = one.quantity(runner.mind.position + runner.mind.excess), one.quantity(held)
    raise StateDiffers(f"The bot remembers {remembered} {one.symbol}, its account's books say {booked}.",
                       details={"remembered": str(remembered), "booked": str(booked)})


def _start_is_there(runner: Runner, desk: Desk) -> None:
    """The start of a grid has filled or is on its way. One that was refused or lost while the grid was not at work is begun anew."""
    mind = runner.mind
    there = any(one.role == START for one in desk.orders.of(runner.owner.bot_id))
    if there or not isinstance(mind, GridMind) or not mind.memory.start_left:
        return
    runner.journal.write("refused", role=START, reason="never_arrived")
    mind.refused(START, "never_arrived")
