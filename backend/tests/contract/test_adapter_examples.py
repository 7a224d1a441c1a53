"""Every documented and recorded message of Bitget's futures v2 goes through the adapter: the envelope of all, the values of what it reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from haechi.core.instrument import Instrument
from haechi.exchanges.bitget import parse, text
from haechi.exchanges.bitget.answers import Answer, Silence, decoded, envelope
from haechi.exchanges.bitget.market import made, price_of
from haechi.exchanges.port import Bar

Reader = Callable[[Any], Any]


def each(read: Reader, *names: str) -> Reader:
    """A reader of the lists that these replies hold."""
    return lambda data: [read(one) for one in parse.lists(data, *names)]


def bars(data: Any) -> list[Bar]:
    return parse.bars(data, of="BTCUSDT", timeframe_ms=60_000)


def instruments(data: Any) -> list[Instrument]:
    tier = [{"level": "1", "startUnit": "0", "endUnit": "1000", "leverage": "10", "keepMarginRate": "0.01"}]
    return [made(one)(tier) for one in text.items(data)]


def balances(data: Any) -> list[Any]:
    return [parse.balance(one) for one in parse.lists(data, "list")]


def both_lists(data: Any) -> list[Any]:
    return [parse.ids(one) for name in ("successList", "failureList") for one in parse.lists(data, name)]


ORDER, ACCOUNT, MARKET = "/api/v2/mix/order/", "/api/v2/mix/account/", "/api/v2/mix/market/"
READERS: dict[str, Reader] = {
    f"GET {ORDER}detail": parse.order, f"GET {ORDER}orders-pending": each(parse.order, "entrustedList"),
    f"GET {ORDER}orders-history": each(parse.order, "entrustedList"), f"GET {ORDER}fills": each(parse.rest_fill, "fillList"),
    f"GET {ORDER}fill-history": each(parse.rest_fill, "fillList"), f"GET {ORDER}orders-plan-pending": each(parse.plan, "entrustedList"),
    f"GET {ORDER}orders-plan-history": each(parse.plan, "entrustedList"), f"GET {ACCOUNT}bill": each(parse.payment, "bills"),
    "GET /api/v2/mix/position/all-position": each(parse.position, "list"),
    "GET /api/v2/mix/position/single-position": each(parse.position, "list"),
    f"GET {ACCOUNT}account": parse.terms, f"GET {ACCOUNT}accounts": balances, f"GET {MARKET}contracts": instruments,
    f"GET {MARKET}candles": bars, f"GET {MARKET}history-candles": bars, f"GET {MARKET}history-mark-candles": bars,
    f"GET {MARKET}history-index-candles": bars, f"GET {MARKET}symbol-price": price_of,
    **{f"POST {ORDER}{name}": parse.ids for name in ("place-order", "modify-order", "cancel-order", "place-plan-order", "place-tpsl-order",
                                                     "modify-plan-order", "modify-tpsl-order", "click-backhand")},
    **{f"POST {ORDER}{name}": both_lists for name in ("cancel-plan-order", "batch-place-order", "batch-cancel-orders", "cancel-all-orders",
                                                      "close-positions")},
}
STREAMS: dict[str, Reader] = {"orders": parse.order, "orders-algo": parse.plan, "fill": parse.stream_fill}


def documented(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "docs-examples.json").read_text())
    return content


def recorded(folder: Path) -> list[tuple[str, Any]]:
    items = json.loads((folder / "bitgetnet-recordings.json").read_text())["items"]
    return [(f"{one['method']} {one['path']}", one["response"]) for one in items.values() if "method" in one]


def read(name: str, reply: Any) -> Any:
    """Through the envelope, and where the adapter asks this, through its reader."""
    answer = envelope(200, json.dumps(reply).encode())
    assert isinstance(answer, Answer), name
    if answer.ok and name in READERS:
        return READERS[name](answer.data)
    return None


def test_every_documented_reply_is_read(bitget_fixtures: Path) -> None:
    replies = documented(bitget_fixtures)["rest"]
    assert len(replies) > 70
    for name, reply in replies.items():
        read(name, reply)
    assert set(READERS) <= set(replies), "a reader here is of a reply that is documented nowhere"


def test_every_recorded_reply_is_read(bitget_fixtures: Path) -> None:
    replies = recorded(bitget_fixtures)
    assert len(replies) > 20
    done = [name for name, reply in replies if read(name, reply) is not None]
    assert len(done) > 10


def test_every_documented_push_of_our_channels_is_read(bitget_fixtures: Path) -> None:
    frames = documented(bitget_fixtures)["ws"]
    for channel, reader in STREAMS.items():
        frame = frames[f"USDT-FUTURES:{channel}"]
        assert [reader(one) for one in decoded(json.dumps(frame))["data"]], channel


def test_every_recorded_push_of_our_channels_is_read(bitget_fixtures: Path) -> None:
    items = json.loads((bitget_fixtures / "bitgetnet-recordings.json").read_text())["items"]
    frames = [one for name, one in items.items() if name.startswith("ws:") and one["arg"]["channel"] in STREAMS]
    assert {frame["arg"]["channel"] for frame in frames} == set(STREAMS)
    for frame in frames:
        assert [STREAMS[frame["arg"]["channel"]](one) for one in decoded(json.dumps(frame))["data"]]


def test_figures_of_documented_replies_are_the_ones_printed_there(bitget_fixtures: Path) -> None:
    replies = documented(bitget_fixtures)["rest"]
    (pending,) = read(f"GET {ORDER}orders-pending", replies[f"GET {ORDER}orders-pending"])
    assert (pending.symbol, pending.quantity, pending.filled, pending.status) == ("ETHUSDT", Decimal(100), Decimal("12.1"), "live")
    (fill,) = read(f"GET {ORDER}fill-history", replies[f"GET {ORDER}fill-history"])
    assert (fill.side, fill.price, fill.fee, fill.profit) == ("sell", Decimal("1801.33"), Decimal("0.02161596"), Decimal("0.0252"))
    (position,) = read("GET /api/v2/mix/position/all-position", replies["GET /api/v2/mix/position/all-position"])
    assert (position.quantity, position.entry, position.liquidation) == (
        Decimal("0.01"), Decimal(25000), Decimal("24144.1124161806977798"))
    (balance,) = read(f"GET {ACCOUNT}accounts", replies[f"GET {ACCOUNT}accounts"])
    assert balance.equity - balance.wallet == Decimal(23)
    funding, _ = read(f"GET {ACCOUNT}bill", replies[f"GET {ACCOUNT}bill"])
    assert (funding.business, funding.amount) == ("contract_settle_fee", Decimal("-0.004992"))


def test_a_fee_paid_in_another_coin_is_not_taken_from_the_wallet(bitget_fixtures: Path) -> None:
    (fill,) = read(f"GET {ORDER}fills", documented(bitget_fixtures)["rest"][f"GET {ORDER}fills"])
    assert fill.fee == 0  # its feeDetail is in BGB
    assert fill.side == "sell"  # hedge mode, closing what `buy` names


def test_the_recorded_contracts_are_instruments(bitget_fixtures: Path) -> None:
    listed = json.loads((bitget_fixtures / "contracts.json").read_text())["contracts"]
    found = {one.symbol: (str(one.tick), str(one.lot)) for one in instruments(listed)}
    assert found["BTCUSDT"] == ("0.1", "0.001")
    assert found["ETHUSDT"] == ("0.01", "0.01")


@pytest.mark.parametrize("cut", [1, 2, 10, 50, 90])
def test_a_torn_documented_reply_is_silence(bitget_fixtures: Path, cut: int) -> None:
    for name, reply in documented(bitget_fixtures)["rest"].items():
        body = json.dumps(reply).encode()
        assert isinstance(envelope(200, body[:-max(1, len(body) * cut // 100)]), Silence), name


def test_every_field_of_a_documented_reply_may_be_hostile_and_nothing_but_unreadable_is_raised(bitget_fixtures: Path) -> None:
    hostile: list[Any] = [None, "", "NaN", "1e308", "-0", [], {}, True, "☃", 10**40, "x" * 1000]
    count = 0
    for name, reply in documented(bitget_fixtures)["rest"].items():
        if name not in READERS:
            continue
        for changed in variants(reply["data"], hostile):
            count += 1
            try:
                READERS[name](changed)
            except text.Unreadable:
                continue
    assert count > 3_000


def variants(data: Any, hostile: list[Any]) -> list[Any]:
    """The data with one leaf or one object replaced, each in turn."""
    found: list[Any] = list(hostile)
    keys = list(data) if isinstance(data, dict) else list(range(len(data))) if isinstance(data, list) else []
    for key in keys:
        for inner in variants(data[key], hostile):
            changed = dict(data) if isinstance(data, dict) else list(data)
            changed[key] = inner
            found.append(changed)
    return found
