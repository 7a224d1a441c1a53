"""trading: keys of exchanges"""

import sqlalchemy as sa
from alembic import op

from haechi.platform import columns

revision = "r0009"
down_revision = "r0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "exchange_keys",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("user_id", sa.String(32), nullable=False),
        sa.Column("exchange", sa.String(16), nullable=False),
        sa.Column("mode", sa.String(8), nullable=False),
        sa.Column("label", sa.String(64), nullable=False),
        sa.Column("tail", sa.String(4), nullable=False),
        sa.Column("api_key", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("passphrase", sa.Text(), nullable=False),
        sa.Column("created_at", columns.Instant(), nullable=False),
        sa.Column("checked_at", columns.Instant(), nullable=True),
        sa.Column("last_check", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_exchange_keys_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_keys")),
    )
    op.create_index("ix_exchange_keys_user_id", "exchange_keys", ["user_id"])


def downgrade() -> None:
    op.drop_table("exchange_keys")
