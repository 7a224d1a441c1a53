"""All tables in one place: importing this module makes `metadata` complete, for migrations and tests."""

from __future__ import annotations

from haechi.identity import models as identity
from haechi.platform.db import Base
from haechi.research import models as research

TABLES = (identity, research)

metadata = Base.metadata
