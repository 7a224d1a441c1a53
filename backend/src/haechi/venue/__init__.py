"""The simulated exchange. It is built on the engine's own functions: what it books, the engine books."""
