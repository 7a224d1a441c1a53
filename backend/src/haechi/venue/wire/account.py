"""Futures account endpoints: money, terms, bills; and the account probes of the spot and v3 faces."""

from __future__ import annotations

from typing import Any

from haechi.venue.records import Bill
from haechi.venue.refusal import Refusal
from haechi.venue.wire import formats
from haechi.venue.wire.formats import num
from haechi.venue.wire.inputs import MONEY_MAX, Call
from haechi.venue.wire.paging import listed, page
from haechi.venue.wire.routing import route

ACCOUNT = "/api/v2/mix/account/"
SIDES = ("long", "short")
FUNDING_FILTERS = ("yes", "no", "append_margin", "adjust_down_lever_append_margin", "reduce_margin", "auto_append_margin")
WALLETS = ("spot", "p2p", "coin_futures", "usdt_futures", "usdc_futures", "crossed_margin", "isolated_margin")


def leg_of(call: Call, name: str = "holdSide", *, needed: bool = True) -> int | None:
    """Which position a request means: 0 net or long, 1 short in hedge mode."""
    word = call.word(name, (*SIDES, "buy", "sell", "net"), None if needed else "")
    if not word:
        return None
    return 1 if call.member.hedge and word in ("short", "sell") else 0


@route("GET", ACCOUNT + "account")
def account(call: Call) -> Any:
    call.product()
    call.margin_coin()
    m, member = call.market(), call.member
    return {**formats.account(member.balance()), "crossedMarginLeverage": str(member.leverage(m)),
            "isolatedLongLever": str(member.leverage(m, 0)), "isolatedShortLever": str(member.leverage(m, 1)),
            "marginMode": formats.margin_mode(cross=member.cross(m)), "posMode": member.pos_mode}


@route("GET", ACCOUNT + "accounts")
def accounts(call: Call) -> Any:
    return [formats.account(call.member.balance())] if call.ours() else []


@route("POST", ACCOUNT + "set-leverage", limit=5, needs="trade")
def set_leverage(call: Call) -> Any:
    call.product()
    call.margin_coin()
    m, member = call.market(), call.member
    figures = {name: call.whole(name, least=0, most=10**6) for name in ("leverage", "longLeverage", "shortLeverage") if call.text(name, "")}
    side = call.word("holdSide", SIDES, "")
    long, short = figures.get("longLeverage"), figures.get("shortLeverage")
    if member.hedge and not member.cross(m) and side and not (long or short):
        long, short = (figures.get("leverage"), None) if side == "long" else (None, figures.get("leverage"))
        member.set_leverage(m, long=long, short=short)
    else:
        member.set_leverage(m, leverage=figures.get("leverage"), long=long, short=short)
    return {"symbol": call.instrument.symbol, "marginCoin": "USDT", "longLeverage": str(member.leverage(m, 0)),
            "shortLeverage": str(member.leverage(m, 1)), "crossMarginLeverage": str(member.leverage(m)),
            "marginMode": formats.margin_mode(cross=member.cross(m))}


@route("POST", ACCOUNT + "set-all-leverage", limit=5, needs="trade")
def set_all_leverage(call: Call) -> Any:
    if call.ours():
        figure = call.whole("leverage", least=0, most=10**6)
        for m in range(len(call.floor.instruments)):
            call.member.set_leverage(m, leverage=figure)
    return "success"


@route("POST", ACCOUNT + "set-margin-mode", limit=5, needs="trade")
def set_margin_mode(call: Call) -> Any:
    call.product()
    call.margin_coin()
    m = call.market()
    call.member.set_margin_mode(m, call.word("marginMode", ("isolated", "crossed")) == "crossed")
    return {"symbol": call.instrument.symbol, "marginCoin": "USDT", "longLeverage": str(call.member.leverage(m, 0)),
            "shortLeverage": str(call.member.leverage(m, 1)), "marginMode": formats.margin_mode(cross=call.member.cross(m))}


@route("POST", ACCOUNT + "set-position-mode", limit=5, needs="trade")
def set_position_mode(call: Call) -> Any:
    mode = call.word("posMode", ("one_way_mode", "hedge_mode"))
    if call.ours():
        call.member.set_position_mode(mode)
    return {"posMode": mode}


@route("POST", ACCOUNT + "set-margin", limit=5, needs="trade")
def set_margin(call: Call) -> Any:
    call.product()
    call.margin_coin()
    leg = leg_of(call)
    call.member.add_margin(call.market(), leg or 0, call.amount("amount"))
    return ""


@route("POST", ACCOUNT + "set-auto-margin", limit=5, needs="trade")
def set_auto_margin(call: Call) -> Any:
    call.margin_coin()
    call.member.set_auto_margin(call.market(), leg_of(call) or 0, call.word("autoMargin", ("on", "off")) == "on")
    return "success"


@route("GET", ACCOUNT + "bill")
def bills(call: Call) -> Any:
    if not call.ours():
        return listed("bills", [], None)
    business = call.text("businessType", "").lower()
    call.word("onlyFunding", FUNDING_FILTERS, "")
    only = call.text("onlyFunding", "").lower()

    def wanted(one: Bill) -> bool:
        funding = one.business == "contract_settle_fee"
        filtered = not only or (only == "yes" and funding) or (only == "no" and not funding) or one.business == only
        return filtered and business in ("", one.business)

    found, end = page(call, [one for one in call.member.bills if wanted(one)], identity=lambda one: one.bill_id,
                      time=lambda one: one.time_ms, default=20)
    return listed("bills", [formats.bill(one, formats.symbol_of(call.floor, one.m)) for one in found], end)


@route("GET", ACCOUNT + "liq-price", limit=20)
def liq_price(call: Call) -> Any:
    call.product()
    call.margin_coin()
    m = call.market()
    call.word("orderType", ("limit", "market"))
    price = call.ticks("openPrice", call.instrument) or call.floor.point(m)
    side = call.word("posSide", SIDES)
    lots = call.lots("openAmount", call.instrument)
    if lots <= 0:
        raise Refusal("40020", "openAmount")
    return {"liqPrice": num(call.member.liquidation_if(m, 1 if side == "short" and call.member.hedge else 0, lots, price))}


@route("GET", ACCOUNT + "max-open", limit=20)
def max_open(call: Call) -> Any:
    call.product()
    call.margin_coin()
    m = call.market()
    call.word("orderType", ("limit", "market"))
    leg = 1 if call.word("posSide", SIDES) == "short" and call.member.hedge else 0
    price = call.ticks("openPrice", call.instrument) or call.floor.point(m)
    return {"maxOpen": num(call.instrument.quantity(call.member.max_open(m, leg, price)))}


@route("GET", ACCOUNT + "open-count")
def open_count(call: Call) -> Any:
    """Lots that `openAmount` of margin opens at a price and leverage."""
    call.product()
    call.margin_coin()
    m, one = call.market(), call.instrument
    price, amount = call.decimal("openPrice"), call.decimal("openAmount")
    leverage = call.whole("leverage", call.member.leverage(m), least=1, most=10**4)
    if price <= 0 or amount <= 0:
        raise Refusal("40020", "openPrice" if price <= 0 else "openAmount")
    return {"size": num(one.quantity(int(amount * leverage / (price * one.lot))))}


# ---- beside the futures account

@route("GET", "/api/v2/spot/account/assets")
def spot_assets(call: Call) -> Any:
    """The venue keeps no spot wallet: transfers bring new play money."""
    return [{"coin": "USDT", "available": "0", "frozen": "0", "locked": "0", "limitAvailable": "0", "uTime": str(call.floor.now_ms)}]


@route("GET", "/api/v2/spot/account/info", limit=1)
def account_info(call: Call) -> Any:
    key = call.key
    assert key is not None
    rights = ["readonly", *(right for right in key.permissions if right != "read")]
    return {"userId": key.member, "inviterId": "", "ips": ",".join(key.ips), "authorities": rights, "parentId": 0,
            "traderType": "not_trader", "channelCode": "", "channel": "", "regisTime": "0"}


@route("GET", "/api/v2/common/trade-rate")
def trade_rate(call: Call) -> Any:
    call.text("businessType")
    return {"makerFeeRate": num(call.instrument.maker), "takerFeeRate": num(call.instrument.taker)}


@route("POST", "/api/v2/spot/wallet/transfer", needs="transfer")
def transfer(call: Call) -> Any:
    """Between the futures account and a spot wallet that has what is asked."""
    source, target = call.word("fromType", WALLETS), call.word("toType", WALLETS)
    amount = call.amount("amount")
    if amount <= 0 or call.text("coin").upper() != "USDT":
        raise Refusal("40020", "amount" if call.text("coin").upper() == "USDT" else "coin")
    if "usdt_futures" not in (source, target) or source == target:
        raise Refusal("40020", "toType")
    client_oid = call.client_oid()
    if target == "usdt_futures" and call.member.balance().wallet + amount > MONEY_MAX:
        raise Refusal("40053", "amount", f"0 and {num(MONEY_MAX)}")
    call.member.transfer(amount if target == "usdt_futures" else -amount)
    return {"transferId": call.floor.next_id(), "clientOid": client_oid}


@route("GET", "/api/v3/account/settings")
def unified_settings(call: Call) -> Any:
    """Clients ask this to tell a unified account from a classic one: this is a classic one."""
    raise Refusal("25245")
