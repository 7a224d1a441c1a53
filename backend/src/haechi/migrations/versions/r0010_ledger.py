"""ledger: owners of entries, what is held after a booking, days, equity"""

from decimal import Decimal

import sqlalchemy as sa
from alembic import op

from haechi.platform import columns

revision = "r0010"
down_revision = "r0009"
branch_labels = None
depends_on = None

DAY_MS = 86_400_000


def upgrade() -> None:
    with op.batch_alter_table("bookings") as table:
        for name in ("held", "cost", "netting", "wallet"):
            table.add_column(sa.Column(name, columns.Amount(), nullable=False, server_default="0"))
        table.drop_constraint("uq_bookings_account_id_exchange_id", type_="unique")
        table.create_unique_constraint("uq_bookings_account_id_exchange_id_bot_id", ["account_id", "exchange_id", "bot_id"])
        table.create_index("ix_bookings_account_id_time_ms", ["account_id", "time_ms"])
        table.create_index("ix_bookings_account_id_symbol", ["account_id", "symbol", "bot_id", "id"])
    with op.batch_alter_table("ledger_entries") as table:
        table.add_column(sa.Column("owner", sa.String(32), nullable=False, server_default=sa.text("''")))
        table.add_column(sa.Column("owner_balance", columns.Amount(), nullable=False, server_default="0"))
        table.add_column(sa.Column("time_ms", sa.BigInteger(), nullable=False, server_default="0"))
        table.drop_index("ix_ledger_entries_account_id_book")
        table.create_index("ix_ledger_entries_account_id_book", ["account_id", "book", "id"])
        table.create_index("ix_ledger_entries_account_id_owner_book", ["account_id", "owner", "book", "id"])
    op.create_table(
        "ledger_days",
        sa.Column("account_id", sa.String(32), nullable=False),
        sa.Column("owner", sa.String(32), nullable=False),
        sa.Column("symbol", sa.String(32), nullable=False),
        sa.Column("day_ms", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.String(32), nullable=False),
        *[sa.Column(name, columns.Amount(), nullable=False) for name in ("realized", "fees", "funding", "liquidation")],
        sa.Column("bookings", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_ledger_days_account_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_ledger_days_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id", "owner", "symbol", "day_ms", name=op.f("pk_ledger_days")),
    )
    op.create_index("ix_ledger_days_user_id", "ledger_days", ["user_id"])
    op.create_table(
        "equity_points",
        sa.Column("account_id", sa.String(32), nullable=False),
        sa.Column("bot_id", sa.String(32), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.String(32), nullable=False),
        *[sa.Column(name, columns.Amount(), nullable=False) for name in ("equity", "wallet", "unrealised")],
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_equity_points_account_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_equity_points_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id", "bot_id", "time_ms", name=op.f("pk_equity_points")),
    )
    op.create_index("ix_equity_points_user_id", "equity_points", ["user_id"])
    op.create_index("ix_equity_points_time_ms", "equity_points", ["time_ms"])
    carry_over(op.get_bind())


def carry_over(link: sa.Connection) -> None:
    """Entries of before: each account had one bot, so its share of a book is the book. Days are summed here, once, exactly."""
    link.execute(sa.text("UPDATE ledger_entries SET owner_balance = balance, "
                         "owner = (SELECT bot_id FROM bookings WHERE bookings.id = ledger_entries.booking_id), "
                         "time_ms = (SELECT time_ms FROM bookings WHERE bookings.id = ledger_entries.booking_id)"))
    bookings = sa.table("bookings", sa.column("id"), sa.column("user_id"), sa.column("account_id"), sa.column("bot_id"), sa.column("kind"),
                        sa.column("symbol"), sa.column("time_ms"), sa.column("wallet", columns.Amount()))
    entries = sa.table("ledger_entries", sa.column("booking_id"), sa.column("book"), sa.column("amount", columns.Amount()),
                       sa.column("balance", columns.Amount()))
    moved: dict[int, dict[str, tuple[Decimal, Decimal]]] = {}
    for entry in link.execute(sa.select(entries)):
        moved.setdefault(entry.booking_id, {})[entry.book] = (entry.amount, entry.balance)
    wallets: dict[str, Decimal] = {}
    days: dict[tuple[object, ...], dict[str, object]] = {}
    for row in link.execute(sa.select(bookings).order_by(bookings.c.id)).all():
        amounts = moved.get(row.id, {})
        wallets[row.account_id] = amounts.get("wallet", (0, wallets.get(row.account_id, Decimal(0))))[1]
        link.execute(bookings.update().where(bookings.c.id == row.id).values(wallet=wallets[row.account_id]))
        if row.symbol:
            add(days, row, {book: amount for book, (amount, _) in amounts.items()})
    amount = columns.Amount()
    table = sa.table("ledger_days", *[sa.column(name) for name in ("account_id", "owner", "symbol", "day_ms", "user_id", "bookings")],
                     *[sa.column(name, amount) for name in ("realized", "fees", "funding", "liquidation")])
    if days:
        link.execute(table.insert(), list(days.values()))


def add(days: dict[tuple[object, ...], dict[str, object]], row: sa.Row, amounts: dict[str, Decimal]) -> None:
    key = (row.account_id, row.bot_id, row.symbol, row.time_ms // DAY_MS * DAY_MS)
    none = dict.fromkeys(("realized", "fees", "funding", "liquidation"), Decimal(0))
    day = days.setdefault(key, {**dict(zip(("account_id", "owner", "symbol", "day_ms"), key, strict=True)), "user_id": row.user_id,
                                "bookings": 0, **none})
    day["bookings"] += 1
    for book in ("realized", "fees", "funding"):
        name = "liquidation" if row.kind == "liquidation" and book == "realized" else book
        day[name] -= amounts.get(book, Decimal(0))


def downgrade() -> None:
    op.drop_table("equity_points")
    op.drop_table("ledger_days")
    with op.batch_alter_table("ledger_entries") as table:
        table.drop_index("ix_ledger_entries_account_id_owner_book")
        table.drop_index("ix_ledger_entries_account_id_book")
        table.create_index("ix_ledger_entries_account_id_book", ["account_id", "book"])
        for name in ("time_ms", "owner_balance", "owner"):
            table.drop_column(name)
    with op.batch_alter_table("bookings") as table:
        table.drop_index("ix_bookings_account_id_symbol")
        table.drop_index("ix_bookings_account_id_time_ms")
        table.drop_constraint("uq_bookings_account_id_exchange_id_bot_id", type_="unique")
        table.create_unique_constraint("uq_bookings_account_id_exchange_id", ["account_id", "exchange_id"])
        for name in ("wallet", "netting", "cost", "held"):
            table.drop_column(name)
