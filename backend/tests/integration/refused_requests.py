"""Requests that are refused: what is sent, and the status, code and words of the answer. A new refusal is one row; docs/refusals.md shows
them all.

`{account}`: the person's account, `{foreign}`: another's, `{closed}`: one that is closed; `{resting}`: an order that rests, `{over}`: one that
is cancelled, `{stranger}`: one that was not given here, `{theirs}`: another person's; `{one}`, `{running}`, `{other}`, `{same_symbol}`,
`{too_much}`: bots as in refusals_bots; `{grid}`: a stopped grid; `{missing}`: nobody's; who `holder` holds 0.01 BTCUSDT in `{held}`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from refusals_bots import REFUSALS as OF_BOTS

KEY = {"mode": "demo", "label": "demo", "api_key": "bg_0123456789abcdef", "secret": "0123456789abcdef0123", "passphrase": "words of mine"}
PLAN = {"lower": "55000", "upper": "65000", "cells": 20, "quantity": "0.001"}


class Row(NamedTuple):
    """who: mina, or `nobody`, `stale` (signed in long ago), `killed`, `narrow` (allows only ETHUSDT), `holder`."""

    method: str
    path: str
    body: Any
    status: int
    code: str
    said: str
    who: str = "mina"


def submit(body: Any, status: int, code: str, said: str, who: str = "mina") -> Row:
    given = {"symbol": "BTCUSDT", "side": "buy", "quantity": "0.01", **body} if isinstance(body, dict) else body
    return Row("POST", "/order/submit", {name: value for name, value in given.items() if value != "-"} if isinstance(given, dict) else given,
               status, code, said, who)


def limit(price: str, **body: Any) -> dict[str, Any]:
    return {"kind": "limit", "price": price, **body}


def risk(body: Any, status: int, code: str, said: str, who: str = "mina") -> Row:
    return Row("PUT", "/account/risk-settings", body, status, code, said, who)


def key(changed: dict[str, Any], status: int, code: str, said: str, who: str = "mina") -> Row:
    return Row("POST", "/account/keys", KEY | changed, status, code, said, who)


def account(body: Any, status: int, code: str, said: str, who: str = "mina") -> Row:
    return Row("POST", "/account", body, status, code, said, who)


def grid(changed: dict[str, Any], status: int, code: str, said: str) -> Row:
    return Row("POST", "/grid-bot/preview", {name: value for name, value in ({"symbol": "BTCUSDT"} | PLAN | changed).items() if value != "-"},
               status, code, said)


ORDERS = [
    # ---- what no order is
    submit([], 422, "validation", "dictionary"),
    submit({"side": "hold"}, 422, "validation", "side"),
    submit({"kind": "iceberg"}, 422, "validation", "kind"),
    submit({"symbol": "BTC/USDT"}, 422, "validation", "symbol"),
    submit({"symbol": "-"}, 422, "validation", "symbol"),
    submit({"symbol": "BTCUSD"}, 422, "symbol", "no market BTCUSD"),
    submit({"quantity": "0"}, 422, "validation", "quantity"),
    submit({"quantity": "-1"}, 422, "validation", "quantity"),
    submit({"quantity": "NaN"}, 422, "validation", "quantity"),
    submit({"quantity": "Infinity"}, 422, "validation", "quantity"),
    submit({"quantity": "much"}, 422, "validation", "quantity"),
    submit({"quantity": "-"}, 422, "validation", "either quantity or notional"),
    submit({"notional": "100"}, 422, "validation", "either quantity or notional"),
    submit({"price": "60000"}, 422, "validation", "a market order has no price"),
    submit({"kind": "limit"}, 422, "validation", "a limit order needs a price"),
    submit({"kind": "post_only"}, 422, "validation", "a post_only order needs a price"),
    submit({"kind": "stop"}, 422, "validation", "a stop order needs a trigger"),
    submit({"kind": "stop_limit", "price": "60000"}, 422, "validation", "a stop_limit order needs a trigger"),
    submit(limit("50000", trigger="50000"), 422, "validation", "a limit order has no trigger"),
    submit({"leverage": 0}, 422, "validation", "leverage"),
    submit({"leverage": 126}, 422, "validation", "leverage"),
    submit({"leverage": 2.5}, 422, "validation", "leverage"),
    submit({"reduce_only": True, "side": "sell", "leverage": 3}, 422, "validation", "changes no leverage"),
    submit({"reduce_only": True, "bracket": {"stop_loss": {"percent": "2"}}}, 422, "validation", "has no bracket"),
    submit({"user_id": "0" * 32}, 422, "validation", "user_id"),
    submit({"bot_id": "{one}"}, 422, "validation", "bot_id"),
    submit({"status": "filled"}, 422, "validation", "status"),
    submit({"account_id": "mine"}, 422, "validation", "account_id"),
    submit({"account_id": "{missing}"}, 404, "not_found", "There is no such account."),
    submit({"account_id": "{foreign}"}, 404, "not_found", "There is no such account."),
    submit({"account_id": "{closed}"}, 409, "account_closed", "closed"),
    # ---- what this market does not take
    submit({"quantity": "0.0105"}, 422, "lot", "no multiple of 0.001"),
    submit({"symbol": "XRPUSDT", "quantity": "10.5"}, 422, "lot", "no multiple of 1"),
    submit({"quantity": "-", "notional": "10"}, 422, "min_quantity", "less than 0.001"),
    submit({"symbol": "XRPUSDT", "quantity": "3"}, 422, "min_value", "must be worth 5 USDT"),
    submit(limit("50000.05"), 422, "tick", "price 50000.05 is no multiple of 0.1"),
    submit({"kind": "stop", "trigger": "61000.01"}, 422, "tick", "trigger 61000.01 is no multiple of 0.1"),
    # ---- brackets
    submit({"bracket": {}}, 422, "validation", "stop_loss, take_profit or both"),
    submit({"bracket": {"stop_loss": {}}}, 422, "validation", "either price or percent"),
    submit({"bracket": {"stop_loss": {"price": "58000", "percent": "2"}}}, 422, "validation", "either price or percent"),
    submit({"bracket": {"stop_loss": {"percent": "100"}}}, 422, "validation", "percent"),
    submit({"bracket": {"stop_loss": {"percent": "0"}}}, 422, "validation", "percent"),
    submit({"bracket": {"trailing": {"percent": "1"}}}, 422, "validation", "trailing"),
    submit({"bracket": {"stop_loss": {"price": "58000.01"}}}, 422, "tick", "stop_loss 58000.01"),
    submit({"bracket": {"take_profit": {"price": "62000.05"}}}, 422, "tick", "take_profit 62000.05"),
    submit({"bracket": {"stop_loss": {"price": "61000"}}}, 422, "bracket", "stop_loss of a buy order lies below"),
    submit({"bracket": {"take_profit": {"price": "59000"}}}, 422, "bracket", "take_profit of a buy order lies above"),
    submit({"side": "sell", "bracket": {"stop_loss": {"price": "59000"}}}, 422, "bracket", "stop_loss of a sell order lies above"),
    submit(limit("50000", bracket={"stop_loss": {"price": "50000"}}), 422, "bracket", "about 50000"),
    # ---- what the gate does not let pass
    submit({"leverage": 11}, 409, "leverage", "asked 11, allowed 10"),
    submit({"quantity": "20"}, 409, "order_value_max", "asked 1200000, allowed 1000000"),
    submit({"quantity": "4"}, 409, "exposure", "asked 240300"),
    submit({"quantity": "0.2"}, 409, "available", "asked 12007.2"),
    submit({"leverage": 2}, 409, "position_open", "refused leverage 2"),
    submit(limit("64000"), 409, "price_collar", "63000 (5 % from 60000)"),
    submit({"side": "sell", **limit("56000")}, 409, "price_collar", "57000 (5 % from 60000)"),
    submit(limit("6000"), 409, "price_distance", "80 % from 60000"),
    submit({"side": "sell", "reduce_only": True}, 409, "reduces_at_most", "asked sell 0.01, allowed 0"),
    submit({}, 409, "killed", "the kill switch of the user", "killed"),
    submit({}, 409, "symbol", "allowed ETHUSDT", "narrow"),
    submit({"side": "sell", "quantity": "0.011", "reduce_only": True}, 409, "reduces_at_most", "allowed 0.01", "holder"),
    submit({}, 401, "not_authenticated", "", "nobody"),
    # ---- closing
    Row("POST", "/order/close/BTCUSDT", None, 422, "position_id", "account:symbol"),
    Row("POST", "/order/close/{account}:BTCUSDT:somebody", None, 422, "position_id", "account:symbol"),
    Row("POST", "/order/close/{account}:BTCUSDT", None, 404, "not_found", "There is no such position."),
    Row("POST", "/order/close/{account}:NOPE", None, 404, "not_found", "There is no such position."),
    Row("POST", "/order/close/{missing}:BTCUSDT", None, 404, "not_found", "There is no such position."),
    Row("POST", "/order/close/{foreign}:BTCUSDT", None, 404, "not_found", "There is no such position."),
    Row("POST", "/order/close/{held}:BTCUSDT", None, 404, "not_found", "There is no such position."),
    Row("POST", "/order/close/{account}:BTCUSDT:{other}", None, 404, "not_found", "There is no such position."),
    Row("POST", "/order/close/{account}:BTCUSDT:{missing}", None, 404, "not_found", "There is no such position."),
    Row("POST", "/order/close/{account}:BTCUSDT:{running}", None, 409, "bot_running", "stop with flatten"),
    Row("POST", "/order/close/{account}:ETHUSDT:{one}", None, 404, "not_found", "There is no such position."),
    Row("POST", "/order/close/{account}:BTCUSDT", {"quantity": "0"}, 422, "validation", "quantity"),
    Row("POST", "/order/close/{account}:BTCUSDT", {"price": "60000"}, 422, "validation", "price"),
    Row("POST", "/order/close/{held}:BTCUSDT", {"quantity": "0.02"}, 409, "reduces_at_most", "asked 0.02, allowed 0.01", "holder"),
    Row("POST", "/order/close/{held}:BTCUSDT", {"quantity": "0.0005"}, 422, "lot", "no multiple of 0.001", "holder"),
    # ---- looking and cancelling
    Row("GET", "/order/{missing}", None, 404, "not_found", "There is no such order."),
    Row("GET", "/order/{theirs}", None, 404, "not_found", "There is no such order."),
    Row("GET", "/order/what is this", None, 422, "validation", "id"),
    Row("DELETE", "/order/{missing}", None, 404, "not_found", "There is no such order."),
    Row("DELETE", "/order/{theirs}", None, 404, "not_found", "There is no such order."),
    Row("DELETE", "/order/{over}", None, 409, "order_ended", "canceled already"),
    Row("DELETE", "/order/{stranger}", None, 409, "consent_needed", "consent=true"),
    Row("DELETE", "/order/{stranger}?consent=perhaps", None, 422, "validation", "consent"),
    Row("DELETE", "/order/{of_a_bot}", None, 409, "bot_running", "stop it"),
    Row("GET", "/order/list?status=lost", None, 422, "validation", "status"),
    Row("GET", "/order/list?origin=me", None, 422, "validation", "origin"),
    Row("GET", "/order/list?account_id=mine", None, 422, "validation", "account_id"),
    Row("GET", "/order/list?limit=201", None, 422, "validation", "limit"),
    Row("GET", "/order/list?cursor=YWJj", None, 422, "bad_input", "cursor"),
    Row("POST", "/order/panic", {"close": "perhaps"}, 422, "validation", "close"),
    Row("POST", "/order/panic", {"everybody": True}, 422, "validation", "everybody"),
    Row("POST", "/order/panic", None, 401, "not_authenticated", "", "nobody"),
    Row("DELETE", "/order/panic", None, 403, "fresh_2fa_needed", "", "stale"),
]

ACCOUNTS = [
    account({"name": ""}, 422, "validation", "name"),
    account({"name": "x" * 65}, 422, "validation", "name"),
    account({"name": "a", "capital": "0"}, 422, "validation", "capital"),
    account({"name": "a", "capital": "NaN"}, 422, "validation", "capital"),
    account({"name": "a", "mode": "real"}, 422, "validation", "mode"),
    account({"name": "a", "isolation": "none"}, 422, "validation", "isolation"),
    account({"name": "a", "mode": "demo"}, 409, "no_key", "needs a key"),
    account({"name": "a", "mode": "demo", "capital": "100"}, 422, "bad_input", "A paper account has capital and no key"),
    account({"name": "a", "key_id": "{missing}"}, 422, "bad_input", "A paper account has capital and no key"),
    account({"name": "a", "mode": "demo", "key_id": "{missing}"}, 404, "not_found", "no such key"),
    account({"name": "a", "mode": "live", "key_id": "{missing}"}, 403, "fresh_2fa_needed", "", "stale"),
    Row("POST", "/account/{missing}/close", None, 404, "not_found", "There is no such account."),
    Row("POST", "/account/{foreign}/close", None, 404, "not_found", "There is no such account."),
    Row("POST", "/account/{account}/close", None, 409, "account_in_use", "The account is in use."),
    Row("PUT", "/account/{account}/isolation", {"isolation": "mixed"}, 422, "validation", "isolation"),
    Row("PUT", "/account/{account}/isolation", {"isolation": "netted"}, 409, "account_in_use", "The account is in use."),
    Row("PUT", "/account/{closed}/isolation", {"isolation": "netted"}, 409, "account_closed", "closed"),
    Row("GET", "/account/balance?account_id={foreign}", None, 404, "not_found", "There is no such account."),
    Row("GET", "/account/balance?account_id=mine", None, 422, "validation", "account_id"),
    Row("GET", "/account/positions?account_id={missing}", None, 404, "not_found", "There is no such account."),
    Row("GET", "/account/ledger?account_id={foreign}", None, 404, "not_found", "No such account."),
    Row("GET", "/account/ledger?kind=gift", None, 422, "validation", "kind"),
    Row("GET", "/account/ledger?from=yesterday", None, 422, "validation", "from"),
    Row("GET", "/account/list", None, 401, "not_authenticated", "", "nobody"),
]

KEYS = [
    key({"exchange": "kraken"}, 422, "validation", "exchange"),
    key({"mode": "paper"}, 422, "validation", "mode"),
    key({"api_key": "short"}, 422, "validation", "api_key"),
    key({"api_key": "bg_0123456789\nabcdef"}, 422, "validation", "printable ASCII"),
    key({"secret": " 0123456789abcdef0123"}, 422, "validation", "printable ASCII"),
    key({"passphrase": ""}, 422, "validation", "passphrase"),
    key({"label": "two\nlines"}, 422, "validation", "label"),
    key({"withdraw": True}, 422, "validation", "withdraw"),
    key({}, 403, "fresh_2fa_needed", "", "stale"),
    Row("POST", "/account/keys/{missing}/check", None, 404, "not_found", "no such key"),
    Row("DELETE", "/account/keys/{missing}", None, 404, "not_found", "no such key"),
    Row("POST", "/account/keys/{missing}/fix", {"fix": "one_way"}, 404, "not_found", "no such key"),
    Row("POST", "/account/keys/{missing}/fix", {"fix": "everything"}, 422, "validation", "fix"),
]

RISK = [
    risk({"max_leverage": 0}, 422, "validation", "max_leverage"),
    risk({"max_leverage": 101}, 422, "validation", "max_leverage"),
    risk({"max_positions": 51}, 422, "validation", "max_positions"),
    risk({"daily_loss_limit": "0"}, 422, "validation", "daily_loss_limit"),
    risk({"daily_loss_limit": "-500"}, 422, "validation", "daily_loss_limit"),
    risk({"daily_loss_limit": "NaN"}, 422, "validation", "daily_loss_limit"),
    risk({"price_collar_percent": "101"}, 422, "validation", "price_collar_percent"),
    risk({"orders_per_minute": 6001}, 422, "validation", "orders_per_minute"),
    risk({"duplicate_window_ms": -1}, 422, "validation", "duplicate_window_ms"),
    risk({"allowed_symbols": ["btc usdt"]}, 422, "validation", "allowed_symbols"),
    risk({"kill": False}, 422, "validation", "kill"),
    risk({"order_value_min": "10", "order_value_max": "5"}, 422, "bad_input", "no order would pass"),
    risk({"max_leverage": 20}, 403, "fresh_2fa_needed", "", "stale"),
    risk({"daily_loss_limit": "100000"}, 403, "fresh_2fa_needed", "", "stale"),
]

GRIDS = [
    grid({"cells": "-"}, 422, "validation", "either cells or lines"),
    grid({"lines": 9}, 422, "validation", "either cells or lines"),
    grid({"cells": 1}, 422, "validation", "cells"),
    grid({"cells": 201}, 422, "validation", "cells"),
    grid({"lower": "-"}, 422, "validation", "needs lower and upper"),
    grid({"range": "auto"}, 422, "validation", "takes neither"),
    grid({"lower": "70000"}, 422, "bad_input", "below upper"),
    grid({"upper": "55000.5"}, 422, "bad_input", "finer than the tick"),
    grid({"quantity": "0.00001"}, 422, "bad_input", "below the least order"),
    grid({"investment": "5"}, 422, "validation", "either a quantity"),
    grid({"direction": "up"}, 422, "validation", "direction"),
    grid({"stop_lower": "999999"}, 422, "bad_input", "stop_lower"),
    grid({"leverage": 126}, 422, "validation", "leverage"),
    grid({"symbol": "NOPE"}, 404, "not_found", "no market NOPE"),
    Row("GET", "/grid-bot/{missing}/config", None, 404, "not_found", "There is no such"),
    Row("POST", "/grid-bot/{missing}/start", None, 404, "not_found", "There is no such"),
    Row("POST", "/grid-bot/{one}/start", None, 404, "not_found", "There is no such"),
    Row("GET", "/grid-bot/market/NOPE", None, 404, "not_found", "NOPE"),
]

FORM = [
    Row("POST", "/bot/start", {"strategy": "rsii"}, 422, "bad_input", "did you mean 'rsi'"),
    Row("POST", "/bot/start", {"symbol": "BTCUSD"}, 422, "bad_input", "BTCUSDT"),
    Row("POST", "/bot/start", {"timeframe": "7m"}, 422, "bad_input", "not a timeframe"),
    Row("POST", "/bot/start", {"capital": "0"}, 422, "validation", "capital"),
    Row("POST", "/bot/start", {"overrides": {"leverage": 500}}, 422, "bad_input", "leverage"),
    Row("POST", "/bot/start", {"leverage": 5}, 422, "validation", "leverage"),
    Row("POST", "/bot/start", {}, 409, "killed", "kill switch", "killed"),
    Row("POST", "/bot/stop", None, 404, "not_found", "No bot", "killed"),
]

BOTS = [Row(*row) for row in OF_BOTS]
TABLE: dict[str, list[Row]] = {"Orders": ORDERS, "Accounts": ACCOUNTS, "Keys": KEYS, "Limits": RISK, "Bots": BOTS, "The one-bot form": FORM, "Grids": GRIDS}
