"""Every router of this package, for app.py."""

from __future__ import annotations

from haechi.admin import bots, operation, people, templates, trail

ROUTERS = (people.router, people.listing, bots.router, trail.router, operation.router, templates.router)
