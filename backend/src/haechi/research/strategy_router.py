"""HTTP of strategies: the library, and what is wrong with a document."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from haechi.identity.current import CurrentUser
from haechi.platform.answers import errors

DOCUMENT_CHARS_MAX = 100_000

router = APIRouter(prefix="/strategy", tags=["strategy"])


class ParamAnswer(BaseModel):
    """A parameter with its bounds, as text; null: no bound."""

    name: str
    default: str
    min: str | None
    max: str | None


class StrategyAnswer(BaseModel):
    """`warm_up`: bars before the first signal can come; `cost`: element operations a bar; `text`: the document as written."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "name": "rsi", "description": "RSI reversal.", "timeframe": "1m", "warm_up": 15, "cost": 15,
        "params": [{"name": "period", "default": "14", "min": "2", "max": "200"}], "text": "name: rsi\n…"}]})

    name: str
    description: str
    timeframe: str | None
    warm_up: int | None
    cost: int
    params: list[ParamAnswer]
    text: str


class LibraryAnswer(BaseModel):
    items: list[StrategyAnswer]


class ValidateBody(BaseModel):
    """`document`: YAML or JSON text, or the document itself."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"document": "name: mine\ntimeframe: 1h\n…"}]})

    document: Annotated[str, Field(max_length=DOCUMENT_CHARS_MAX)] | dict[str, Any]


class ProblemAnswer(BaseModel):
    path: str
    message: str


class ValidateAnswer(BaseModel):
    """`problems` is empty when the document can be used; then the other figures are there."""

    model_config = ConfigDict(json_schema_extra={"examples": [{
        "valid": False, "problems": [{"path": "indicators.r.kind", "message": "unknown indicator 'rsj'; did you mean 'rsi'?"}],
        "warm_up": None, "cost": None}]})

    valid: bool
    problems: list[ProblemAnswer]
    warm_up: int | None
    cost: int | None


@router.get("/library", operation_id="strategy_library", summary="The built-in strategies", responses=errors(401))
async def listed(_user: CurrentUser) -> LibraryAnswer:
    """Each with its parameters and its document."""
    return LibraryAnswer(items=await asyncio.to_thread(library))


@router.post("/validate", operation_id="strategy_validate", summary="Check a document", responses=errors(401, 422))
async def validate(body: ValidateBody, _user: CurrentUser) -> ValidateAnswer:
    """All that is wrong with a strategy document, each with its place; or what it needs."""
    return await asyncio.to_thread(checked, body.document)


def library() -> list[StrategyAnswer]:
    from haechi.core.strategies import LIBRARY  # the language loads with its first use, not with the application

    return [shown(name) for name in LIBRARY]


def shown(name: str) -> StrategyAnswer:
    from haechi.core.strategies import Written, find, library_text

    strategy = find(name)
    assert isinstance(strategy, Written)
    params = [ParamAnswer(name=key, default=str(one.default), min=bound(one.min), max=bound(one.max))
              for key, one in strategy.document.params.items()]
    return StrategyAnswer(name=name, description=strategy.description, timeframe=strategy.timeframe, warm_up=strategy.warm_up(),
                          cost=strategy.cost(), params=params, text=library_text(name))


def bound(value: object) -> str | None:
    return None if value is None else str(value)


def checked(document: str | dict[str, Any]) -> ValidateAnswer:
    from haechi.core.language import LanguageError
    from haechi.core.strategies import Written, find

    try:
        strategy = find(document if isinstance(document, dict) else f"{document}\n")
    except LanguageError as error:
        problems = [ProblemAnswer(path=one.path, message=one.message) for one in error.problems]
        return ValidateAnswer(valid=False, problems=problems, warm_up=None, cost=None)
    assert isinstance(strategy, Written)
    return ValidateAnswer(valid=True, problems=[], warm_up=strategy.warm_up(), cost=strategy.cost())
