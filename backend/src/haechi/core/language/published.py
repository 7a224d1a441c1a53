"""The indicators' part of the JSON Schema, from the table of kinds."""

from __future__ import annotations

from typing import Any

from ..indicators import KINDS, Kind, Setting
from .functions import SOURCES
from .values import NAME, NUMERIC, PARAM


def indicators_schema(schema: dict[str, Any]) -> None:
    """Replace pydantic's loose mapping of indicators by one alternative a kind."""
    schema["propertyNames"] = {"pattern": f"^{NAME.pattern}$"}
    schema["additionalProperties"] = {"oneOf": [_kind(kind) for kind in KINDS.values()]}


def _kind(kind: Kind) -> dict[str, Any]:
    fields: dict[str, Any] = {"kind": {"const": kind.name}}
    if kind.source is not None:
        fields["source"] = {"type": "string", "default": kind.source, "description": f"{', '.join(SOURCES)}, or an indicator"}
    fields |= {setting.name: _setting(setting) for setting in kind.settings}
    required = ["kind", *(setting.name for setting in kind.settings if setting.default is None)]
    return {"type": "object", "title": kind.name, "description": f"{kind.title}; gives {', '.join(kind.outputs)}",
            "properties": fields, "required": required, "additionalProperties": False}


def _setting(setting: Setting) -> dict[str, Any]:
    number = {"type": "integer" if setting.whole else "number", "minimum": setting.low, "maximum": setting.high}
    found: dict[str, Any] = {"anyOf": [number, {"type": "string", "pattern": f"^({PARAM.pattern}|{NUMERIC})$"}]}
    return found if setting.default is None else found | {"default": setting.default}
