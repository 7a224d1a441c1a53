"""HTTP of back-tests: ask for one, follow it, read what came out."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from starlette.responses import HTMLResponse

from haechi.identity.current import CurrentUser
from haechi.platform.answers import errors, page_errors
from haechi.platform.house import Reading, TheHouse
from haechi.platform.paging import Paging, cursor, cut
from haechi.research import results, store
from haechi.research.asking import refuse_what_cannot_run
from haechi.research.jobs import Jobs
from haechi.research.models import Backtest
from haechi.research.schemas import BacktestAnswer, BacktestBody, BacktestsPage, EquityAnswer, TradesPage

router = APIRouter(prefix="/backtest", tags=["backtest"])

# The report is a page of ours, but it shows texts of a user's document: it may run and load nothing.
REPORT_POLICY = ("default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; sandbox; "
                 "frame-ancestors 'self'")

BacktestIdPath = Annotated[str, Path(alias="id", pattern=r"^[0-9a-f]{32}$", examples=["019ab0c4d5e6a1b2c3d4e5f60718293a"])]


async def jobs_of(house: TheHouse) -> Jobs:
    return house.part(Jobs)


async def backtest_of(backtest_id: BacktestIdPath, user: CurrentUser, session: Reading) -> Backtest:
    return await store.backtest_of(session, user.id, backtest_id)


TheJobs = Annotated[Jobs, Depends(jobs_of)]
TheBacktest = Annotated[Backtest, Depends(backtest_of)]


@router.post("/run", operation_id="backtest_run", summary="Run a back-test", status_code=202, responses=errors(401, 422, 429))
async def run(body: BacktestBody, user: CurrentUser, jobs: TheJobs, response: Response) -> BacktestAnswer:
    """Take a back-test on as a job; follow it at the address in `Location`."""
    await asyncio.to_thread(refuse_what_cannot_run, body)
    row = await jobs.submit(user.id, request=body.model_dump(mode="json", by_alias=True), strategy=body.strategy_name,
                            symbol=body.data.symbol.upper(), timeframe=body.data.timeframe)
    response.headers["location"] = f"/backtest/{row.id}"
    return BacktestAnswer.of(row, jobs.progress(row))


@router.get("/results", operation_id="backtest_results", summary="My back-tests", responses=errors(401, 422))
async def listed(user: CurrentUser, session: Reading, jobs: TheJobs, paging: Paging) -> BacktestsPage:
    """One's own back-tests, newest first."""
    rows, more = cut(await store.backtests_of(session, user.id, paging), paging.limit)
    return BacktestsPage(items=[BacktestAnswer.of(row, jobs.progress(row)) for row in rows],
                         next_cursor=cursor(rows[-1].id) if more else None)


@router.get("/{id}", operation_id="backtest_get", summary="One back-test", responses=errors(401, 404, 422))
async def one(row: TheBacktest, jobs: TheJobs) -> BacktestAnswer:
    """Status, progress and, when done, the figures."""
    return BacktestAnswer.of(row, jobs.progress(row))


@router.get("/{id}/trades", operation_id="backtest_trades", summary="Its trades", responses=errors(401, 404, 409, 422))
async def trades(row: TheBacktest, jobs: TheJobs, paging: Paging) -> TradesPage:
    """One row for each closing fill, oldest first."""
    rows = await asyncio.to_thread(results.read_list, jobs.results(row.id), results.TRADES)
    items, next_cursor = paging.slice(rows)
    return TradesPage(items=list(items), next_cursor=next_cursor)


@router.get("/{id}/equity", operation_id="backtest_equity", summary="Its equity curve", responses=errors(401, 404, 409, 422))
async def equity(row: TheBacktest, jobs: TheJobs) -> EquityAnswer:
    """At most 2,000 points."""
    return EquityAnswer(points=await asyncio.to_thread(results.read_list, jobs.results(row.id), results.EQUITY))


@router.get("/{id}/report", operation_id="backtest_report", summary="Its report", response_class=HTMLResponse,
            responses=page_errors(401, 404, 409, 422) | {200: {"content": {"text/html": {"example": "<!doctype html>…"}}}})
async def report(row: TheBacktest, jobs: TheJobs) -> HTMLResponse:
    """A page with pictures; it loads nothing from elsewhere."""
    page = await asyncio.to_thread(results.read, jobs.results(row.id), results.REPORT)
    return HTMLResponse(page, headers={"content-security-policy": REPORT_POLICY})


@router.delete("/{id}", operation_id="backtest_delete", summary="Cancel and delete", status_code=204, responses=errors(401, 404, 422))
async def delete(backtest_id: BacktestIdPath, user: CurrentUser, jobs: TheJobs) -> None:
    """Stops the computing if it is under way, and removes row and files."""
    await jobs.delete(user.id, backtest_id)
