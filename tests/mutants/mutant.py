"""Mutants: deliberate mistakes in the predicting side, each a patch that lasts as long as a ``with`` block."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, wraps
from types import ModuleType
from typing import Any
from unittest.mock import patch

from tests.mutants.hunt import Hunt, Pinned

_PACKAGE = "yolo_prune_check"
_ROOM = f"{_PACKAGE}.channels"
_RULES = "RULES"


class OutdatedError(BaseException):
    """A mutant no longer fits what it replaces; no ``Exception``, which would count as being caught."""


Wrong = Callable[..., Any]
"""The mistaken version: takes what it stands in for as its first argument, and then that one's own arguments."""


@dataclass(frozen=True)
class Mutant:
    """One mistake.

    Attributes:
        id: Its name.
        mistake: What is wrong, in words.
        place: What is replaced: ``module:function``, ``module:Class.method`` or ``RULES:operator``, with modules as
            ``yolo_prune_check.channels`` names them.
        wrong: The replacement.
        hunt: Where it is looked for.
    """

    id: str
    mistake: str
    place: str
    wrong: Wrong
    hunt: Hunt | Pinned

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Make the mistake for the time of a ``with`` block, wherever the replaced function is referred to.

        A graph that was traced before stays right as far as it was worked out: it must be traced anew.
        """
        module, _, name = self.place.partition(":")
        with ExitStack() as stack:
            stack.callback(_forget)
            if module == _RULES:
                rules = importlib.import_module(f"{_ROOM}.rules").RULES
                _swap(stack, rules[name], _standing_in(rules[name], self.wrong))
            else:
                holder: Any = importlib.import_module(f"{_ROOM}.{module}")
                *outer, last = name.split(".")
                for part in outer:
                    holder = getattr(holder, part)
                original = vars(holder)[last]
                wrong = _standing_in(original, self.wrong)
                if outer:
                    stack.enter_context(patch.object(holder, last, wrong))
                _swap(stack, original, wrong)
            _forget()
            yield


MUTANTS: dict[str, Mutant] = {}
"""All mutants by id, in the order of their declaration."""


def mutant(place: str, mistake: str, hunt: Hunt | Pinned) -> Callable[[Wrong], Wrong]:
    """Declare a mutant, named like the decorated function."""

    def declare(wrong: Wrong) -> Wrong:
        name = wrong.__name__.replace("_", "-")
        if name in MUTANTS:
            raise ValueError(f"two mutants are called {name}")
        MUTANTS[name] = Mutant(name, mistake, place, wrong, hunt)
        return wrong

    return declare


def _standing_in(original: Any, wrong: Wrong) -> Any:
    if isinstance(original, cached_property):
        return property(lambda self: wrong(original.func, self))
    if isinstance(original, classmethod | staticmethod | property):
        raise TypeError(f"a mutant of a {type(original).__name__} is not foreseen")

    signature = inspect.signature(wrong)

    @wraps(original)
    def stand_in(*args: Any, **kwargs: Any) -> Any:
        try:
            signature.bind(original, *args, **kwargs)
        except TypeError as error:
            raise OutdatedError(f"{wrong.__name__} does not take what {original.__qualname__} takes: {error}") from None
        return wrong(original, *args, **kwargs)

    return stand_in


def _swap(stack: ExitStack, original: Any, wrong: Any) -> None:
    """Replace a function under every name by which modules of the package know it, and in every table of theirs."""
    for module in _modules():
        for name, value in list(vars(module).items()):
            if value is original:
                stack.enter_context(patch.object(module, name, wrong))
            elif isinstance(value, dict) and not name.startswith("__"):
                found = {key: wrong for key, entry in value.items() if entry is original}
                if found:
                    stack.enter_context(patch.dict(value, found))


def _forget() -> None:
    """Drop what functions of the package remember of earlier calls: it may be right, or wrong."""
    for module in _modules():
        for value in list(vars(module).values()):
            if isinstance(value, functools._lru_cache_wrapper):
                value.cache_clear()


def _modules() -> list[ModuleType]:
    room = importlib.import_module(_ROOM)
    for found in pkgutil.walk_packages(room.__path__, f"{_ROOM}."):
        importlib.import_module(found.name)
    return [module for name, module in list(sys.modules.items()) if name.partition(".")[0] == _PACKAGE]
