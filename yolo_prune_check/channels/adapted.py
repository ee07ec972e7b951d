"""Where an adapter puts a layer's channels back to their places: behind the last module that only passes them on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.layers import GraphLayer
from yolo_prune_check.channels.program import ModuleCall


@dataclass(frozen=True)
class Adapted:
    """The place for one layer.

    Attributes:
        values: Values that are widened, one for each call of the layer.
        emits: Whether these are what the layer emits. Else an activation comes behind them, which no module applies.
        narrow: Module calls that return such a value before it is widened, by their index.
    """

    values: tuple[int, ...]
    emits: bool
    narrow: tuple[int, ...] = ()


def adapted(graph: ChannelGraph, layer: GraphLayer) -> Adapted | None:
    """Find the last leaf module that returns what the layer makes, at each of its calls and at no other.

    None if there is none: code that gives the layer's weight to a function leaves no place for an adapter.

    What a module returns, another may return once more, such as an ``nn.Identity`` in an activation's place. That is
    the same place only where no operator runs between it and the end of the module that holds both; elsewhere it is a
    reader like others. What was written in place has another name as well, by which it may be read.
    """
    chains = [_chain(graph, layer, emission) for emission in layer.emissions]
    calls, ops, made_by = graph.program.calls, graph.program.ops, graph.interpreter.made_by
    returned: dict[str, list[int]] = {}
    for call in calls:
        if call.is_leaf and call.output is not None:
            returned.setdefault(call.name, []).append(call.output)
    for position in reversed(range(min(map(len, chains)))):
        values = tuple(chain[position] for chain in chains)
        if any(ops[made_by[value]].in_place for value in values):
            continue
        places = [_place(calls, value) for value in values]
        names = {None if place is None else calls[place].name for place in places}
        name = names.pop()
        if not names and name is not None and sorted(returned[name]) == sorted(values):
            before = [
                index
                for value, place in zip(values, places, strict=True)
                for index in range(place or 0)
                if calls[index].output == value
            ]
            return Adapted(values, values == layer.emissions, tuple(before))
    return None


def _place(calls: Sequence[ModuleCall], value: int) -> int | None:
    """Index of the call behind which a value is widened; None if no leaf module returns it."""
    first = next((index for index, call in enumerate(calls) if call.is_leaf and call.output == value), None)
    if first is None:
        return None
    owner, last = calls[first].name.rpartition(".")[0], first
    for index in range(first + 1, len(calls)):
        call = calls[index]
        if call.output != value or call.stop != calls[first].stop:
            break
        if call.name == owner:
            return last
        if call.is_leaf and call.name.rpartition(".")[0] == owner:
            last = index
    return first


def _chain(graph: ChannelGraph, layer: GraphLayer, emission: int) -> tuple[int, ...]:
    """Values from the convolution's output to the emission."""
    ops, made_by = graph.program.ops, graph.interpreter.made_by
    weight = f"{layer.name}.weight"
    values = [emission]
    while weight not in {graph.program.values[value].parameter for value in ops[made_by[values[-1]]].inputs}:
        values.append(ops[made_by[values[-1]]].inputs[0])
    return tuple(values[::-1])
