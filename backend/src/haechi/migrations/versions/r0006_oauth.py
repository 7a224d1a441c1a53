"""sign-in with Google and Kakao"""

import sqlalchemy as sa
from alembic import op

from haechi.platform import columns

revision = "r0006"
down_revision = "r0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oauth_links",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("provider", sa.String(length=16), nullable=False),
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("created_at", columns.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_oauth_links_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth_links")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_oauth_links_issuer_subject")),
    )
    op.create_index(op.f("ix_oauth_links_user_id"), "oauth_links", ["user_id"])
    op.create_table(
        "oauth_flows",
        sa.Column("state_hash", sa.String(length=64), nullable=False),
        sa.Column("browser_hash", sa.String(length=64), nullable=False),
        sa.Column("kept_until", columns.Instant(), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=True),
        sa.Column("code_hash", sa.String(length=64), nullable=True),
        sa.Column("code_until", columns.Instant(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_oauth_flows_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_oauth_flows")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_oauth_flows_code_hash")),
    )
    op.create_index(op.f("ix_oauth_flows_kept_until"), "oauth_flows", ["kept_until"])
    op.create_index(op.f("ix_oauth_flows_user_id"), "oauth_flows", ["user_id"])


def downgrade() -> None:
    op.drop_table("oauth_flows")
    op.drop_table("oauth_links")
