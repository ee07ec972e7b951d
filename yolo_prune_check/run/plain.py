"""Dataclasses to what JSON can hold, and back by their annotations. Imports no torch."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any


def to_plain(value: object) -> Any:
    """Dataclasses as mappings of what they are made from, mappings whose keys are no text as lists of pairs.

    Arrays become nested lists. Not a number and infinity stay, which Python's JSON writes and reads.

    Raises:
        TypeError: It is none of these, nor what JSON holds.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value) if field.init}
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value):
            return {key: to_plain(item) for key, item in value.items()}
        return [[to_plain(key), to_plain(item)] for key, item in value.items()]
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    import numpy as np  # here: whoever only reads records needs none

    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} cannot be kept as JSON")


def from_plain(kind: Any, value: Any) -> Any:
    """A value of this type from what ``to_plain`` made of it, or from JSON.

    Args:
        kind: A dataclass, a tuple, list or mapping of such, an array, one of these or None, one of several
            dataclasses with other fields each, or what JSON itself holds.
        value: The plain value.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: The value is not of this type.
    """
    origin = typing.get_origin(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        return kind(**{name: from_plain(hints[name], item) for name, item in value.items()})
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        inner = [part for part in typing.get_args(kind) if part is not type(None)]
        made = [part for part in inner if dataclasses.is_dataclass(part)]
        if len(made) > 1 and len(made) == len(inner):  # the one that has these fields
            inner = [part for part in made if {field.name for field in dataclasses.fields(part)} == value.keys()]
            if not inner:
                raise ValueError(f"fields {', '.join(value)} are those of none of {len(made)} types")
        return from_plain(inner[0], value) if len(inner) == 1 else value  # several: as JSON itself tells them apart
    if origin is tuple:
        parts = typing.get_args(kind)
        if len(parts) == 2 and parts[1] is Ellipsis:
            return tuple(from_plain(parts[0], item) for item in value)
        return tuple(from_plain(part, item) for part, item in zip(parts, value, strict=True))
    if origin is list:
        (part,) = typing.get_args(kind)
        return [from_plain(part, item) for item in value]
    if origin in (dict, Mapping):
        keys, items = typing.get_args(kind)
        pairs = value.items() if isinstance(value, Mapping) else value
        return {from_plain(keys, key): from_plain(items, item) for key, item in pairs}
    if getattr(origin, "__name__", "") == "ndarray":
        import numpy as np

        (number,) = typing.get_args(typing.get_args(kind)[1])
        return np.array(value, dtype=number)
    return value
