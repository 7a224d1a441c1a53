"""`haechi backtest` and `haechi sweep`. What they import loads in their bodies: the help must not wait for the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Strategy = Annotated[str, typer.Argument(metavar="STRATEGY|FILE.yaml", help="A name of `haechi strategies list`, or a document.")]
Data = Annotated[list[Path], typer.Option("--data", metavar="FILE", help="Candles; once for each symbol that shares the wallet.")]
Funding = Annotated[list[Path] | None, typer.Option("--funding", metavar="FILE", help="Funding; once for each symbol, in the same order.")]
Detail = Annotated[list[Path] | None, typer.Option("--detail", metavar="FILE", help="Finer candles walked inside the bars.")]
Symbol = Annotated[list[str] | None, typer.Option("--symbol", metavar="S", help="Symbol of each --data; default: from the file's name.")]
Timeframe = Annotated[str | None, typer.Option("--timeframe", metavar="TF", help="Bars to test on; longer ones are made of the file's.")]
From = Annotated[str | None, typer.Option("--from", metavar="TIME", help="First bar, ISO text or ms, UTC.")]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Bars open before this, ISO text or ms, UTC.")]
Param = Annotated[list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="A parameter of the strategy.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="A part of its plan, such as stop_loss.percent=1.5.")]
Capital = Annotated[str, typer.Option("--capital", metavar="QUOTE", help="Money to begin with.")]
Reading = Annotated[str, typer.Option("--reading", metavar="WORD", help="adverse, benign, path, or both (docs/engine.md).")]
SweepReading = Annotated[str, typer.Option("--reading", metavar="WORD", help="adverse, benign or path (docs/engine.md).")]
Slippage = Annotated[str, typer.Option("--slippage", metavar="FRACTION", help="What a market order loses, 0.0001 is 0.01 %.")]
Maker = Annotated[str, typer.Option("--maker", metavar="FRACTION", help="Fee of resting orders.")]
Taker = Annotated[str, typer.Option("--taker", metavar="FRACTION", help="Fee of market orders.")]
Tick = Annotated[str, typer.Option("--tick", metavar="PRICE", help="Smallest price step of the contract.")]
Lot = Annotated[str, typer.Option("--lot", metavar="QUANTITY", help="Smallest quantity step.")]
MinValue = Annotated[str, typer.Option("--min-value", metavar="QUOTE", help="Smallest value of an order.")]
Json = Annotated[Path | None, typer.Option("--json", metavar="OUT", help="Write the result as JSON; - writes it to the output.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="OUT", help="Write the report, one page.")]
GridAxis = Annotated[list[str], typer.Option("--grid", metavar="NAME=VALUES", help="period=5:54:1 or stop_loss.percent=0.5,1,2.")]
Rank = Annotated[str, typer.Option("--rank", metavar="FIGURE", help="What the best have most of (drawdown and costs: least).")]
Top = Annotated[int, typer.Option("--top", metavar="N", help="How many to show.")]
Workers = Annotated[int, typer.Option("--workers", metavar="N", help="Processes that compute.")]


def backtest(strategy: Strategy, data: Data, funding: Funding = None, detail: Detail = None, symbol: Symbol = None,  # noqa: PLR0913
             timeframe: Timeframe = None, start: From = None, end: To = None, param: Param = None, setting: Set = None,
             capital: Capital = "10000", reading: Reading = "adverse", slippage: Slippage = "0.0001", maker: Maker = "0.0002",
             taker: Taker = "0.0006", tick: Tick = "0.1", lot: Lot = "0.001", min_value: MinValue = "5", json: Json = None,
             html: Html = None) -> None:
    """What a strategy would have earned on a file of candles."""
    from haechi.research.command_inputs import Files, outputs, pairs

    outputs(json, html)
    params, settings = pairs(param, "--param"), pairs(setting, "--set")
    files = Files(data, funding, detail, symbol, timeframe=timeframe, start=start, end=end, tick=tick)
    from haechi.research.api import backtest as run
    from haechi.research.printing import print_result

    result = run(files.bars(), strategy, funding=files.funding(), detail=files.detail(), params=params, settings=settings, capital=capital,
                 reading=reading, slippage=slippage, maker=maker, taker=taker, lot=lot, min_value=min_value)
    to_output = json is not None and str(json) == "-"
    if to_output:
        print(result.json())
    elif json is not None:
        result.json(json)
    if html is not None:
        result.html(html)
    if not to_output:
        print_result(result, [path for path in (json, html) if path is not None])


def sweep(strategy: Strategy, data: Data, grid: GridAxis, rank: Rank = "sharpe", top: Top = 20, workers: Workers = 1,  # noqa: PLR0913
          funding: Funding = None, detail: Detail = None, symbol: Symbol = None, timeframe: Timeframe = None, start: From = None,
          end: To = None, param: Param = None, setting: Set = None, capital: Capital = "10000", reading: SweepReading = "adverse",
          slippage: Slippage = "0.0001", maker: Maker = "0.0002", taker: Taker = "0.0006", tick: Tick = "0.1", lot: Lot = "0.001",
          min_value: MinValue = "5", json: Json = None) -> None:
    """Every combination of parameters and plan settings, ranked."""
    from haechi.errors import BadInput
    from haechi.research.command_inputs import Files, axes, outputs, pairs

    outputs(json)
    if top < 1:
        raise BadInput(f"--top must be at least 1, got {top}")
    params, settings, wanted = pairs(param, "--param"), pairs(setting, "--set"), axes(grid)
    files = Files(data, funding, detail, symbol, timeframe=timeframe, start=start, end=end, tick=tick)
    from haechi.research.api import sweep as run
    from haechi.research.printing import print_sweep, sweep_json
    from haechi.research.writing import write_whole

    found = run(files.bars(), strategy, wanted, rank=rank, workers=workers, funding=files.funding(), detail=files.detail(), params=params,
                settings=settings, capital=capital, reading=reading, slippage=slippage, maker=maker, taker=taker, lot=lot,
                min_value=min_value)
    if json is not None and str(json) == "-":
        print(sweep_json(found, top))
        return
    if json is not None:
        write_whole(json, sweep_json(found, None))
    print_sweep(found, top, [json] if json is not None else [])
