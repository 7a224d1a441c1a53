"""risk settings of people; kill switches as files

The table of the kill switch goes: switches are files in var/kill now. A switch that was on is not carried over, for a migration writes
no files: the operator turns it on again (`haechi kill --reason …`) before the new version serves.
"""

import sqlalchemy as sa
from alembic import op

from haechi.platform import columns

revision = "r0012"
down_revision = "r0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("kill_switches")
    op.create_table(
        "risk_settings",
        sa.Column("user_id", sa.String(32), nullable=False),
        sa.Column("daily_loss_limit", columns.Amount(), nullable=False),
        sa.Column("max_leverage", sa.Integer(), nullable=False),
        sa.Column("max_positions", sa.Integer(), nullable=False),
        sa.Column("max_exposure", columns.Amount(), nullable=False),
        sa.Column("order_value_min", columns.Amount(), nullable=False),
        sa.Column("order_value_max", columns.Amount(), nullable=False),
        sa.Column("price_collar_percent", columns.Amount(), nullable=False),
        sa.Column("price_distance_percent", columns.Amount(), nullable=False),
        sa.Column("orders_per_minute", sa.Integer(), nullable=False),
        sa.Column("duplicate_window_ms", sa.Integer(), nullable=False),
        sa.Column("allowed_symbols", sa.JSON(), nullable=True),
        sa.Column("updated_at", columns.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_risk_settings_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_risk_settings")),
    )


def downgrade() -> None:
    op.drop_table("risk_settings")
    op.create_table(
        "kill_switches",
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("since", columns.Instant(), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_kill_switches")),
    )
