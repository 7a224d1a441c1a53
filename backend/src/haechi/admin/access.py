"""Who may administer, and how an act of theirs is told to the audit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends

from haechi.identity.audit import Act
from haechi.identity.current import AdminUser, FreshUser
from haechi.identity.models import User
from haechi.identity.origins import From


async def fresh_admin(admin: AdminUser, _fresh: FreshUser) -> User:
    """An admin who proved to be there within the last five minutes: for every act that changes something."""
    return admin


FreshAdmin = Annotated[User, Depends(fresh_admin)]
MakeAct = Callable[..., Act]


async def acting(admin: FreshAdmin, origin: From) -> MakeAct:
    """Makes acts of this admin from this address: `act("user.suspended", subject)`."""
    def make(act: str, subject: str = "", **details: Any) -> Act:
        return Act(act, actor=admin.id, subject=subject, address=origin.address, details=details)

    return make


Acting = Annotated[MakeAct, Depends(acting)]
