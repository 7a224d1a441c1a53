"""grids: templates"""

import sqlalchemy as sa
from alembic import op

from haechi.platform import columns

revision = "r0011"
down_revision = "r0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
