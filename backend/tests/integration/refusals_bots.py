"""Requests about bots that are refused: what is sent, and the status, code and words of the answer. A new refusal is one row.

`{one}`: a stopped bot of the person; `{running}`: one that runs; `{other}`: another person's; `{missing}`: nobody's; `{account}`: the
person's account, `{foreign}`: another's.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Refusal(NamedTuple):
    method: str
    path: str
    body: Any
    status: int
    code: str
    said: str


BOTS = "/bot-instances"


def made(body: Any, status: int, code: str, said: str) -> Refusal:
    return Refusal("POST", BOTS, body, status, code, said)


def changed(body: Any, status: int, code: str, said: str, which: str = "{one}") -> Refusal:
    return Refusal("PUT", f"{BOTS}/{which}", body, status, code, said)


REFUSALS = [
    # ---- making one
    made({"strategy": "rsii"}, 422, "bad_input", "did you mean 'rsi'"),
    made({"strategy": "RSI"}, 422, "validation", "strategy"),
    made({"strategy": {"name": "x"}}, 422, "bad_input", "timeframe"),
    made({"strategy": 7}, 422, "validation", "strategy"),
    made({"symbol": "BTCUSD"}, 422, "bad_input", "BTCUSDT"),
    made({"symbol": "BTC/USDT"}, 422, "validation", "symbol"),
    made({"timeframe": "7m"}, 422, "bad_input", "not a timeframe"),
    made({"timeframe": "m"}, 422, "validation", "timeframe"),
    made({"params": {"period": 0}}, 422, "bad_input", "from 2 to 200"),
    made({"params": {"perod": 5}}, 422, "bad_input", "did you mean 'period'"),
    made({"params": {"period": [1]}}, 422, "validation", "params"),
    made({"params": {f"p{n}": n for n in range(65)}}, 422, "validation", "64"),
    made({"overrides": {"leverage": 500}}, 422, "bad_input", "leverage"),
    made({"overrides": {"leverage": 21}}, 409, "leverage_limit", "at most 20"),
    made({"overrides": {"stop_loss.percnt": 1}}, 422, "bad_input", "stop_loss.percent"),
    made({"overrides": {"mode": "hedge"}}, 422, "bad_input", "hedge"),
    made({"allocation": 0}, 422, "validation", "allocation"),
    made({"allocation": -5}, 422, "validation", "allocation"),
    made({"allocation": "100.1"}, 422, "validation", "allocation"),
    made({"allocation": "NaN"}, 422, "validation", "allocation"),
    made({"allocation": "0.00001"}, 422, "validation", "allocation"),
    made({"name": ""}, 422, "validation", "name"),
    made({"name": "a" * 65}, 422, "validation", "name"),
    made({"name": "two\nlines"}, 422, "validation", "control characters"),
    made({"name": " around "}, 422, "validation", "spaces"),
    made({"account_id": "mine"}, 422, "validation", "account_id"),
    made({"account_id": "0" * 32}, 404, "not_found", "There is no such account."),
    made({"account_id": "{foreign}"}, 404, "not_found", "There is no such account."),
    made({"capital": "1000"}, 422, "validation", "capital"),
    made({"user_id": "0" * 32}, 422, "validation", "user_id"),
    made({"desired": "running"}, 422, "validation", "desired"),
    made([], 422, "validation", "body"),
    # ---- one that is not there, or not this person's
    *[Refusal(method, f"{BOTS}/{{{whose}}}{path}", body, 404, "not_found", "There is no such bot.")
      for whose in ("missing", "other") for method, path, body in [
          ("GET", "", None), ("PUT", "", {"name": "mine"}), ("DELETE", "", None), ("POST", "/stop", {"flatten": True}), ("GET", "/stats", None),
          ("GET", "/why", None), ("GET", "/logs", None), ("POST", "/start", None)]],
    Refusal("GET", f"{BOTS}/not-an-id", None, 422, "validation", "id"),
    # ---- changing one
    changed({}, 422, "bad_input", "Nothing was named"),
    changed({"name": None}, 422, "bad_input", "Nothing was named"),
    changed({"strategy": "rsii"}, 422, "bad_input", "did you mean 'rsi'"),
    changed({"params": {"period": 0}}, 422, "bad_input", "from 2 to 200"),
    changed({"overrides": {"leverage": 21}}, 409, "leverage_limit", "at most 20"),
    changed({"account_id": "{foreign}"}, 404, "not_found", "There is no such account."),
    changed({"observed": "running"}, 422, "validation", "observed"),
    changed({"allocation": "20"}, 409, "bot_running", "only its name can change", "{running}"),
    changed({"name": "new", "params": {"period": 5}}, 409, "bot_running", "only its name can change", "{running}"),
    # ---- starting, stopping, deleting
    Refusal("POST", f"{BOTS}/{{running}}/start", None, 409, "bot_running", "already"),
    Refusal("DELETE", f"{BOTS}/{{running}}", None, 409, "bot_running", "stop it before"),
    Refusal("POST", f"{BOTS}/{{one}}/stop", None, 409, "bot_stopped", "does not run"),
    Refusal("POST", f"{BOTS}/{{running}}/stop", {"flatten": "perhaps"}, 422, "validation", "flatten"),
    Refusal("POST", f"{BOTS}/{{running}}/stop", {"close": True}, 422, "validation", "close"),
    Refusal("POST", f"{BOTS}/stop-all", {"close": True}, 422, "validation", "close"),
    Refusal("POST", f"{BOTS}/{{same_symbol}}/start", None, 409, "symbol_taken", "BTCUSDT is traded by your bot"),
    Refusal("POST", f"{BOTS}/{{too_much}}/start", None, 409, "allocation_exceeded", "wants 95 % of the account, and 90 % of it are free"),
    # ---- looking
    Refusal("GET", f"{BOTS}?observed=dead", None, 422, "validation", "observed"),
    Refusal("GET", f"{BOTS}?kind=cat", None, 422, "validation", "kind"),
    Refusal("GET", f"{BOTS}?limit=0", None, 422, "validation", "limit"),
    Refusal("GET", f"{BOTS}?limit=201", None, 422, "validation", "limit"),
    Refusal("GET", f"{BOTS}/{{one}}/logs?cursor=YWJj", None, 422, "bad_input", "cursor"),
]
