"""HTTP of signing in elsewhere."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from haechi.identity.current import CurrentSession, CurrentUser, FreshUser
from haechi.identity.oauth.flow import Linker
from haechi.identity.oauth.people import links_of
from haechi.identity.oauth.schemas import BeginAnswer, FinishBody, LinkAnswer, Name
from haechi.identity.oauth.service import Answer, OAuth
from haechi.identity.origins import From
from haechi.identity.schemas import ChallengeAnswer, TokensAnswer
from haechi.identity.signing_in import Challenged
from haechi.platform.answers import errors
from haechi.platform.house import House, Reading, TheHouse
from haechi.platform.limits import limited

router = APIRouter(prefix="/auth/oauth", tags=["auth"])

COOKIE_SECONDS = 660  # ten minutes for the provider, one for the code
CODE_CHARS_MAX = 2048
Param = Annotated[str, Query(max_length=CODE_CHARS_MAX)]
LIMIT = Depends(limited("oauth", 60, 300, fail="closed"))


def cookie_name(house: House) -> str:
    """`__Host-` keeps other hosts of the domain from setting it; browsers take that prefix only with https."""
    return "__Host-haechi_oauth" if private(house) else "haechi_oauth"


def private(house: House) -> bool:
    return house.settings.public_url.startswith("https://")


async def carried(request: Request, house: TheHouse) -> str:
    return request.cookies.get(cookie_name(house), "")


Cookie = Annotated[str, Depends(carried)]


def give(response: Response, house: House, cookie: str, *, seconds: int = COOKIE_SECONDS) -> None:
    """Lax: it must come along when the provider sends the browser back. seconds 0 takes it away."""
    response.set_cookie(cookie_name(house), cookie, max_age=seconds, path="/", httponly=True, samesite="lax", secure=private(house))


@router.get("/links", operation_id="oauth_links", summary="Where else you can sign in", responses=errors(401))
async def links(user: CurrentUser, session: Reading) -> list[LinkAnswer]:
    """Oldest first."""
    return [LinkAnswer.of(row) for row in await links_of(session, user.id)]


@router.delete("/links/{id}", operation_id="oauth_unlink", summary="Remove a link", status_code=204,
               responses=errors(401, 403, 404, 409, 422))
async def unlink(id: str, user: FreshUser, here: CurrentSession, house: TheHouse, origin: From) -> None:
    """Not the last way to sign in. All other sessions end."""
    await house.part(OAuth).unlink(user.id, here.id, id, origin)


@router.post("/finish", operation_id="oauth_finish", summary="Tokens for the one-time code", responses=errors(401, 422, 429, 503),
             dependencies=[LIMIT])
async def finish(body: FinishBody, cookie: Cookie, house: TheHouse, response: Response, origin: From) -> TokensAnswer | ChallengeAnswer:
    """Within a minute, once, and with the cookie of the browser that began. Where the second factor is on: a challenge."""
    made = await house.part(OAuth).finish(body.code, cookie, origin)
    give(response, house, "", seconds=0)
    return ChallengeAnswer(challenge=made.challenge) if isinstance(made, Challenged) else TokensAnswer.of(made)


@router.get("/{provider}/start", operation_id="oauth_start", summary="Sign in through Google or Kakao", status_code=302,
            response_class=RedirectResponse, responses=errors(404, 422, 429, 503), dependencies=[LIMIT])
async def start(provider: Name, house: TheHouse) -> RedirectResponse:
    """Sends the browser to the provider, with a cookie that is good for ten minutes."""
    begun = await house.part(OAuth).begin(provider)
    answer = RedirectResponse(begun.address, 302)
    give(answer, house, begun.cookie)
    return answer


@router.get("/{provider}/callback", operation_id="oauth_callback", summary="Back from the provider", status_code=302,
            response_class=RedirectResponse, responses=errors(403, 404, 409, 422, 429, 503), dependencies=[LIMIT])
async def callback(provider: Name, request: Request, house: TheHouse, cookie: Cookie, origin: From, state: Param = "", code: Param = "",
                   error: Param = "", iss: Param = "") -> RedirectResponse:
    """To `PUBLIC_URL/#oauth=<one-time code>`, or `#oauth_linked=<provider>`. A refusal is an error answer, but for who accepts
    `text/html` (a browser) it is `#oauth_error=<code>`."""
    in_browser = "text/html" in request.headers.get("accept", "")
    landing = await house.part(OAuth).landing(provider, Answer(state, code, error, iss), cookie, origin, in_browser=in_browser)
    return RedirectResponse(landing, 302)


@router.post("/{provider}/link", operation_id="oauth_link", summary="Link Google or Kakao", responses=errors(401, 403, 404, 422))
async def link(provider: Name, user: FreshUser, here: CurrentSession, house: TheHouse, response: Response) -> BeginAnswer:
    """Begins a flow that lets you sign in there too; send the browser to `address`. Wants a fresh proof (POST /auth/confirm)."""
    begun = await house.part(OAuth).begin(provider, Linker(user.id, here.id))
    give(response, house, begun.cookie)
    return BeginAnswer(address=begun.address)
