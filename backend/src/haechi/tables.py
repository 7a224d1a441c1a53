"""All tables in one place: importing this module makes `metadata` complete, for migrations and tests."""

from __future__ import annotations

from haechi.bots import models as bots
from haechi.bots import template_models as templates
from haechi.identity import models as identity
from haechi.identity.oauth import models as oauth
from haechi.platform import idempotency
from haechi.platform.db import Base
from haechi.research import models as research
from haechi.trading import keys, limits
from haechi.trading import models as trading

TABLES = (idempotency, identity, oauth, research, trading, keys, limits, bots, templates)

metadata = Base.metadata
