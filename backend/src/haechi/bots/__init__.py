"""Bots: what each wants (mind), how it acts (runner), who keeps them (service), and how a day is replayed."""
