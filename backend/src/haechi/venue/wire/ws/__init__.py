"""The WebSocket v2 face of the venue."""
