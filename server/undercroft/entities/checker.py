"""A process of its own for validation that might not end in time; killed when it does not.

Reads one JSON object {schema, documents, errors} from its input and writes one object:
{invalid: [[place, [[path, message, value], …]], …]}. Run by path, so that it loads nothing else.
"""

import json
import sys
from typing import Any

import jsonschema_rs

MASK = "the value"
SIZE_LIMIT = 200_000
"""Bytes of one compiled pattern and of its lazily built automaton's cache times five."""

MAX_MEMORY = 2 * 1024**3
"""Bytes of address space."""


def compile_schema(schema: Any) -> jsonschema_rs.Validator:
    """A validator that never leaves the process and matches patterns in linear time."""
    return jsonschema_rs.Draft202012Validator(
        schema,
        validate_formats=True,
        offline=True,
        mask=MASK,
        pattern_options=jsonschema_rs.RegexOptions(
            size_limit=SIZE_LIMIT, dfa_size_limit=5 * SIZE_LIMIT
        ),
    )


def complaints(validator: jsonschema_rs.Validator, document: Any, most: int) -> list[list[Any]]:
    """[JSON pointer, message, value] of the first violations."""
    found: list[list[Any]] = []
    for error in validator.iter_errors(document):
        path = "".join(f"/{_escape(str(part))}" for part in error.instance_path)
        found.append([path[:200], _message(error)[:200], _scalar(error.instance)])
        if len(found) == most:
            break
    return found


def _message(error: jsonschema_rs.ValidationError) -> str:
    if error.kind.name == "enum":  # the library names two candidates only
        return f"{MASK} is not one of {json.dumps(error.kind.value, ensure_ascii=False)}"
    return error.message


def _scalar(value: Any) -> Any:
    if isinstance(value, dict | list):
        return None
    return value[:100] if isinstance(value, str) else value


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _limit_memory() -> None:
    try:
        import resource  # noqa: PLC0415 - not on every platform
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))


def main() -> None:
    """Serve one request."""
    _limit_memory()
    request = json.load(sys.stdin)
    validator = compile_schema(request["schema"])
    invalid = []
    for place, document in enumerate(request["documents"]):
        if not validator.is_valid(document):
            errors = complaints(validator, document, request["errors"]) if request["errors"] else []
            invalid.append([place, errors])
    json.dump({"invalid": invalid}, sys.stdout)


if __name__ == "__main__":
    main()
