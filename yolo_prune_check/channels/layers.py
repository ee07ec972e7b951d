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
        norm: Qualified name of its batch norm, the one that reads its output, as nothing else does; None if it has
            none, or shares it.
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
        if weight is None or not weight.endswith(_WEIGHT) or len(program.filters[weight].shape) != 4:
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
    shared = _shared_norms(program, layers)
    return {name: replace(layer, norm=None) if layer.norm in shared else layer for name, layer in layers.items()}


def _shared_norms(program: Program, layers: Mapping[str, GraphLayer]) -> set[str]:
    """Batch norms that also take what their layer does not make: they belong to no layer."""
    made: dict[int, str] = {}
    for op in program.ops:
        if op.target in CONVOLUTIONS:
            made[op.outputs[0]] = program.values[op.inputs[1]].parameter or ""
    owners = {layer.norm: f"{name}{_WEIGHT}" for name, layer in layers.items()}
    norms = ((op, _norm_of(op, program)) for op in program.ops if op.target in NORMS)
    return {name for op, name in norms if name is not None and made.get(op.inputs[0]) != owners.get(name)}


def _chain(value: int, program: Program, consumers: Mapping[int, Sequence[Op]]) -> tuple[str | None, int]:
    """Follow a convolution's output through its own batch norm, if that comes first, and activations."""
    made, norm = value, None
    while len(readers := consumers.get(value, ())) == 1:
        (reader,) = readers
        if reader.target in NORMS and value == made:
            norm = _norm_of(reader, program)
            if norm is None:
                break
        elif reader.target not in ACTIVATIONS:
            break
        value = reader.outputs[0]
    return norm, value


def _norm_of(op: Op, program: Program) -> str | None:
    """Name of the module whose parameters or running statistics a batch norm uses."""
    for position, part in ((1, ".weight"), (3, ".running_mean")):
        item = op.args[position]
        name = program.values[item.value].parameter if isinstance(item, Ref) else None
        if name is not None and name.endswith(part):
            return name.removesuffix(part)
    return None
