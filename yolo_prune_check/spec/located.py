"""YAML values that remember where they were written, so that any later error can name file, line and column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Place(NamedTuple):
    """A position in a file; line and column count from 1, and line 0 means the file as a whole.

    >>> str(Place("specs/x.prune.yaml", 7, 14))
    'specs/x.prune.yaml:7:14'
    """

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    @classmethod
    def read(cls, text: str) -> Place:
        """The place that is written so.

        >>> Place.read("specs/x.prune.yaml:7:14")
        Place(file='specs/x.prune.yaml', line=7, column=14)
        """
        written = re.fullmatch(r"(.*):(\d+):(\d+)", text, re.DOTALL)
        return cls(written[1], int(written[2]), int(written[3])) if written else cls(text)


@dataclass(frozen=True)
class Entry:
    """One key of a mapping with its value, and where each stands."""

    key_place: Place
    place: Place
    value: Any


@dataclass(frozen=True)
class Mapping:
    """A YAML mapping. `last_line` is the last line of its content, without what follows it (blank lines, comments)."""

    place: Place
    last_line: int
    entries: dict[str, Entry] = field(default_factory=dict)

    def get(self, key: str) -> Any:
        """The value of a key; None if it is absent."""
        entry = self.entries.get(key)
        return None if entry is None else entry.value

    def __contains__(self, key: object) -> bool:
        return key in self.entries

    def merged(self, over: Mapping) -> Mapping:
        """This mapping with the entries of another in place of its own; place and extent are the other's."""
        return Mapping(over.place, over.last_line, {**self.entries, **over.entries})

    def without(self, *keys: str) -> Mapping:
        """This mapping less some keys."""
        return self.only(key for key in self.entries if key not in keys)

    def only(self, keys: Iterable[str]) -> Mapping:
        """This mapping with some of its keys; keys that it has not are passed over."""
        return Mapping(self.place, self.last_line, {key: self.entries[key] for key in keys if key in self.entries})

    def put(self, path: list[str], entry: Entry) -> Mapping:
        """This mapping with one entry set, inside nested mappings; what stands in the way is replaced by a mapping."""
        key, *rest = path
        if rest:
            inner = self.get(key)
            if not isinstance(inner, Mapping):
                inner = Mapping(entry.place, entry.place.line)
            entry = Entry(entry.key_place, entry.place, inner.put(rest, entry))
        return Mapping(self.place, self.last_line, {**self.entries, key: entry})


@dataclass(frozen=True)
class Sequence:
    """A YAML sequence; `places` holds where each item stands."""

    place: Place
    items: tuple[Any, ...]
    places: tuple[Place, ...]


class SourceFloat(float):
    """A float with the text it was written as, because the layer address `2.10` is not the number 2.1."""

    text: str

    def __new__(cls, text: str) -> SourceFloat:
        """Read the text of a YAML float."""
        special = text.lower().replace(".inf", "inf").replace(".nan", "nan")
        made = super().__new__(cls, special.replace("_", ""))
        made.text = text
        return made


ADDRESS_KEYS = frozenset({"layers", "layer"})


def plain(value: Any, *, addresses: bool = False) -> Any:
    """The value as plain Python, with layer addresses as the text they were written as.

    Args:
        value: A located value.
        addresses: Whether unquoted decimals stand for layer addresses here; set below the keys that hold layers.
    """
    if isinstance(value, Mapping):
        return {
            key: plain(entry.value, addresses=addresses or key in ADDRESS_KEYS) for key, entry in value.entries.items()
        }
    if isinstance(value, Sequence):
        return [plain(item, addresses=addresses) for item in value.items]
    if isinstance(value, SourceFloat):
        return value.text if addresses else float(value)
    return value


def place_of(root: Mapping, path: tuple[int | str, ...], *, key: bool = False) -> Place:
    """Where the value at a path stands, or the nearest thing around it that exists.

    Args:
        root: The mapping from which the path leads.
        path: Keys and indices.
        key: Ask for the place of the last key instead of its value.
    """
    here: Any = root
    place = root.place
    for index, part in enumerate(path):
        last = index == len(path) - 1
        if isinstance(here, Mapping) and isinstance(part, str) and part in here.entries:
            entry = here.entries[part]
            place = entry.key_place if key and last else entry.place
            here = entry.value
        elif isinstance(here, Sequence) and isinstance(part, int) and part < len(here.items):
            place, here = here.places[part], here.items[part]
        else:
            return place
    return place


def places_in(root: Mapping) -> Iterator[tuple[str, Place]]:
    """Where the values of a mapping stand, and those inside them: by keys such as `a`, `a.b`, `a[0]` and `a[0].b`."""
    for key, entry in root.entries.items():
        yield key, entry.place
        if isinstance(entry.value, Mapping):
            yield from ((f"{key}.{inner}", each.place) for inner, each in entry.value.entries.items())
        elif isinstance(entry.value, Sequence):
            for index, (item, place) in enumerate(zip(entry.value.items, entry.value.places, strict=True)):
                yield f"{key}[{index}]", place
                if isinstance(item, Mapping):
                    yield from ((f"{key}[{index}].{inner}", each.place) for inner, each in item.entries.items())
