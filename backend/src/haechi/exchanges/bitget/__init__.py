"""Bitget's USDT-M futures, classic account, REST and WebSocket v2: our own client, because what happened to an order needs exact evidence.

Start at adapter.py (the port), rest.py (one request, one answer or none), codes.py (what each code means), streams.py (the sockets).
"""
