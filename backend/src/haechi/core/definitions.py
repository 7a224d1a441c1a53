"""What each figure of a result means: key, names, formula and unit, in the order in which reports show them.

Units: quote (money of the quote currency), percent (a fraction, shown × 100), ratio, count, bars, ms.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Definition:
    """One figure of `performance.metrics`."""

    key: str
    en: str
    ko: str
    unit: str
    formula: str
    formula_ko: str


_TABLE = (
    Definition("pnl", "Net profit", "순손익", "quote", "final balance − capital, after fees and funding",
               "최종 잔고 − 시작 자본, 수수료와 펀딩을 뺀 뒤"),
    Definition("roi", "Return", "수익률", "percent", "net profit / capital", "순손익 / 시작 자본"),
    Definition("final_balance", "Final balance", "최종 잔고", "quote", "wallet after everything is closed at the end",
               "마지막에 모두 청산한 뒤의 잔고"),
    Definition("buy_and_hold", "Buy and hold", "단순 보유", "percent", "last close / first open − 1, no costs; mean over the symbols",
               "마지막 종가 / 첫 시가 − 1, 비용 없음; 여러 심볼은 평균"),
    Definition("cagr", "Yearly growth (CAGR)", "연평균 수익률 (CAGR)", "percent", "(final / capital)^(365.25 days / span) − 1",
               "(최종 / 자본)^(365.25일 / 기간) − 1"),
    Definition("sharpe", "Sharpe", "샤프 지수", "ratio", "mean / standard deviation (n − 1) of daily returns × √(365 / days a sample)",
               "일별 수익률의 평균 / 표준편차(n − 1) × √(365 / 표본 일수)"),
    Definition("sortino", "Sortino", "소르티노 지수", "ratio", "mean of daily returns / √(mean of min(r, 0)²) × √(365 / days a sample)",
               "일별 수익률의 평균 / √(min(r, 0)²의 평균) × √(365 / 표본 일수)"),
    Definition("calmar", "Calmar", "칼마 지수", "ratio", "CAGR / maximum drawdown", "CAGR / 최대 낙폭"),
    Definition("max_drawdown", "Maximum drawdown", "최대 낙폭", "percent",
               "largest 1 − equity / highest equity so far (at first the capital), at bar closes",
               "봉 종가 기준 1 − 평가금 / 지금까지의 최고 평가금(처음에는 시작 자본)의 최댓값"),
    Definition("max_drawdown_bars", "Longest drawdown", "최장 낙폭 기간", "bars", "longest run of closes below the highest equity so far",
               "최고 평가금 아래에 머문 가장 긴 연속 봉 수"),
    Definition("max_drawdown_ms", "Longest drawdown, time", "최장 낙폭 시간", "ms", "the same stretch in calendar time",
               "같은 구간의 실제 시간"),
    Definition("trades", "Trades", "거래 수", "count", "closing fills (each partial exit is one)", "청산 체결 수 (부분 청산도 하나)"),
    Definition("win_rate", "Win rate", "승률", "percent", "trades with net profit > 0 / trades", "순이익 거래 / 전체 거래"),
    Definition("profit_factor", "Profit factor", "손익비 (PF)", "ratio", "sum of profits / sum of losses, net of costs",
               "총이익 / 총손실, 비용 차감 후"),
    Definition("expectancy", "Expectancy", "거래당 기대값", "quote", "mean net profit of a trade", "거래당 평균 순손익"),
    Definition("average_win", "Average win", "평균 이익", "quote", "mean net profit of winning trades", "이익 거래의 평균 순손익"),
    Definition("average_loss", "Average loss", "평균 손실", "quote", "mean net profit of losing trades", "손실 거래의 평균 순손익"),
    Definition("largest_win", "Largest win", "최대 이익", "quote", "highest net profit of one trade", "한 거래의 가장 큰 이익"),
    Definition("largest_loss", "Largest loss", "최대 손실", "quote", "lowest net profit of one trade", "한 거래의 가장 큰 손실"),
    Definition("winning_streak", "Wins in a row", "최다 연승", "count", "longest run of trades with net profit > 0",
               "연속 이익 거래의 최대 수"),
    Definition("losing_streak", "Losses in a row", "최다 연패", "count", "longest run of trades with net profit < 0",
               "연속 손실 거래의 최대 수"),
    Definition("exposure", "Exposure", "시장 노출", "percent", "bars with a position / bars", "포지션 보유 봉 / 전체 봉"),
    Definition("turnover", "Turnover", "회전율", "ratio", "notional bought and sold / capital", "매수·매도 명목가 합 / 시작 자본"),
    Definition("fees", "Fees", "수수료", "quote", "sum of maker and taker fees paid", "지불한 메이커·테이커 수수료 합"),
    Definition("funding", "Funding", "펀딩비", "quote", "sum of funding paid (negative: received)", "지불한 펀딩비 합 (음수는 수취)"),
    Definition("liquidations", "Liquidations", "강제 청산", "count", "positions the exchange closed", "거래소가 강제로 닫은 포지션 수"),
)

DEFINITIONS: dict[str, Definition] = {one.key: one for one in _TABLE}
