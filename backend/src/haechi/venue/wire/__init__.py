"""The faces of the venue: Bitget REST v2 and WebSocket v2."""
