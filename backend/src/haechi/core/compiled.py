"""How core functions are compiled: cached on disk, without the GIL, without fast-math.

With NUMBA_DISABLE_JIT=1 the same functions run as plain Python and give the same results.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a function of ints and int64/float64 arrays; error_model numpy: no hidden zero-division branches."""
    return njit(cache=True, nogil=True, error_model="numpy")(function)  # type: ignore[return-value]


def inlined(function: F) -> F:
    """Like `compiled`, for small functions on the hot path: copied into their callers, since a call hands over 20 words of arrays."""
    return njit(cache=True, nogil=True, error_model="numpy", forceinline=True)(function)  # type: ignore[return-value]
