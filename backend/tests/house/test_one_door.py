"""One door to an exchange, read from the source text: what orders passes the desk, and the desk only with the gate's approval.

`.place(`, `.modify(` and `.cancel(` of an exchange are called by trading/desk*.py alone; every function that places takes an `Approved`;
only trading/gate.py makes one; bots, admin, research and telegram know no exchange by name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "haechi"
BEHIND = ("exchanges/", "venue/")  # the other side of the door: what an exchange is made of
ORDERS = {"place", "modify", "cancel"}
KINDS = {"Exchange", "Traceable", "Bitget", "Paper", "PaperExchange", "Ccxt"}
NAMES = {"exchange", "venue", "adapter", "wire", "bitget"}  # how an exchange is called where no annotation says it
NO_EXCHANGE = ("bots/", "admin/", "research/", "telegram/", "assistant/", "realtime/")
FORBIDDEN = ("haechi.exchanges.bitget", "haechi.exchanges.ccxt", "haechi.venue.orders", "haechi.venue.plans", "haechi.venue.member",
             "haechi.venue.requests", "haechi.venue.wire", "haechi.venue.account", "haechi.venue.paper", "haechi.venue.exchange.Paper")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def wrong(path: str, source: str) -> list[str]:
    """What breaks the rules in a file of this path under haechi/."""
    tree = ast.parse(source)
    found = [] if path.startswith(BEHIND) else [*orders(path, tree), *unapproved(tree)]
    if path != "trading/gate.py":
        found += [f"line {call.lineno}: makes an Approved; only trading/gate.py does" for call in calls(tree)
                  if ast.unparse(call.func).split(".")[-1] == "Approved" or any(ast.unparse(given) == "Approved" for given in forgers(call))]
    if path.startswith(NO_EXCHANGE):
        found += [f"imports {name}; the desk is the door" for name in imports(tree) if name.startswith(FORBIDDEN)]
    return found


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def forgers(call: ast.Call) -> list[ast.expr]:
    """Arguments by which a value is made of a type: convert(x, Approved), object.__new__(Approved)."""
    made = ast.unparse(call.func).split(".")[-1] in ("convert", "__new__", "decode", "construct")
    return [*call.args, *(one.value for one in call.keywords)] if made else []


def orders(path: str, tree: ast.Module) -> Iterator[str]:
    if path.startswith("trading/desk"):
        return
    exchanges = NAMES | annotated(tree)
    for node in ast.walk(tree):
        taken = isinstance(node, ast.Attribute) and node.attr in ORDERS and set(parts(node.value)) & exchanges
        asked = isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr" and len(node.args) > 1 and set(parts(node.args[0])) & exchanges
        if taken or asked:
            yield f"line {node.lineno}: {ast.unparse(node)} reaches an exchange; only trading/desk*.py may"  # type: ignore[attr-defined]


def annotated(tree: ast.AST) -> set[str]:
    """Names that are said to be an exchange."""
    said = [(node.arg, node.annotation) for node in ast.walk(tree) if isinstance(node, ast.arg)]
    said += [(parts(node.target)[-1], node.annotation) for node in ast.walk(tree) if isinstance(node, ast.AnnAssign) and parts(node.target)]
    return {name for name, kind in said if kind is not None and words(kind) & KINDS}


def parts(node: ast.expr) -> list[str]:
    """self.desk.exchange -> [self, desk, exchange]; what is called or indexed counts by its name."""
    if isinstance(node, ast.Attribute):
        return [*parts(node.value), node.attr]
    if isinstance(node, ast.Call | ast.Subscript | ast.Await):
        return parts(node.func if isinstance(node, ast.Call) else node.value)
    return [node.id] if isinstance(node, ast.Name) else []


def words(kind: ast.expr) -> set[str]:
    text = ast.unparse(kind)
    return set("".join(sign if sign.isalnum() or sign == "_" else " " for sign in text).split())


def unapproved(tree: ast.Module) -> Iterator[str]:
    for function in (node for node in ast.walk(tree) if isinstance(node, Function)):
        places = [call for call in calls(function) if isinstance(call.func, ast.Attribute) and call.func.attr == "place"
                  and set(parts(call.func.value)) & (NAMES | annotated(tree))]
        given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        if places and not any(one.annotation is not None and ast.unparse(one.annotation).strip("'\"") == "Approved" for one in given):
            yield f"line {function.lineno}: {function.name} places an order without an Approved"


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{one.name}" for one in node.names)


FILES = {str(path.relative_to(SOURCE)): path for path in sorted(SOURCE.rglob("*.py"))}


@pytest.mark.parametrize("path", FILES)
def test_there_is_one_door(path: str) -> None:
    found = wrong(path, FILES[path].read_text(encoding="utf-8"))
    assert not found, f"{path}: {found}"


def test_somebody_does_place_orders() -> None:
    """Or the rules above would look at nothing."""
    found = [path for path, file in FILES.items() if path.startswith("trading/desk") and "exchange.place(" in file.read_text(encoding="utf-8")]
    assert found, "no trading/desk*.py calls exchange.place: the rules look for another name now"


PLANTED = {
    "a bot that places": ("bots/runner.py", "async def go(self): await self.exchange.place(order)", "reaches an exchange"),
    "a router that cancels": ("trading/router.py", "async def go(desk): await desk.exchange.cancel('x')", "reaches an exchange"),
    "by another name": ("bots/runner.py", "async def go(door: Traceable): await door.modify(order)", "reaches an exchange"),
    "by a field": ("admin/bots.py", "class A:\n    way: 'Exchange | None'\n    async def go(self): await self.way.place(1)", "reaches an exchange"),
    "by its name as text": ("bots/runner.py", "def go(exchange): return getattr(exchange, 'pl' + 'ace')", "reaches an exchange"),
    "kept for later": ("bots/runner.py", "def go(exchange): send = exchange.place", "reaches an exchange"),
    "fetched on the way": ("trading/alarms.py", "async def go(c): await c.exchange(1).place(2)", "reaches an exchange"),
    "a desk without approval": ("trading/desk_more.py", "async def go(self, order): await self.exchange.place(order)", "without an Approved"),
    "approval of another kind": ("trading/desk.py", "async def go(self, order: Refused): await self.exchange.place(order)", "without an Approved"),
    "a forged approval": ("trading/desk.py", "def go(): return Approved(1)", "makes an Approved"),
    "forged by its module": ("bots/runner.py", "def go(): return gate.Approved(decision=1)", "makes an Approved"),
    "forged by conversion": ("trading/desk.py", "def go(): return msgspec.convert({'decision': 1}, Approved)", "makes an Approved"),
    "a bot that knows Bitget": ("bots/service.py", "def go():\n    from haechi.exchanges.bitget.adapter import Bitget", "imports haechi.exchanges.bitget"),
    "research that knows the paper venue": ("research/task.py", "import haechi.venue.paper", "imports haechi.venue.paper"),
    "an admin who orders at the venue": ("admin/bots.py", "from haechi.venue import orders", "imports haechi.venue.orders"),
}


@pytest.mark.parametrize(("path", "source", "says"), PLANTED.values(), ids=PLANTED)
def test_a_second_door_is_found(path: str, source: str, says: str) -> None:
    assert any(says in one for one in wrong(path, source))


@pytest.mark.parametrize(("path", "source"), [
    ("trading/desk_door.py", "async def send(self, approved: Approved, order): await self.desk.exchange.place(order)"),
    ("bots/runner.py", "async def stop(self): self.task.cancel()"), ("bots/runner.py", "async def stop(self): await self.desk.cancel(one)"),
    ("exchanges/bitget/adapter.py", "async def place(self, order): await self.wire.place(order)"),
    ("trading/gate.py", "def judge(self): return Approved(1)"), ("bots/runner.py", "def go(exchange: Traceable): exchange.listen(1)")])
def test_what_is_right_is_not_found(path: str, source: str) -> None:
    assert wrong(path, source) == []
