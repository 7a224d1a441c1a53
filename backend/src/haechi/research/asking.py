"""What is wrong with the strategy of a wished back-test, said before it becomes a job."""

from __future__ import annotations

from haechi.errors import BadInput
from haechi.research.schemas import BacktestBody


def refuse_what_cannot_run(body: BacktestBody) -> None:
    """Raises BadInput for an unknown strategy, parameter or setting, or figures a plan cannot have. Loads the language, not the engine."""
    from haechi.core.language import LanguageError, rules_of
    from haechi.core.strategies import Written, find
    from haechi.core.units import UnitError

    try:
        strategy = find(body.strategy)
        strategy.plan(body.params, body.overrides)
        if isinstance(strategy, Written):
            rules_of(strategy.document, body.params, body.overrides)
    except (LanguageError, UnitError) as error:
        raise BadInput(str(error)) from None
