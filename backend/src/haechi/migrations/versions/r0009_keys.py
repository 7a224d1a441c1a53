"""accounts: keys and risk settings"""

import sqlalchemy as sa
from alembic import op

from haechi.platform import columns

revision = "r0009"
down_revision = "r0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
