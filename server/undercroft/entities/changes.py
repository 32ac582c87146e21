"""Documents compared and changed: JSON merge patch, and what differs between two versions."""

from collections.abc import Iterator
from typing import Any

MAX_CHANGES = 200


def merge(target: Any, patch: Any) -> Any:
    """RFC 7396: members of the patch replace those of the target, null removes them."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


def differences(old: Any, new: Any) -> list[dict[str, Any]]:
    """{path, old, new} of each place that differs; objects are entered, arrays are values."""
    found: list[dict[str, Any]] = []
    for change in _differences(old, new, ""):
        if len(found) == MAX_CHANGES:
            return [{"path": "", "old": old, "new": new}]
        found.append(change)
    return found


def _differences(old: Any, new: Any, path: str) -> Iterator[dict[str, Any]]:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        if not same(old, new):
            yield {"path": path, "old": old, "new": new}
        return
    for name in [*old, *(name for name in new if name not in old)]:
        at = f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
        if name not in new:
            yield {"path": at, "old": old[name]}
        elif name not in old:
            yield {"path": at, "new": new[name]}
        else:
            yield from _differences(old[name], new[name], at)


def same(old: Any, new: Any) -> bool:
    """Equal as JSON values: true is not 1, as it is in Python."""
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(same, old, new))
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(same(old[name], new[name]) for name in old)
    return bool(old == new)
