"""A command that says which value of an option was meant, where one is mistyped."""

from __future__ import annotations

import re
from typing import Any

import typer
from typer.core import TyperCommand

from yolo_prune_check.spec.problems import suggestion

_CHOICE = re.compile(r"(?:Value error, )?'(?P<value>.*)' is not one of (?P<known>'.*')\.", re.DOTALL)


class Command(TyperCommand):
    """A command of typer, which lists the values that an option may have, and names none of them as the nearest."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; see click.

        Raises:
            typer.BadParameter: A value cannot be used.
        """
        try:
            return list(super().parse_args(ctx, args))
        except typer.BadParameter as error:
            error.message = in_our_words(error.message)
            raise


def in_our_words(message: str) -> str:
    """What typer says of a value, in the words in which specs have it; as it is if it is not about choices.

    >>> in_our_words("Value error, 'rya' is not one of 'dask', 'ray'.")
    "got 'rya'. Did you mean `ray`? Known: dask, ray."
    """
    found = _CHOICE.fullmatch(message)
    if found is None:
        return message
    known = re.findall(r"'([^']*)'", found["known"])
    return f"got {found['value']!r}. {suggestion(found['value'], known, title='Known')}"
