"""Slices that follow each other evenly, such as those of an attention's heads, bundled into one row."""

from __future__ import annotations

from collections.abc import Iterable

from yolo_prune_check.channels.slices import Slice

Bundle = tuple[Slice, ...]
Ends = tuple[int, int]

_WORTH = 3  # fewer slices are as easily read one by one
_TERMS = 5  # of a longer sum, the first two and the last are named


def bundled(slices: Iterable[Slice]) -> list[Bundle]:
    """Slices in the same order, those that can be told in one row together.

    They are slices of one operand of one consumer, next to each other and equally long, handed over by one operator,
    that hold ranges of the same layers whose starts are equally far apart.
    """
    runs: list[list[Slice]] = []
    for item in slices:
        if runs and _goes_on(runs[-1], item):
            runs[-1].append(item)
        else:
            runs.append([item])
    found: list[Bundle] = []
    for run in runs:
        found += [tuple(run)] if len(run) >= _WORTH else [(item,) for item in run]
    return found


def _goes_on(run: list[Slice], item: Slice) -> bool:
    last = run[-1]
    if (item.consumer, item.kind, item.port, item.start) != (last.consumer, last.kind, last.port, last.stop):
        return False
    if item.stop - item.start != last.stop - last.start or _handed_over_by(item) != _handed_over_by(last):
        return False
    if [part.layer for part in item.producers] != [part.layer for part in last.producers]:
        return False
    return len(run) == 1 or _steps(last, item) == _steps(run[0], run[1])


def _handed_over_by(item: Slice) -> tuple[str, str] | None:
    return None if item.through is None else (item.through.operator, item.through.port)


def _steps(one: Slice, other: Slice) -> list[int]:
    starts = [(b.start - a.start) for a, b in zip(one.producers, other.producers, strict=True)]
    if one.through is not None and other.through is not None:
        starts.append(other.through.start - one.through.start)
    return starts


def start_and_stop(bundle: Bundle) -> str:
    """Channels of the operand that a bundle covers, as ``[0:384]``."""
    return f"[{bundle[0].start}:{bundle[-1].stop}]"


def holdings(bundle: Bundle) -> str:
    """What a bundle holds: ``qkv.conv[0:32], [96:128], … [1056:1088] + pe.conv[0:384]``; of many terms, some."""
    terms = [
        spaced(str(first), *((part.start, part.stop) for part in (first, second, last)))
        for first, second, last in zip(*(bundle[n].producers for n in (0, min(1, len(bundle) - 1), -1)), strict=True)
    ]
    if len(terms) > _TERMS:
        terms[2:-1] = [f"… {len(terms) - 3} more …"]
    return " + ".join(terms)


def way(bundle: Bundle) -> str:
    """The operator that hands a bundle over, and what of it; empty where the producing layer does."""
    throughs = [bundle[n].through for n in (0, min(1, len(bundle) - 1), -1)]
    first = throughs[0]
    if first is None:
        return ""
    if not first.port:
        return first.operator
    return spaced(str(first), *((through.start, through.stop) for through in throughs if through is not None))


def spaced(named: str, first: Ends, second: Ends, last: Ends) -> str:
    """Ranges that lie evenly apart.

    Args:
        named: The first one, in words that end with its range.
        first: Its ends.
        second: Ends of the second.
        last: Ends of the last.

    >>> spaced("conv[0:32]", (0, 32), (96, 128), (1056, 1088))
    'conv[0:32], [96:128], … [1056:1088]'
    >>> spaced("conv[0:32]", (0, 32), (32, 64), (352, 384))
    'conv[0:384]'
    """
    if first == last:
        return named
    if second[0] == first[1]:
        return f"{named.rpartition('[')[0]}[{first[0]}:{last[1]}]"
    return f"{named}, [{second[0]}:{second[1]}], … [{last[0]}:{last[1]}]"
