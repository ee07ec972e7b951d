"""The two exceptions a user of this package may see: their mistake, and something not in this version."""

from __future__ import annotations

from typing import Final


class _Unset:
    def __repr__(self) -> str:
        return "<unset>"


UNSET: Final = _Unset()


class UserError(Exception):
    """Bad input: a spec, checkpoint, data set or plan that cannot be used.

    One message says what is wrong, where, with which value, and what to do about it. Fronts print it without a
    stack trace; the command line exits with code 2.

    Args:
        what: What is wrong, without a final full stop.
        where: The place: ``file:line:column``, a file, a module name.
        value: The offending value; shown with ``repr``.
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
        value = "" if self.value is UNSET else f": got {self.value!r}"
        hint = f" {self.hint}" if self.hint else ""
        return f"{place}{self.what}{value}.{hint}"

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process borders (pytest-xdist, joblib) by pickle, which knows only positional arguments.
        return _rebuild, (type(self), self.what, self.where, self.value, self.hint)


class UnavailableError(UserError):
    """A declared feature that this version does not carry out yet; fronts skip it instead of failing."""


def _rebuild(cls: type[UserError], what: str, where: str | None, value: object, hint: str | None) -> UserError:
    unset = isinstance(value, _Unset)
    return cls(what, where=where, value=UNSET if unset else value, hint=hint)
