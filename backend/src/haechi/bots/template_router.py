"""HTTP of templates: shown to everybody, made into bots. Admins save them (admin/templates.py)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from haechi.bots.instance_router import Asking, Language, told
from haechi.bots.instance_schemas import InstanceAnswer
from haechi.bots.router import TheBots
from haechi.bots.template_schemas import TemplateAnswer, TemplatesAnswer, UseTemplateBody
from haechi.identity.current import CurrentUser
from haechi.platform.answers import errors
from haechi.platform.house import Reading, TheHouse
from haechi.platform.idempotency import OneAttempt

router = APIRouter(prefix="/templates", tags=["templates"])
NamePath = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{1,39}$")]


@router.get("", operation_id="templates", summary="Templates", responses=errors(401, 422))
async def listed(_user: CurrentUser, session: Reading, language: Language) -> TemplatesAnswer:
    """Grid and trend templates, in Korean where the browser prefers it. Figures say on which market they were made."""
    from haechi.bots import templates

    return TemplatesAnswer(items=await templates.listed(session, language))


@router.get("/{name}", operation_id="template", summary="One template", responses=errors(401, 404, 422))
async def one(name: NamePath, _user: CurrentUser, session: Reading, language: Language) -> TemplateAnswer:
    """Its plan and its figures."""
    from haechi.bots import templates
    from haechi.bots.shipped_templates import SHIPPED

    return templates.shipped(name, language) if name in SHIPPED else templates.told(await templates.saved(session, name), language)


@router.post("/{name}/use", operation_id="template_use", summary="Make a bot of a template", status_code=201, response_model=InstanceAnswer,
             responses=errors(401, 404, 409, 422))
async def use(name: NamePath, body: UseTemplateBody, asked: Asking, house: TheHouse, bots: TheBots,  # noqa: PLR0913
              attempt: OneAttempt) -> Response:
    """It does not run yet. A grid is laid around the last price of the market that its account trades on."""
    async def work() -> InstanceAnswer:
        from haechi.bots import templates

        return told(await templates.use(house, asked, name, body), bots)

    return await attempt.once(asked.user.id, 201, work, look="GET /bot-instances")
