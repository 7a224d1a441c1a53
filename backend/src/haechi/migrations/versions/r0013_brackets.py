"""brackets: protection of orders made by hand"""

import sqlalchemy as sa
from alembic import op

from haechi.platform import columns

revision = "r0013"
down_revision = "r0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "brackets",
        sa.Column("id", sa.String(48), nullable=False),
        sa.Column("user_id", sa.String(32), nullable=False),
        sa.Column("account_id", sa.String(32), nullable=False),
        sa.Column("symbol", sa.String(32), nullable=False),
        sa.Column("side", sa.String(4), nullable=False),
        sa.Column("leverage", sa.Integer(), nullable=False),
        sa.Column("stop", columns.Amount(), nullable=True),
        sa.Column("target", columns.Amount(), nullable=True),
        sa.Column("stop_percent", columns.Amount(), nullable=True),
        sa.Column("target_percent", columns.Amount(), nullable=True),
        sa.Column("released", columns.Amount(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_brackets_user_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_brackets_account_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_brackets")),
    )
    op.create_index(op.f("ix_brackets_user_id"), "brackets", ["user_id"])
    op.create_index("ix_brackets_account_id_ended_ms", "brackets", ["account_id", "ended_ms"])


def downgrade() -> None:
    op.drop_table("brackets")
