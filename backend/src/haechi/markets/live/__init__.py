"""A real exchange's public market, as it happens, for the simulated venue: paper trading on true prices, without a key."""
