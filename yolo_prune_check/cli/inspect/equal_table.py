"""The table of blocks of which equally many must stay: of the whole model, and what it means for one layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.provenance import ChannelRange
from yolo_prune_check.cli.equal import Equal
from yolo_prune_check.cli.equal_words import block_in_words, blocks_in_words, operators_in_words, units_in_words
from yolo_prune_check.cli.inspect.counts import many
from yolo_prune_check.cli.inspect.section import section
from yolo_prune_check.cli.output import table

_TITLE = "Must stay equal"
_COLUMNS = ("equally many must stay of", "because of")
_UNITS = "or as a whole"


def equal_part(equals: Sequence[Equal]) -> str:
    """Every constraint; nothing if there are none."""
    if not equals:
        return ""
    return section(_TITLE, _reading(equals), _table([], [[]] * len(equals), equals, equals), many(len(equals), "row"))


def equal_part_of(graph: ChannelGraph, layer: str, equals: Sequence[Equal]) -> str:
    """The constraints on one layer's channels, and with which others; nothing if there are none."""
    found = [(item, channels) for item in equals if (channels := channels_in(graph, layer, item))]
    if not found:
        return ""
    shown = [item for item, _ in found]
    counted: list[list[str | int]] = [
        [", ".join(f"[{part.start}:{part.stop}]" for part in parts)] for _, parts in found
    ]
    legend = (
        f"{_reading(shown)} channels are those of this layer that a row counts, or that go with one that it counts."
    )
    return section(_TITLE, legend, _table(["channels"], counted, shown, equals))


def channels_in(graph: ChannelGraph, layer: str, item: Equal) -> tuple[ChannelRange, ...]:
    """Which of a layer's channels a constraint counts, themselves or tied to those that it names."""
    channels = graph.provenance.channels
    own = channels.of(layer)
    return channels.ranges(own[np.isin(graph.partition.label[own], list(item.groups))])


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


def _reading(equals: Sequence[Equal]) -> str:
    """How to read the rows, with an example from them."""
    sentences = [
        "On both sides of = equally many channels must stay, whichever these are: the operator cuts or joins them by "
        "count. A comma joins ranges that are counted together."
    ]
    plain = next((item for item in equals if not item.units), None)
    if plain is not None:
        one, other = map(block_in_words, plain.blocks[:2])
        sentences.append(
            f"Example: whoever removes 3 channels of {one} has to remove 3 of {other}, any 3; execution group gives "
            "back what is removed of one of them alone."
        )
    units = dict.fromkeys(item.unit for item in equals if item.units)
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
