"""Where everything stands in the flat arrays of the compiled engine. Names here, rules in the modules that use them.

`state` is int64[1 + 2·markets, WIDTH]: row 0 is the account, then two rows a market (the net or long leg, the short leg of
hedge mode). `plans` is int64[markets, …]: one encoded plan a market. `stats` is float64[STATS]. `trades` is int64[n, TRADE].
Prices in ticks, quantities in lots, money and rates in 1e-8.
"""

from __future__ import annotations

# ---- the account (row 0 of state)
WALLET, HELD, DAY, DAY_EQUITY, LAST_EQUITY, BLOCKED_DAY = 0, 1, 2, 3, 4, 5
PEAK, DRAWDOWN_UNTIL, STREAK, STREAK_UNTIL, FLATTEN = 6, 7, 8, 9, 10
INSTANT = 11  # number of the next close on the merged timeline
TOP = 12  # highest equity so far, for the drawdown figure
TRADES, WINS, GROSS_PROFIT, GROSS_LOSS, FEES, FUNDING, LIQUIDATIONS = 13, 14, 15, 16, 17, 18, 19
BARS_IN, SAMPLES, SAMPLE_EQUITY = 20, 21, 22
REFUSED = 23  # six counters, in the order of REFUSALS
REFUSALS = ("below_minimum", "margin", "leverage", "post_only", "no_volatility", "too_large")
R_MINIMUM, R_MARGIN, R_LEVERAGE, R_POST_ONLY, R_VOLATILITY, R_TOO_LARGE = range(6)

# ---- one leg (rows 1…)
LOTS, COST, MARGIN, PAID_FEES, PAID_FUNDING = 0, 1, 2, 3, 4
ENTRY_TS, ENTRY_BAR, FIRST_PRICE, FIRST_LOTS, POSITION_PNL, MARK = 5, 6, 7, 8, 9, 10
STOP, STOP_REASON, LIQUIDATION = 11, 12, 13
BREAK_EVEN_AT, BREAK_EVEN_STOP = 14, 15
TRAIL_AT, TRAIL_ON, EXTREME = 16, 17, 18
TARGET_PRICE, TARGET_LOTS = 19, 23  # four each
STEP_PRICE, STEP_LOTS, STEPS_DONE = 27, 28, 29
EXIT_WISH, COOL_UNTIL, BAR = 30, 31, 32
ENTRY_KIND, ENTRY_SIDE, ENTRY_LOTS, ENTRY_LIMIT, ENTRY_TRIGGER, ENTRY_UNTIL, ENTRY_FRESH = 33, 34, 35, 36, 37, 38, 39
WIDTH = 40

# ---- the encoded plan
UNIT, MAKER, TAKER, MIN_LOTS, MIN_NOTIONAL, SLIPPAGE, READING = 0, 1, 2, 3, 4, 5, 6
LEVERAGE, CROSS, HEDGE, ON_OPPOSITE = 7, 8, 9, 10
SIZE_KIND, SIZE_AMOUNT = 11, 12
PLAN_ENTRY, ENTRY_OFFSET, LIMIT_OFFSET, ENTRY_BARS = 13, 14, 15, 16
STOP_LOSS, BREAK_EVEN, TRAIL_DISTANCE, TRAIL_ACTIVATION = 17, 18, 19, 20
TARGETS, TARGET_PERCENT, TARGET_SHARE, TARGETS_FULL = 21, 22, 26, 30
TIME_STOP, COOL_DOWN = 31, 32
DAILY_LOSS, DAILY_FLATTEN, DRAWDOWN, DRAWDOWN_BARS, DRAWDOWN_FLATTEN, LOSING_STREAK, STREAK_BARS = 33, 34, 35, 36, 37, 38, 39
LADDER_STEPS, TIERS, TIERS_AT, LADDER_AT = 40, 41, 42, 43
PLAN_HEAD = 44  # then tiers (3 numbers each), then ladder steps (distance rate, size rate)

# ---- statistics in float64
MAX_DRAWDOWN, RETURN_SUM, RETURN_SQUARES, DOWNSIDE_SQUARES = 0, 1, 2, 3
STATS = 4

# ---- trade rows
T_MARKET, T_SIDE, T_LOTS, T_ENTRY_TS, T_ENTRY_COST, T_ENTRY_LOTS, T_EXIT_TS, T_EXIT_PRICE = 0, 1, 2, 3, 4, 5, 6, 7
T_PNL, T_FEE, T_FUNDING, T_REASON, T_ENTRY_BAR, T_EXIT_BAR = 8, 9, 10, 11, 12, 13
TRADE = 14
COLUMNS = ("market", "side", "lots", "entry_ts", "entry_cost", "entry_lots", "exit_ts", "exit_price", "pnl", "fee", "funding",
           "reason", "entry_bar", "exit_bar")

# ---- words
REASONS = ("", "take_profit", "stop_loss", "trailing_stop", "signal", "signal_reverse", "time_stop", "liquidation", "protection",
           "manual", "end_of_data")
(BY_TARGET, BY_STOP, BY_TRAILING, BY_SIGNAL, BY_REVERSE, BY_TIME, BY_LIQUIDATION, BY_PROTECTION, BY_HAND,
 BY_END) = range(1, 11)
READINGS = ("path", "adverse", "benign")
PATH, ADVERSE, BENIGN = 0, 1, 2
SIZES = ("equity_fraction", "fixed_quote", "fixed_quantity", "risk_fraction", "volatility_target")
EQUITY_FRACTION, FIXED_QUOTE, FIXED_QUANTITY, RISK_FRACTION, VOLATILITY_TARGET = range(5)
ENTRIES = ("", "market", "limit", "post_only", "stop", "stop_limit")
MARKET, LIMIT, POST_ONLY, STOP_ENTRY, STOP_LIMIT = range(1, 6)
OPPOSITES = ("close", "reverse", "ignore")
CLOSE, REVERSE, IGNORE = 0, 1, 2

LOTS_MAX = 2**31 - 1
NOTIONAL_MAX = 4 * 10**18
EQUITY_MAX = 5 * 10**16
DAY_MS = 86_400_000
