"""Patterns of kept channels: what a random step keeps of its layer. Whence the randomness comes is the caller's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

T = TypeVar("T")


class Source(Protocol):
    """Where choices come from: a random generator, or hypothesis."""

    def pick(self, options: Sequence[T]) -> T:
        """One of these, of which the earlier are the simpler."""
        ...

    def integer(self, low: int, high: int) -> int:
        """A number from ``low`` to ``high``, both included."""
        ...

    def some(self, count: int) -> Iterable[int]:
        """Any of the numbers below ``count``, each at most once."""
        ...


@dataclass(frozen=True)
class Layer:
    """A layer as patterns see it: its width and the parts in which its channels are used."""

    width: int
    slices: tuple[tuple[int, int], ...] = ()


Pattern = Callable[[Source, Layer], Iterable[int]]


def _one(source: Source, layer: Layer) -> Iterable[int]:
    return (source.integer(0, layer.width - 1),)


def _all_but_one(source: Source, layer: Layer) -> Iterable[int]:
    return set(range(layer.width)) - {source.integer(0, layer.width - 1)}


def _range(source: Source, layer: Layer) -> Iterable[int]:
    first = source.integer(0, layer.width - 1)
    return range(first, source.integer(first, layer.width - 1) + 1)


def _eights(source: Source, layer: Layer) -> Iterable[int]:
    count = 8 * source.integer(1, layer.width // 8)
    first = source.integer(0, layer.width - count)
    return range(first, first + count)


def _slice(source: Source, layer: Layer) -> Iterable[int]:
    return range(*source.pick(layer.slices))


def _without_slice(source: Source, layer: Layer) -> Iterable[int]:
    return set(range(layer.width)) - set(range(*source.pick(layer.slices)))


def _cut_in_slice(source: Source, layer: Layer) -> Iterable[int]:
    """All but some channels of one part: uneven halves, where the part is half of a chunk."""
    first, stop = source.pick(layer.slices)
    return set(range(layer.width)) - {first + index for index in source.some(stop - first)}


def _subset(source: Source, layer: Layer) -> Iterable[int]:
    return source.some(layer.width)


def _all_but_some(source: Source, layer: Layer) -> Iterable[int]:
    return set(range(layer.width)) - set(source.some(layer.width))


# Simple ones first: a choice among them shrinks towards the first. Those without a choice of their own stand before
# all others, because fewer choices count as simpler still.
PATTERNS: dict[str, Pattern] = {
    "first channel": lambda _source, _layer: (0,),
    "no channel": lambda _source, _layer: (),
    "first half": lambda _source, layer: range((layer.width + 1) // 2),
    "second half": lambda _source, layer: range(layer.width // 2, layer.width),
    "every other": lambda _source, layer: range(0, layer.width, 2),
    "all": lambda _source, layer: range(layer.width),
    "one channel": _one,
    "all but one": _all_but_one,
    "one slice": _slice,
    "all but one slice": _without_slice,
    "a range": _range,
    "a multiple of 8": _eights,
    "cut in one slice": _cut_in_slice,
    "any": _subset,
    "all but some": _all_but_some,
}
"""Every pattern by its name."""

_OF_SLICES = frozenset({"one slice", "all but one slice", "cut in one slice"})


def patterns_of(layer: Layer) -> tuple[str, ...]:
    """Names of the patterns that a layer has."""
    return tuple(
        name
        for name in PATTERNS
        if (layer.slices or name not in _OF_SLICES) and (layer.width >= 8 or name != "a multiple of 8")
    )


def draw_keep(source: Source, layer: Layer) -> tuple[int, ...]:
    """Channels that a step keeps, sorted; none and all are among what may come out."""
    return tuple(sorted(PATTERNS[source.pick(patterns_of(layer))](source, layer)))
