"""The exception a user of this package may see: a mistake of theirs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final


class _Unset:
    def __repr__(self) -> str:
        return "<unset>"


UNSET: Final = _Unset()


MOST_SHOWN: Final = 80
"""Characters of a value that a message shows."""
MOST_TEXT: Final = 240
"""Characters of a text that a message shows: a path must stay readable."""


def shown(value: object) -> str:
    """The value as ``repr`` writes it, but no longer than a message should be; ``…`` stands for what is left out.

    >>> shown([1, "a"])
    "[1, 'a']"
    >>> len(shown(list(range(100_000))))
    80
    """
    most = MOST_TEXT if isinstance(value, str) else MOST_SHOWN
    text = ""
    for piece in _pieces(value):  # lazily: what aliases of YAML repeat may be too much to write out
        text += piece
        if len(text) > most:
            return text[: most - 1] + "…"
    return text


def clip(text: str, most: int = MOST_SHOWN) -> str:
    """A text that is named inside a message, cut where it is too long.

    >>> clip("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= most else text[: most - 1] + "…"


def _pieces(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield repr(value[: MOST_TEXT + 1])
    elif isinstance(value, int) and value.bit_length() > 4 * MOST_SHOWN:
        yield hex(value)  # Python refuses to write a very long number in decimal
    elif type(value) is dict:
        yield "{"
        for index, (key, item) in enumerate(value.items()):
            yield ", " if index else ""
            yield from _pieces(key)
            yield ": "
            yield from _pieces(item)
        yield "}"
    elif type(value) in (list, tuple):
        opening, closing = "[]" if isinstance(value, list) else "()"
        yield opening
        for index, item in enumerate(value):  # type: ignore[arg-type]  # a list or tuple, as asked above
            yield ", " if index else ""
            yield from _pieces(item)
        yield f",{closing}" if isinstance(value, tuple) and len(value) == 1 else closing
    else:
        yield repr(value)


class UserError(Exception):
    """Bad input: a spec, checkpoint, data set or plan that cannot be used.

    One message says what is wrong, where, with which value, and what to do about it. Fronts print it without a
    stack trace; the command line exits with code 2.

    Args:
        what: What is wrong, without a final full stop.
        where: The place: ``file:line:column``, a file, a module name.
        value: The offending value; shown with ``repr``, shortened.
        hint: What to do, as a sentence.

    >>> print(UserError("ratio must lie between 0 and 1", where="x.prune.yaml:7:14", value=2, hint="Try 0.5."))
    x.prune.yaml:7:14: ratio must lie between 0 and 1: got 2. Try 0.5.
    """

    def __init__(self, what: str, *, where: str | None = None, value: object = UNSET, hint: str | None = None) -> None:
        self.what = what
        self.where = where
        self.value = value
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        value = "" if self.value is UNSET else f": got {shown(self.value)}"
        hint = f" {self.hint}" if self.hint else ""
        return f"{place}{self.what}{value}.{hint}"

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process borders (pytest-xdist, joblib) by pickle, which knows only positional arguments.
        return _rebuild, (type(self), self.what, self.where, self.value, self.hint)


def _rebuild(cls: type[UserError], what: str, where: str | None, value: object, hint: str | None) -> UserError:
    unset = isinstance(value, _Unset)
    return cls(what, where=where, value=UNSET if unset else value, hint=hint)
