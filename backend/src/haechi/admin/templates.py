"""HTTP of templates, for admins: saved with the figures of a back-test that the server makes, and deleted."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from haechi.admin.access import Acting
from haechi.bots.template_router import NamePath
from haechi.bots.template_schemas import SaveTemplateBody, TemplateAnswer
from haechi.identity.audit import record
from haechi.platform.answers import errors
from haechi.platform.house import TheHouse

router = APIRouter(prefix="/admin/templates", tags=["admin"])


@router.post("", operation_id="admin_template_save", summary="Save a template", status_code=201, responses=errors(401, 403, 404, 409, 422))
async def save(body: SaveTemplateBody, act: Acting, house: TheHouse) -> TemplateAnswer:
    """A new one, or in place of one of this name. It is back-tested over the last candles of this server's market."""
    from haechi.bots import templates

    figures = await templates.tried(house, body)
    async with house.database.writing() as session:
        row = await templates.save(session, house, body, figures)
        await record(session, act("template.saved", body.name), house.clock.now())
        return templates.told(row, "en")


@router.delete("/{name}", operation_id="admin_template_delete", summary="Delete a template", status_code=204, response_class=Response,
               responses=errors(401, 403, 404, 422))
async def delete(name: NamePath, act: Acting, house: TheHouse) -> None:
    """Bots that were made of it stay."""
    from haechi.bots import templates

    async with house.database.writing() as session:
        await templates.remove(session, name)
        await record(session, act("template.deleted", name), house.clock.now())
