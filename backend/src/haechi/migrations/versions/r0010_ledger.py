"""ledger: owners, equity"""

import sqlalchemy as sa
from alembic import op

from haechi.platform import columns

revision = "r0010"
down_revision = "r0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
