"""The bench of these tests stands beside them, the floor it plays on beside the venue's."""

from __future__ import annotations

import sys
from pathlib import Path

for folder in (Path(__file__).parent, Path(__file__).parents[1] / "venue"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
