"""Steps between versions of the tables. A new one: `python -m haechi.migrations "what changes"`, then read and trim it."""
