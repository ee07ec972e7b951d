"""Convolutions of a traced program, with the batch norm and the activation that belong to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from yolo_prune_check.channels.program import Op, Program, Ref
from yolo_prune_check.channels.rules import ACTIVATIONS, CONVOLUTIONS, NORMS

_WEIGHT = ".weight"


@dataclass(frozen=True)
class GraphLayer:
    """One convolution of the graph.

    Attributes:
        name: Qualified name of its module.
        in_channels: Channels it takes.
        out_channels: Channels it makes.
        groups: Its groups; equal to ``in_channels`` for a depthwise convolution.
        kernel: Height and width of its filters.
        bias: Whether it has a bias.
        norm: Qualified name of its batch norm, or None.
        op: Index of its operator; of the first, where the module is called more than once.
        emission: Value in which its channels appear once batch norm and activation are done; of the first call.
        emissions: The same of all calls.
    """

    name: str
    in_channels: int
    out_channels: int
    groups: int
    kernel: tuple[int, ...]
    bias: bool
    norm: str | None
    op: int
    emission: int
    emissions: tuple[int, ...]

    @property
    def depthwise(self) -> bool:
        """Whether each output channel reads one input channel."""
        return self.groups > 1 and self.groups == self.in_channels


def consumers_of(program: Program) -> dict[int, list[Op]]:
    """The operators that read each value."""
    found: dict[int, list[Op]] = {}
    for op in program.ops:
        for value in dict.fromkeys(op.inputs):
            found.setdefault(value, []).append(op)
    return found


def find_layers(program: Program, consumers: Mapping[int, Sequence[Op]]) -> dict[str, GraphLayer]:
    """All convolutions whose weight is a parameter of the model, in execution order."""
    layers: dict[str, GraphLayer] = {}
    for op in program.ops:
        if op.target not in CONVOLUTIONS or op.args[6] or not isinstance(op.args[1], Ref):
            continue
        weight = program.values[op.args[1].value].parameter
        if weight is None or not weight.endswith(_WEIGHT):
            continue
        name, shape, groups = weight.removesuffix(_WEIGHT), program.filters[weight].shape, op.args[8]
        norm, emission = _chain(op.outputs[0], program, consumers)
        if name in layers:
            known = layers[name]
            layers[name] = replace(known, emissions=(*known.emissions, emission))
            continue
        layers[name] = GraphLayer(
            name=name,
            in_channels=shape[1] * groups,
            out_channels=shape[0],
            groups=groups,
            kernel=shape[2:],
            bias=op.args[2] is not None,
            norm=norm,
            op=op.index,
            emission=emission,
            emissions=(emission,),
        )
    return layers


def _chain(value: int, program: Program, consumers: Mapping[int, Sequence[Op]]) -> tuple[str | None, int]:
    """Follow a convolution's output through its own batch norm and activation."""
    norm: str | None = None
    while len(readers := consumers.get(value, ())) == 1:
        (reader,) = readers
        if reader.target in NORMS and norm is None and isinstance(reader.args[1], Ref):
            weight = program.values[reader.args[1].value].parameter
            norm = weight.removesuffix(_WEIGHT) if weight else None
        elif reader.target not in ACTIVATIONS:
            break
        value = reader.outputs[0]
    return norm, value
