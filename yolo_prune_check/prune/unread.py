"""Module attributes that hold widths and that the traced pass did not read: a second forward may, or a user."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple
from weakref import WeakKeyDictionary

from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.removal import Removal, find_removal
from yolo_prune_check.channels.sizes import attributes_in
from yolo_prune_check.prune.cuts import Attributes
from yolo_prune_check.prune.second import SECOND, second_forwards

_known: WeakKeyDictionary[ChannelGraph, ChannelGraph] = WeakKeyDictionary()

Held = tuple[str, str]
"""A module and an attribute."""

_TAKEN = frozenset({"c1", "in_channels", "in_features", "in_planes", "inplanes"})
"""What modules call the number of channels that they take; ``c1`` is Ultralytics' name, ``c2`` that of what is made."""


def unread_attributes(model: nn.Module, graph: ChannelGraph, plan: Plan) -> Attributes:
    """What these attributes hold after a plan by ``group``, by module and attribute.

    Args:
        model: The untouched model; its second forwards are traced, once for each graph, and it is left as it was.
        graph: Its graph.
        plan: The plan.
    """
    removal, read = find_removal(graph, plan), _read(graph)
    second: Attributes = {}
    if any(hasattr(module, SECOND) for module in model.modules()):
        other = _known.get(graph)
        if other is None:
            with second_forwards(model):
                other = _known[graph] = ChannelGraph.trace(model, imgsz=graph.imgsz)
        second, read = find_removal(other, plan).attributes, read | _read(other)
    return {**{held: width for held, width in _never_read(model, removal) if held not in read}, **second}


def _read(graph: ChannelGraph) -> set[Held]:
    """Attributes of which a traced pass made any use."""
    sizes = {item.key[:2] for op in graph.program.ops for item in attributes_in(op.args)}
    return {*graph.program.computed, *(key[:2] for key in graph.provenance.widths), *sizes}


def _never_read(model: nn.Module, removal: Removal) -> Iterator[tuple[Held, int]]:
    """Attributes that held the width of layers in their module, or half of it, and what that width is now.

    Such as ``dim`` of Ultralytics' RepVGGDW. What an attribute means is not known. But where all these layers have one
    new width, no other number could be true.
    """
    if not removal.layers:
        return
    for name, module in model.named_modules():
        numbers = {key: value for key, value in vars(module).items() if type(value) is int}
        if not numbers or type(module).__module__.startswith("torch."):
            continue
        widths = list(_widths(removal, f"{name}." if name else ""))
        for key, value in numbers.items():
            width = _meant(key, [item for item in widths if item.before == value])
            if width is not None and width != value:
                yield (name, key), width


class _Width(NamedTuple):
    """What a layer makes, what it takes, or half of what it makes; None for the half of an odd number.

    ``first`` says whether the layer is the first of its module.
    """

    of: Literal["outputs", "inputs", "half"]
    before: int
    after: int | None
    first: bool


def _meant(key: str, widths: list[_Width]) -> int | None:
    """The one number that these widths have become; else that which outputs have, or inputs, as the name says.

    Ultralytics' ``c`` is the width of a block's first layer, or, where the block goes on with halves, half of it.
    """
    of = "inputs" if key in _TAKEN else "outputs"
    first = [item for item in widths if key == "c" and item.first and item.of != "inputs"]
    for candidates in (first, widths, [item for item in widths if item.of == of]):
        now = {item.after for item in candidates}
        if len(now) == 1:
            return now.pop()
    return None


def _widths(removal: Removal, prefix: str) -> Iterator[_Width]:
    first = True
    for name, layer in removal.graph.layers.items():
        if name.startswith(prefix):
            cut = removal.layers.get(name)
            outputs = layer.out_channels if cut is None else len(cut.outputs)
            inputs = layer.in_channels if cut is None else len(cut.inputs)
            yield _Width("outputs", layer.out_channels, outputs, first)
            yield _Width("inputs", layer.in_channels, inputs, first)
            if layer.out_channels % 2 == 0:
                yield _Width("half", layer.out_channels // 2, None if outputs % 2 else outputs // 2, first)
            first = False
