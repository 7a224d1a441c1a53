"""How the server is, and the pages it shows without a dashboard."""
