"""Sentences of the report, Korean and English. Figures and their formulas are in core/definitions, remarks in research/words."""

from __future__ import annotations

from html import escape

WORDS: dict[str, tuple[str, str]] = {
    "title": ("Back-test report", "백테스트 보고서"),
    "reading": ("Reading", "봉 내부 해석"),
    "adverse": ("adverse", "비관"),
    "benign": ("benign", "낙관"),
    "path": ("path", "경로"),
    "both": ("adverse and benign", "비관·낙관"),
    "bars": ("bars", "봉"),
    "capital": ("Capital", "시작 자본"),
    "chart": ("Price, trades and equity", "가격·거래·평가금"),
    "chart_hint": ("Scroll to zoom, drag to move, double-click for everything.", "휠로 확대, 끌어서 이동, 두 번 누르면 전체 보기."),
    "candles_of": ("Each candle is {0}", "캔들 하나 = {0}"),
    "price": ("Price", "가격"),
    "equity": ("Equity", "평가금"),
    "drawdown": ("Drawdown", "낙폭"),
    "hold": ("Buy and hold", "단순 보유"),
    "everything": ("All", "전체"),
    "long": ("long", "롱"),
    "short": ("short", "숏"),
    "interval": ("Between adverse and benign", "비관과 낙관 사이"),
    "interval_text": (
        "What happened first inside a bar is not known. The adverse reading lets the stop come first and asks the price to go "
        "through a limit; the benign one lets the target come first. The truth lies between the two.",
        "봉 안에서 무엇이 먼저 일어났는지는 알 수 없습니다. 비관은 손절이 먼저 체결되고 지정가는 한 틱 뚫려야 체결된다고 보며, "
        "낙관은 익절이 먼저라고 봅니다. 실제 결과는 그 사이에 있습니다."),
    "interval_same": ("Both readings give the same trades: no bar's inside decided anything.",
                      "두 해석의 거래가 같습니다. 봉 내부 순서가 결과를 바꾸지 않았습니다."),
    "monthly": ("Month by month", "월별 수익률"),
    "year": ("Year", "연도"),
    "total": ("Total", "합계"),
    "distribution": ("How the trades ended", "거래 손익 분포"),
    "distribution_text": ("Trades by net profit", "순손익별 거래 수"),
    "reason": ("Exit", "청산 사유"),
    "count": ("Trades", "거래 수"),
    "net": ("Net profit", "순손익"),
    "mean": ("Mean", "평균"),
    "costs": ("What it cost", "비용 내역"),
    "gross": ("Price moves", "가격 변동 손익"),
    "fees": ("Fees", "수수료"),
    "funding": ("Funding", "펀딩비"),
    "pnl": ("Net profit", "순손익"),
    "costs_text": ("Slippage ({0}) is inside the prices of the fills. Fees: maker {1}, taker {2}.",
                   "슬리피지({0})는 체결가에 포함되어 있습니다. 수수료: 메이커 {1}, 테이커 {2}."),
    "figures": ("All figures", "모든 지표"),
    "figure": ("Figure", "지표"),
    "definition": ("Definition", "정의"),
    "trades": ("Trades", "거래 목록"),
    "trades_cut": ("The first {0} of {1} trades are listed; the JSON has all.",
                   "거래 {1}건 중 처음 {0}건만 표시합니다. 전체는 JSON에 있습니다."),
    "symbol": ("Symbol", "심볼"),
    "side": ("Side", "방향"),
    "quantity": ("Quantity", "수량"),
    "entry": ("Entry", "진입"),
    "exit": ("Exit", "청산"),
    "fee": ("Fee", "수수료"),
    "held": ("Bars", "보유 봉"),
    "tags": ("Entry → exit", "진입 → 청산 사유"),
    "notes": ("Good to know", "참고"),
    "setup": ("What was tested", "테스트 조건"),
    "strategy": ("Strategy", "전략"),
    "params": ("Parameters", "매개변수"),
    "settings": ("Changed settings", "변경한 설정"),
    "none": ("none", "없음"),
    "no_trades": ("There was no trade.", "거래가 없었습니다."),
    "previous": ("Previous", "이전"),
    "next": ("Next", "다음"),
    "promise": ("A back-test shows the past, not the future.", "백테스트는 과거를 보여줄 뿐, 미래를 보장하지 않습니다."),
    "synthetic": ("Synthetic market: these prices were generated, they never happened",
                  "합성 시장: 실제로 거래된 적 없는, 생성된 가격입니다"),
    "theme": ("Light / dark", "밝게 / 어둡게"),
}

REASONS: dict[str, tuple[str, str]] = {
    "take_profit": ("take profit", "익절"), "stop_loss": ("stop loss", "손절"), "trailing_stop": ("trailing stop", "추적 손절"),
    "signal": ("exit signal", "청산 신호"), "signal_reverse": ("opposite signal", "반대 신호"), "time_stop": ("time stop", "시간 청산"),
    "liquidation": ("liquidation", "강제 청산"), "protection": ("protection", "보호 규칙"), "manual": ("by hand", "수동"),
    "end_of_data": ("end of data", "데이터 끝"),
}


def both(english: str, korean: str) -> str:
    """A text in both languages, escaped; the page shows one of them."""
    if english == korean:
        return escape(english)
    return f'<span lang="en">{escape(english)}</span><span lang="ko">{escape(korean)}</span>'


def say(key: str, *values: str) -> str:
    english, korean = WORDS[key]
    return both(english.format(*values), korean.format(*values))


def reason(name: str) -> str:
    return both(*REASONS.get(name, (name, name)))
