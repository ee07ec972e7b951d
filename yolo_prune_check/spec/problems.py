"""What is wrong with a spec, and the one error that says all of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from yolo_prune_check.errors import MOST_SHOWN, UNSET, UserError
from yolo_prune_check.spec.located import Place

MOST_PROBLEMS = 100
"""Mistakes of one spec that are told in full."""


@dataclass(frozen=True)
class Problem:
    """One mistake: where it stands, what it is, the offending value and what to do."""

    place: Place
    what: str
    value: object = UNSET
    hint: str | None = None

    def __str__(self) -> str:
        return str(UserError(self.what, where=str(self.place), value=self.value, hint=self.hint))


class SpecProblems(Exception):
    """Carries problems out of a part of the loader that cannot go on; never leaves this room."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


def as_error(problems: Iterable[Problem]) -> UserError:
    """All problems as one error, in order of place, each on a line of its own and only once."""
    unique = list({str(problem): problem for problem in sorted(problems, key=lambda each: each.place)}.values())
    first, *others = unique
    more = len(unique) - MOST_PROBLEMS
    if not others:
        return UserError(first.what, where=str(first.place), value=first.value, hint=first.hint)
    # UserError writes "where: what." itself: what is everything between the first place and the last full stop.
    lines = "\n".join(map(str, unique[:MOST_PROBLEMS]))
    if more > 0:
        lines += f"\n{first.place.file}: {more} more mistakes."
    return UserError(lines.removeprefix(f"{first.place}: ").removesuffix("."), where=str(first.place))


def suggestion(word: object, known: Iterable[str], *, title: str) -> str:
    """“Did you mean …? Valid keys: …” for a word that is not among the known ones.

    >>> suggestion("oder", ["id", "order"], title="Valid keys")
    'Did you mean `order`? Valid keys: id, order.'
    """
    names = list(known)
    return f"{meant(nearest(word, names))}{title}: {', '.join(names)}."


def nearest(word: object, names: Iterable[str]) -> list[str]:
    """The name that is most like a word, with those that are about as like it, in their order; none if none is.

    >>> nearest("l3", ["taylor", "l1", "l2"])
    ['l1', 'l2']
    """
    if not isinstance(word, str) or len(word) > MOST_SHOWN:
        return []
    names = list(names)
    cutoff = 0.6 if len(word) > 2 else 0.5  # of two letters one that is right is enough
    close = difflib.get_close_matches(word.lower(), names, cutoff=cutoff)
    like = {name: difflib.SequenceMatcher(None, name, word.lower()).ratio() for name in close}
    return [name for name in dict.fromkeys(names) if name in like and like[name] > max(like.values()) - 0.1]


def meant(names: Iterable[str]) -> str:
    """A question that names what may have been meant, with a space behind it; empty if nothing is named.

    >>> meant(["l1", "l2"])
    'Did you mean `l1` or `l2`? '
    """
    *others, last = [f"`{name}`" for name in names] or [""]
    asked = f"{', '.join(others)} or {last}" if others else last
    return f"Did you mean {asked}? " if asked else ""
