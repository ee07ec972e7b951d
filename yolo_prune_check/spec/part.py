"""A part of the val images: every n-th, so that what was decided on one part can be checked on another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeVar

from yolo_prune_check.errors import UserError

HINT: Final = "Write k/n: every n-th val image beginning with the k-th, such as 1/2 and 2/2 for two halves."
MOST_PARTS: Final = 1000
_PART: Final = re.compile(r"(\d{1,4})/(\d{1,4})", re.ASCII)

T = TypeVar("T")


class Part(NamedTuple):
    """Every ``of``-th image in their order, beginning with the ``number``-th, which counts from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def take(self, items: Sequence[T]) -> tuple[T, ...]:
        """Those of some items that belong to the part.

        >>> Part(2, 3).take("abcdefgh")
        ('b', 'e', 'h')
        """
        return tuple(items[self.number - 1 :: self.of])

    def split(self, count: int) -> tuple[Part, ...]:
        """So many parts of equal size, but for one image, that make up this one.

        >>> [str(fold) for fold in Part(1, 2).split(2)]
        ['1/4', '3/4']
        """
        return tuple(Part(self.number + index * self.of, self.of * count) for index in range(count))


def read_part(text: object, *, where: str | None = None) -> Part:
    """The part that a user names.

    Args:
        text: ``k/n`` with 1 <= k <= n.
        where: The place for the message.

    Raises:
        UserError: It names none.

    >>> read_part("2/2")
    Part(number=2, of=2)
    """
    found = _PART.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise UserError("not a part of the val images", where=where, value=text, hint=HINT)
    part = Part(*map(int, found.groups()))
    if not 1 <= part.number <= part.of <= MOST_PARTS:
        hint = f"{HINT} k is at least 1 and at most n, which is at most {MOST_PARTS}."
        raise UserError("there is no such part of the val images", where=where, value=text, hint=hint)
    return part
