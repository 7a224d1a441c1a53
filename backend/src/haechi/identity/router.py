"""HTTP of sign-in."""

from __future__ import annotations

from fastapi import APIRouter

from haechi.identity.current import CurrentSession, CurrentUser
from haechi.identity.schemas import LoginAnswer, LoginBody, UserAnswer
from haechi.identity.service import Identity
from haechi.platform.answers import errors
from haechi.platform.house import TheHouse

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post("/login", operation_id="login", summary="Sign in", responses=errors(401, 422, 503))
async def login(body: LoginBody, house: TheHouse) -> LoginAnswer:
    """Exchange an e-mail address and a password for tokens."""
    signed_in = await house.part(Identity).sign_in(body.email, body.password)
    return LoginAnswer(access_token=signed_in.access_token, refresh_token=signed_in.refresh_token)


@router.get("/me", operation_id="me", summary="Who am I", responses=errors(401))
async def me(user: CurrentUser) -> UserAnswer:
    """The person the access token belongs to."""
    return UserAnswer.of(user)


@router.post("/logout", operation_id="logout", summary="Sign out", status_code=204, responses=errors(401))
async def logout(signed_in: CurrentSession, house: TheHouse) -> None:
    """End this session: its tokens stop working at once."""
    await house.part(Identity).sign_out(signed_in.id)
