"""Whose orders and positions: a person's account, and the bot in it ('' for what the person does by hand)."""

from __future__ import annotations

import msgspec

MANUAL_OWNER, EXTERNAL_OWNER = "", "external"


class Owner(msgspec.Struct, frozen=True):
    """bot_id: '' for manual orders, `external` for what was found at the exchange and is not ours."""

    user_id: str
    account_id: str
    bot_id: str

    @property
    def prefix(self) -> str:
        """How the client ids of its orders begin."""
        return self.bot_id or f"m{self.account_id}"
