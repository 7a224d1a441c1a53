"""`CurrentUser`: what every router that is not public takes as an argument. `FreshUser` and `AdminUser` ask for more."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from haechi.errors import NotPermitted
from haechi.identity.models import ADMIN, User, UserSession
from haechi.identity.service import Identity
from haechi.identity.tokens import refused
from haechi.platform.house import TheHouse
from haechi.platform.origin import client_address
from haechi.settings import Settings

FRESH = timedelta(minutes=5)

bearer = HTTPBearer(auto_error=False, scheme_name="access_token", bearerFormat="JWT",
                    description="The access_token of POST /auth/login.")


async def current(request: Request, house: TheHouse,
                  given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> tuple[User, UserSession]:
    if given is None:
        raise refused()
    user, session = await house.part(Identity).holder(given.credentials)
    request.state.user_id = user.id
    return user, session


Current = Annotated[tuple[User, UserSession], Depends(current)]


async def current_user(found: Current) -> User:
    return found[0]


async def current_session(found: Current) -> UserSession:
    return found[1]


async def fresh_user(found: Current, house: TheHouse) -> User:
    """Who proved to be there within the last five minutes: by a code where the second factor is on, else by the password."""
    user, session = found
    if not is_fresh(user, session, house):
        raise stale()
    return user


def stale() -> NotPermitted:
    return NotPermitted("Show that it is you first: POST /auth/confirm with a code of your authenticator, or with your password while the "
                        "second factor is off; then ask again within five minutes.", code="fresh_2fa_needed")


async def strong_user(user: Annotated[User, Depends(fresh_user)]) -> User:
    """As `fresh_user`, and the second factor must be on: for what can cost money."""
    if not user.has_2fa:
        raise NotPermitted("This wants the second factor: turn it on with POST /auth/2fa/setup.", code="two_factor_needed")
    return user


def is_fresh(user: User, session: UserSession, house: TheHouse) -> bool:
    proved = session.fresh_at is not None and house.clock.now() - session.fresh_at <= FRESH
    return proved and (session.fresh_2fa or not user.has_2fa)


async def admin_user(request: Request, found: Current, house: TheHouse) -> User:
    """Role admin, the second factor on, and from one of ADMIN_ADDRESSES."""
    user, session = found
    if user.role != ADMIN:
        raise NotPermitted("This is for admins.", code="admin_only")
    if not may_administer(client_address(request), house.settings):
        raise NotPermitted("Admins may not act from this address; see ADMIN_ADDRESSES.", code="admin_address")
    if not user.has_2fa or not session.fresh_2fa:
        raise NotPermitted("Admins sign in with the second factor: turn it on with POST /auth/2fa/setup, then sign in again.",
                           code="two_factor_needed")
    return user


def may_administer(address: str, settings: Settings) -> bool:
    """Without a list: from everywhere in development, from nowhere in production."""
    if not settings.admin_networks:
        return not settings.production
    try:
        return any(ipaddress.ip_address(address) in network for network in settings.admin_networks)
    except ValueError:  # no address at all: a Unix socket
        return False


CurrentUser = Annotated[User, Depends(current_user)]
CurrentSession = Annotated[UserSession, Depends(current_session)]
FreshUser = Annotated[User, Depends(fresh_user)]
StrongUser = Annotated[User, Depends(strong_user)]
AdminUser = Annotated[User, Depends(admin_user)]
