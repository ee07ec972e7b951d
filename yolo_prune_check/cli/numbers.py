"""Lists of numbers on the command line, such as ``1-5,8``."""

from __future__ import annotations

from yolo_prune_check.errors import UserError
from yolo_prune_check.spec.fields import RANGES

_MOST = 10_000
"""More blocks than any model has."""


def parse_numbers(text: str, *, where: str) -> tuple[int, ...]:
    """Read numbers and ranges, each number once, in order.

    Raises:
        UserError: They are none.

    >>> parse_numbers("8,1-3,2", where="--blocks")
    (1, 2, 3, 8)
    """
    hint = "Write numbers and ranges such as 1-5,8."
    if not RANGES.fullmatch(text.strip()):
        raise UserError("not a list of numbers", where=where, value=text, hint=hint)
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if len(max(first, last, key=len)) > len(str(_MOST)) or int(last or first) > _MOST or int(first) > _MOST:
            raise UserError("no model has so many", where=where, value=text)
        if last and int(last) < int(first):
            raise UserError(f"the range {part.strip()} runs backwards", where=where, value=text, hint=hint)
        found.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(found))
