"""JSON Schema for an agent: what pydantic writes, less what costs tokens and says nothing."""

from typing import Any

_SILENT: tuple[Any, ...] = ("", None, False)


def compact(schema: Any) -> Any:
    """Drop titles and defaults that a missing argument implies anyway."""
    if isinstance(schema, list):
        return [compact(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for key, value in schema.items():
        if key == "title" and isinstance(value, str):
            continue
        if key == "default" and (value in ([], {}) or value in _SILENT):
            continue
        if key == "additionalProperties" and value in (True, False):
            continue
        kept[key] = _members(value) if key in ("properties", "$defs") else compact(value)
    return kept


def _members(members: dict[str, Any]) -> dict[str, Any]:
    """Properties keep their names, whatever these are."""
    return {name: compact(member) for name, member in members.items()}
