"""The table of blocks of which equally many must stay: of the whole model, and what it means for one layer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.provenance import ChannelRange
from yolo_prune_check.cli.equal import Equal, linked
from yolo_prune_check.cli.equal_words import blocks_in_words, operators_in_words, units_in_words
from yolo_prune_check.cli.inspect.counts import many
from yolo_prune_check.cli.inspect.equal_example import example_of
from yolo_prune_check.cli.inspect.section import section
from yolo_prune_check.cli.output import table

_TITLE = "Must stay equal"
_COLUMNS = ("equally many must stay of", "because of")
_UNITS = "or as a whole"
_NONE = "none"


def equal_part(graph: ChannelGraph, equals: Sequence[Equal]) -> str:
    """Every constraint; nothing if there are none."""
    if not equals:
        return ""
    return section(
        _TITLE,
        _reading(graph, equals, equals),
        _table([], [[]] * len(equals), equals, equals),
        many(len(equals), "row"),
    )


def equal_part_of(graph: ChannelGraph, layer: str, equals: Sequence[Equal]) -> str:
    """The constraints on one layer's channels, and with which others; nothing if there are none."""
    found = equals_on(graph, layer, equals)
    if not found:
        return ""
    shown = [item for item, _ in found]
    counted: list[list[str | int]] = [
        [", ".join(f"[{part.start}:{part.stop}]" for part in parts) or _NONE] for _, parts in found
    ]
    through = (
        f"; where it says {_NONE}, a row restricts them through channels that it shares with other rows."
        if not all(parts for _, parts in found)
        else "."
    )
    legend = (
        f"{_reading(graph, shown, equals)} channels are those of this layer that a row counts, or that go with one "
        f"that it counts{through}"
    )
    return section(_TITLE, legend, _table(["channels"], counted, shown, equals))


def equals_on(graph: ChannelGraph, layer: str, equals: Sequence[Equal]) -> list[tuple[Equal, tuple[ChannelRange, ...]]]:
    """The constraints on a layer's channels, each with those that it counts, themselves or tied to those it names.

    A constraint that counts none of them restricts them through others with which it shares channels.
    """
    channels, label = graph.provenance.channels, graph.partition.label
    own = channels.of(layer)
    return [
        (item, channels.ranges(own[np.isin(label[own], list(item.groups))]))
        for item in linked(frozenset(label[own].tolist()), equals)
    ]


def _table(
    headers: Sequence[str], begin: Sequence[list[str | int]], shown: Sequence[Equal], equals: Sequence[Equal]
) -> str:
    """A row for each of ``shown``, after the cells that it begins with; of units only where there are any."""
    units = any(item.units for item in shown)
    rows = [
        [
            *cells,
            blocks_in_words(item.blocks),
            operators_in_words(item),
            *([units_in_words(item, equals)] if units else []),
        ]
        for cells, item in zip(begin, shown, strict=True)
    ]
    return table([*headers, *_COLUMNS, *([_UNITS] if units else [])], rows)


def _reading(graph: ChannelGraph, shown: Sequence[Equal], equals: Sequence[Equal]) -> str:
    """How to read the rows, with an example from them where one row can be told alone."""
    sentences = [
        "On both sides of = equally many channels must stay, whichever these are: the operator cuts or joins them by "
        "count. A comma joins ranges that are counted together."
    ]
    example = example_of(graph, shown, equals)
    if example is not None:
        sentences.append(str(example))
    if any(not one.reach.isdisjoint(other.reach) for one, other in combinations(shown, 2)):
        sentences.append("All rows must hold together: what one row allows, another that counts the same may forbid.")
    units = dict.fromkeys(item.unit for item in shown if item.units)
    if units:
        sentences.append(
            f"A {' or '.join(units)} may also go as a whole, from all rows that hold it and with what the last column "
            "names; those that stay have to be equal."
        )
    return " ".join(sentences)


def how_removable(item_groups: range, equals: Sequence[Equal]) -> str:
    """What the tables of groups say of one that is not frozen.

    Args:
        item_groups: The dependency groups of a row.
        equals: What must stay equal.
    """
    touching = [item for item in equals if not item.groups.isdisjoint(item_groups)]
    if not touching:
        return "yes"
    unit = next((item.unit for item in touching if item.only), None)
    return "yes, equally" if unit is None else f"yes, whole {unit}s"
