"""Whether two networks say the same of themselves: classes of their modules, and all that is no weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_ABSENT: Final = "nothing"

Told = Mapping[str, Mapping[str, Any]]
"""See ``standalone.told``."""


def unlike(wanted: Told, got: Told) -> str | None:
    """The first thing in which they differ, in words; None if there is none.

    Args:
        wanted: What was meant.
        got: What there is.
    """
    for name in dict.fromkeys((*wanted, *got)):
        module = name or "the network"
        if name not in got or name not in wanted:
            return f"{module} is {'not meant to be there' if name in got else 'missing'}"
        found = _unlike(wanted[name], got[name])
        if found is not None:
            return f"{module} says {found}"
    return None


def _unlike(wanted: Any, got: Any, place: str = "") -> str | None:
    """The first place in two nested values where they differ, in words."""
    if wanted == got or (wanted != wanted and got != got):  # NaN is like NaN
        return None
    if isinstance(wanted, Mapping) and isinstance(got, Mapping):
        pairs = {key: (wanted.get(key, _ABSENT), got.get(key, _ABSENT)) for key in (*wanted, *got)}
    elif isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        pairs = dict(enumerate(zip(wanted, got, strict=True)))
    else:
        return f"{place} = {got}, not {wanted}"
    inside = (_unlike(*pair, f"{place}[{key}]" if place else str(key)) for key, pair in pairs.items())
    return next(filter(None, inside), None)
