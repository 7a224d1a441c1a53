"""trading: accounts with names and isolation, orders with intents, alarms, leases; bots with allocations and states"""

import sqlalchemy as sa
from alembic import op

from haechi.platform import columns

revision = "r0008"
down_revision = "r0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("accounts") as table:
        table.add_column(sa.Column("name", sa.String(64), nullable=False, server_default=sa.text("''")))
        table.add_column(sa.Column("isolation", sa.String(12), nullable=False, server_default="exclusive"))
        table.add_column(sa.Column("key_id", sa.String(32), nullable=True))
        table.add_column(sa.Column("closed_at", columns.Instant(), nullable=True))
    with op.batch_alter_table("orders") as table:
        table.add_column(sa.Column("intent", sa.String(80), nullable=True))
        table.add_column(sa.Column("origin", sa.String(8), nullable=False, server_default="bot"))
        table.add_column(sa.Column("filled", columns.Amount(), nullable=False, server_default="0"))
        table.add_column(sa.Column("leverage", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("decision", sa.BigInteger(), nullable=False, server_default="0"))
        table.add_column(sa.Column("sent_ms", sa.BigInteger(), nullable=False, server_default="0"))
        table.create_index("ix_orders_account_id_status", ["account_id", "status"])
        table.create_unique_constraint("uq_orders_account_id_intent", ["account_id", "intent"])
    with op.batch_alter_table("bots") as table:
        table.add_column(sa.Column("name", sa.String(64), nullable=False, server_default=sa.text("''")))
        table.add_column(sa.Column("kind", sa.String(12), nullable=False, server_default="strategy"))
        table.add_column(sa.Column("origin", sa.String(12), nullable=False, server_default="form"))
        table.add_column(sa.Column("allocation", columns.Amount(), nullable=False, server_default="100"))
        table.add_column(sa.Column("flatten", sa.Boolean(), nullable=False, server_default=sa.true()))
        table.add_column(sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("retry_ms", sa.BigInteger(), nullable=False, server_default="0"))
        table.add_column(sa.Column("started_at", columns.Instant(), nullable=True))
        table.add_column(sa.Column("deleted_at", columns.Instant(), nullable=True))
    op.create_table(
        "bot_states",
        sa.Column("bot_id", sa.String(32), nullable=False),
        sa.Column("user_id", sa.String(32), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["bot_id"], ["bots.id"], name=op.f("fk_bot_states_bot_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_bot_states_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("bot_id", name=op.f("pk_bot_states")),
    )
    op.create_index("ix_bot_states_user_id", "bot_states", ["user_id"])
    op.create_table(
        "alarms",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("user_id", sa.String(32), nullable=False),
        sa.Column("account_id", sa.String(32), nullable=False),
        sa.Column("bot_id", sa.String(32), nullable=False),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("key", sa.String(96), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("raised_ms", sa.BigInteger(), nullable=False),
        sa.Column("cleared_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_alarms_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarms")),
    )
    op.create_index("ix_alarms_user_id", "alarms", ["user_id"])
    op.create_index("ix_alarms_account_id_raised_ms", "alarms", ["account_id", "raised_ms"])
    op.create_table(
        "leases",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )


def downgrade() -> None:
    op.drop_table("leases")
    op.drop_table("alarms")
    op.drop_table("bot_states")
    with op.batch_alter_table("bots") as table:
        for name in ("deleted_at", "started_at", "retry_ms", "attempts", "flatten", "allocation", "origin", "kind", "name"):
            table.drop_column(name)
    with op.batch_alter_table("orders") as table:
        table.drop_constraint("uq_orders_account_id_intent", type_="unique")
        table.drop_index("ix_orders_account_id_status")
        for name in ("sent_ms", "decision", "leverage", "filled", "origin", "intent"):
            table.drop_column(name)
    with op.batch_alter_table("accounts") as table:
        for name in ("closed_at", "key_id", "isolation", "name"):
            table.drop_column(name)
