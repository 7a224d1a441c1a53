"""Trading: accounts, risk gate, journal, desk, ledger. The desk is the only door to an exchange."""
