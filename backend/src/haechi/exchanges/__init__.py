"""Exchanges: what one can do (port.py) and who can do it. Adapters do not know each other."""
