"""What admins see and do: people, bots, the audit, figures, logs, and the kill switch. Start at `people_router`."""
