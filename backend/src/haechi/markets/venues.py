"""Which venue is meant when none is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from haechi.errors import BadInput, NotFound

if TYPE_CHECKING:
    from .store import Store


def the_venue(store: Store, symbol: str, timeframe: str) -> str:
    """The one venue whose candles are stored. Raises NotFound for none, BadInput for several."""
    folders = sorted(path.name for path in store.root.iterdir() if path.is_dir()) if store.root.is_dir() else []
    having = [name for name in folders if store.has(name, symbol, timeframe)]
    if not having:
        raise NotFound(f"No {timeframe} candles of {symbol.upper()} are stored; bring them in with `haechi data`.")
    if len(having) > 1:
        raise BadInput(f"{', '.join(having)} all have {timeframe} candles of {symbol.upper()}; say which with venue.")
    return having[0]
