"""What a plan meets where trying again mends nothing: somebody has to change the plan, or the money behind it."""

from __future__ import annotations

from haechi.core.units import UnitError


class Unfit(UnitError):
    """The money, the market's rules or the exchange do not allow this plan; the message says why, with numbers."""
