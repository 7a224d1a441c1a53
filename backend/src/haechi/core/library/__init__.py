"""The built-in strategies: one document each. Pages about them are in docs/strategies."""
