"""people: second factor, sessions with devices, recovery codes, mailed tokens, failed tries"""

import sqlalchemy as sa
from alembic import op

from haechi.platform import columns

revision = "r0003"
down_revision = "r0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("users") as table:
        table.alter_column("password_hash", existing_type=sa.String(255), nullable=True)
        for name in ("verified_at", "password_at", "totp_at"):
            table.add_column(sa.Column(name, columns.Instant(), nullable=True))
        table.add_column(sa.Column("totp", sa.String(400), nullable=True))
        table.add_column(sa.Column("totp_step", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE users SET verified_at = created_at, password_at = created_at")  # who is there already was let in before
    with op.batch_alter_table("users") as table:
        table.alter_column("totp_step", existing_type=sa.Integer(), server_default=None)
    with op.batch_alter_table("user_sessions") as table:
        for name in ("used_at", "fresh_at"):
            table.add_column(sa.Column(name, columns.Instant(), nullable=True))
        table.add_column(sa.Column("fresh_2fa", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("device", sa.String(160), nullable=False, server_default=""))
        table.add_column(sa.Column("address", sa.String(64), nullable=False, server_default=""))
    with op.batch_alter_table("user_sessions") as table:
        for name, kind in (("fresh_2fa", sa.Boolean()), ("device", sa.String(160)), ("address", sa.String(64))):
            table.alter_column(name, existing_type=kind, server_default=None)
    owned("spent_refreshes", sa.Column("session_id", sa.String(32), nullable=False), sa.Column("spent_at", columns.Instant(), nullable=False),
          sa.ForeignKeyConstraint(["session_id"], ["user_sessions.id"], name=op.f("fk_spent_refreshes_session_id"), ondelete="CASCADE"))
    op.create_index(op.f("ix_spent_refreshes_session_id"), "spent_refreshes", ["session_id"])
    owned("recovery_codes", sa.Column("used_at", columns.Instant(), nullable=True))
    owned("mailed_tokens", sa.Column("purpose", sa.String(16), nullable=False), sa.Column("expires_at", columns.Instant(), nullable=False))
    op.create_table("failed_tries", sa.Column("key", sa.String(64), nullable=False), sa.Column("count", sa.Integer(), nullable=False),
                    sa.Column("since", columns.Instant(), nullable=False), sa.PrimaryKeyConstraint("key", name=op.f("pk_failed_tries")))
    op.create_index(op.f("ix_failed_tries_since"), "failed_tries", ["since"])


def owned(name: str, *more: sa.Column | sa.Constraint) -> None:
    """A table of hashes that belong to a person."""
    op.create_table(name, sa.Column("hash", sa.String(64), nullable=False), sa.Column("user_id", sa.String(32), nullable=False), *more,
                    sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f(f"fk_{name}_user_id"), ondelete="CASCADE"),
                    sa.PrimaryKeyConstraint("hash", name=op.f(f"pk_{name}")))
    op.create_index(op.f(f"ix_{name}_user_id"), name, ["user_id"])


def downgrade() -> None:
    for name in ("failed_tries", "mailed_tokens", "recovery_codes", "spent_refreshes"):
        op.drop_table(name)
    with op.batch_alter_table("user_sessions") as table:
        for name in ("used_at", "fresh_at", "fresh_2fa", "device", "address"):
            table.drop_column(name)
    op.execute("DELETE FROM users WHERE password_hash IS NULL")  # nobody could sign in as they did
    with op.batch_alter_table("users") as table:
        for name in ("verified_at", "password_at", "totp_at", "totp", "totp_step"):
            table.drop_column(name)
        table.alter_column("password_hash", existing_type=sa.String(255), nullable=False)
