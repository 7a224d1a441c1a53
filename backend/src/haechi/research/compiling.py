"""Says that the engine is about to be compiled, where it is: once for each version, about a minute."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def load_quickly() -> None:
    """Let numba take machine code from its cache without first preparing to compile, a quarter of a second of every start.

    numba refreshes its registries before it looks into the cache (numba.core.caching.Cache.load_overload, 0.68); only its compiler needs
    them, and refreshes them itself (numba.core.compiler.CompilerBase).
    """
    from numba.core import caching
    from numba.core.runtime.nrt import rtsys

    def load_overload(self: Any, sig: Any, target_context: Any) -> Any:
        rtsys.initialize(target_context)  # reference counts of arrays: what the refresh would have done for running code
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)

    caching.Cache.load_overload = load_overload  # type: ignore[method-assign]


def announce_compile(function: str, say: Callable[[str], None] | None = None) -> bool:
    """function: what of core is about to be called, as `run_one` (of engine) or `decide.decide`. True where no machine code is kept yet."""
    if os.environ.get("NUMBA_DISABLE_JIT", "0") == "1" or compiled_before(function):
        load_quickly()
        return False
    (say or to_stderr)("Compiling the engine; this happens once for each version and takes about a minute.")
    return True


def compiled_before(function: str) -> bool:
    """Whether the cache has machine code of the function for these sources."""
    name = function if "." in function else f"engine.{function}"
    return any(cache_folder().glob(f"**/{name}-*.nbc"))


def cache_folder() -> Path:
    return Path(os.environ["NUMBA_CACHE_DIR"])


def to_stderr(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
