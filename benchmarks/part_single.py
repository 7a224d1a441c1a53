"""One RSI run over the year with its statistics: haechi and the peers, in turns."""

from __future__ import annotations

from contextlib import ExitStack

import market
from peers import CannotInstallError, Peer, ensure
from process import CannotMeasureError, Worker
from samples import Samples, span, table, three, times
from section import Section, Verdict

ROUNDS, LEAST, BUDGET = 7, 2, 40.0  # measurements of a peer: at most, at least, and the wall seconds after which it gets no more
PART = 8  # --quick gives the slow peers this part of the year
SLOW = ("backtesting", "freqtrade", "jesse", "nautilus")
TARGETS = {"vectorbt": 20, "backtesting": 400}
EITHER, EITHER_TARGET = ("freqtrade", "jesse"), 2_000
WARM_BARS = 5_000
WHY = """Why trade counts and equities differ. All play the same crossings with the same fee; an exit that falls on another minute lets
another crossing in, and from there two sequences differ until they meet again.

- haechi runs under its default reading `adverse`, the strictest: a target counts when the price went one tick through it.
- **vectorbt** makes the same number of trades; it sizes on the cash at the fill in fractions of a lot and knows no tick.
- **backtesting.py** has slippage at entries only and sets stop and target from the signal bar's close.
- **freqtrade** has no slippage, so its entries, stops and targets lie elsewhere by 0.01 %; its target is a profit after fees.
- **jesse** and **nautilus** have no slippage in percent and enter at the signal bar's close, which is the next open here."""


def measure(ours: Worker, peers: list[Peer], quick: bool) -> Section:
    section, missing, found = Section("One RSI run with its statistics"), {}, {}
    with ExitStack() as stack:
        workers = {}
        for peer in peers:
            try:
                ensure(peer)
                workers[peer.name] = stack.enter_context(Worker(peer.python, peer.script))
                warm(workers[peer.name], peer.name)
            except (CannotInstallError, CannotMeasureError) as reason:
                missing[peer.name] = str(reason)
        for _ in range(3):
            ours.ask("single", fresh=False)
        mine = in_turns(ours, {name: one for name, one in workers.items() if name not in missing}, found, missing, quick)
    unused = fresh(ours)
    section.text = written(mine, found, missing, unused)
    section.verdicts = verdicts(mine, found, missing) + first_use(unused, found)
    return section


def warm(worker: Worker, name: str) -> None:
    worker.ask("single", **({"bars": WARM_BARS} if name in SLOW else {}))


def in_turns(ours: Worker, workers: dict[str, Worker], found: dict[str, Samples], missing: dict[str, str], quick: bool) -> Samples:
    """haechi after each measurement of a peer, so that both meet the same moods of the machine."""
    mine = Samples("haechi", ours.hello["version"])
    mine.add(ours.ask("single"))
    for turn in range(1 if quick else ROUNDS):
        for name, worker in workers.items():
            samples = found.setdefault(name, Samples(name, worker.hello["version"], PART if quick and name in SLOW else 1))
            if name in missing or (turn >= LEAST and samples.spent() >= BUDGET):
                continue
            try:
                samples.add(worker.ask("single", **asked(name, quick)))
            except CannotMeasureError as reason:
                missing[name] = str(reason)
                del found[name]
            mine.add(ours.ask("single"))
    while len(mine) < ROUNDS:
        mine.add(ours.ask("single"))
    return mine


def asked(name: str, quick: bool) -> dict[str, int]:
    return {"bars": market.BARS // PART if quick else market.BARS} if name in SLOW else {}


def fresh(ours: Worker) -> Samples:
    """haechi on bars of which nothing is known yet: the block ranges and columns are made anew."""
    found = Samples("haechi, bars never used before", ours.hello["version"])
    for _ in range(ROUNDS):
        found.add(ours.ask("single", fresh=True))
    return found


def written(mine: Samples, found: dict[str, Samples], missing: dict[str, str], unused: Samples) -> str:
    rows = [row(one, mine) for one in (mine, unused, *found.values())]
    rows += [[name, "–", "–", "–", "–", "–", "–", "–", reason] for name, reason in missing.items()]
    head = ["system", "version", "median", "min", "CPU min", "× haechi", "trades", "final equity", "measured"]
    return table(head, rows) + "\n\n" + WHY


def row(one: Samples, mine: Samples) -> list[str]:
    times_as_long = "1" if one is mine else three(times(one, mine) if one.middle() > mine.middle() else one.middle() / mine.middle())
    count = f"{len(one)} times" + (f", on 1/{PART} of the year, scaled" if one.scale > 1 else "")
    return [one.name, one.version, span(one.middle()), span(one.least()), span(one.least("cpu_seconds")), times_as_long,
            f"{one.last['trades']:,}", f"{one.last['equity']:,.2f}", count]


def verdicts(mine: Samples, found: dict[str, Samples], missing: dict[str, str]) -> list[Verdict]:
    rows = [verdict(name, (name,), target, mine, found, missing) for name, target in TARGETS.items()]
    return [*rows, verdict(" or ".join(EITHER), EITHER, EITHER_TARGET, mine, found, missing)]


def first_use(unused: Samples, found: dict[str, Samples]) -> list[Verdict]:
    """The same targets for bars that were never used before: what a first run on loaded bars costs."""
    targets = {**TARGETS, **dict.fromkeys(EITHER, EITHER_TARGET)}
    reached = {name: times(found[name], unused) for name in targets if name in found}
    return [Verdict(f"the same on bars never used before, against {name}", f"≥ {targets[name]:,} ×", f"{three(value)} ×",
                    value >= targets[name]) for name, value in reached.items()]


def verdict(title: str, names: tuple[str, ...], target: int, mine: Samples, found: dict[str, Samples], missing: dict[str, str]) -> Verdict:
    what, wanted = f"RSI single run against {title}", f"≥ {target:,} ×"
    there = [name for name in names if name in found]
    if not there:
        return Verdict(what, wanted, "; ".join(missing.get(name, "not asked for") for name in names), None)
    reached = {name: times(found[name], mine) for name in there}
    said = ", ".join(f"{name} {three(value)} ×" if len(names) > 1 else f"{three(value)} ×" for name, value in reached.items())
    return Verdict(what, wanted, said, max(reached.values()) >= target)
