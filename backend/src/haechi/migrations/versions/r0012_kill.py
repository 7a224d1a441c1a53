"""kill switches as files"""

import sqlalchemy as sa
from alembic import op

from haechi.platform import columns

revision = "r0012"
down_revision = "r0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
