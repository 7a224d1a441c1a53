"""What the server loads when it starts, measured in a process of its own."""

import subprocess
import sys

HEAVY = {"numba", "llvmlite", "talib", "polars", "ccxt", "aiogram", "numpy"}


def test_importing_the_application_brings_no_engine_and_no_exchange_library():
    code = "import sys, haechi.app, haechi.tables; print(' '.join({name.split('.')[0] for name in sys.modules}))"
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    assert "fastapi" in loaded
    assert not loaded & HEAVY, "a module on the server's import path loads them: import inside the function that needs them"
