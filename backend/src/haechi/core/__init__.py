"""The pure core: what is decided about money, and nothing else. No clock, network, database or hidden randomness.

Start reading at `engine` (one bar from the open to the wishes), then `docs/engine.md`, which it follows to the cent.
"""
