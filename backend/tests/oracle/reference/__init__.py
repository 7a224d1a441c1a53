"""The engine once more, slowly: plain Python integers and fractions, written from docs/engine.md alone.

It shares no code with the engine; of haechi.core it reads only the value types that hold parameters.
"""

from .feed import Bar, Feed
from .run import Result, run

__all__ = ["Bar", "Feed", "Result", "run"]
