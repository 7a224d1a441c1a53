"""What a strategy says about each bar of one symbol: the seam between strategies and the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT = 1, 2, 4, 8


@dataclass(frozen=True, eq=False)
class Signals:
    """Arrays as long as the bars. The signal of bar i is known at its close and acts at the open of bar i + 1.

    `atr` (price units, NaN while undefined) is there for the size kind volatility_target. Tags are (long, short);
    an empty exit tag means: use the exit reason.
    """

    bits: NDArray[np.uint8]
    atr: NDArray[np.float64] | None = None
    enter_tags: tuple[str, str] = ("", "")
    exit_tags: tuple[str, str] = ("", "")

    def __len__(self) -> int:
        return len(self.bits)
