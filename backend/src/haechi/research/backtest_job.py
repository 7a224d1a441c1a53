"""What a worker process does for one back-test: candles, engine, result files. The only place of the server that loads the engine."""

from __future__ import annotations

from typing import Any

from haechi.research.executor import Progress


def run_backtest(request: dict[str, Any], folder: str, data: str, progress: Progress) -> dict[str, Any]:
    raise NotImplementedError
