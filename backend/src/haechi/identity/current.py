"""`CurrentUser`: what every router that is not public takes as an argument."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from haechi.identity.models import User, UserSession
from haechi.identity.service import Identity
from haechi.identity.tokens import refused
from haechi.platform.house import TheHouse

bearer = HTTPBearer(auto_error=False, scheme_name="access_token", bearerFormat="JWT",
                    description="The access_token of POST /auth/login.")


async def current(house: TheHouse, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> tuple[User, UserSession]:
    if given is None:
        raise refused()
    return await house.part(Identity).holder(given.credentials)


Current = Annotated[tuple[User, UserSession], Depends(current)]


async def current_user(found: Current) -> User:
    return found[0]


async def current_session(found: Current) -> UserSession:
    return found[1]


CurrentUser = Annotated[User, Depends(current_user)]
CurrentSession = Annotated[UserSession, Depends(current_session)]
