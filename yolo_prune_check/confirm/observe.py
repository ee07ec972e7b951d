"""Run a pruned model and write down what happened. Reads no prediction and no channel graph."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from yolo_prune_check.channels.prediction import Mismatch
from yolo_prune_check.confirm.junctions import SeenPort
from yolo_prune_check.confirm.meant import Difference, difference
from yolo_prune_check.confirm.passes import Pass, leaking_pass, plain_pass
from yolo_prune_check.confirm.sizes import parameter_count
from yolo_prune_check.confirm.structure import Lengths, structure_of
from yolo_prune_check.prune.mask import weight_norm_count
from yolo_prune_check.prune.oplog import is_layer
from yolo_prune_check.prune.reference import Reference
from yolo_prune_check.prune.scatter import ChannelScatter

Shapes = dict[str, tuple[tuple[int, ...], ...]]
"""Output shapes by module, one for each time it ran."""


@dataclass(frozen=True)
class Observation:
    """What a pruned model did.

    Attributes:
        failure: The error that its forward pass raised, or None; of kind ``unread`` if its words were not understood.
        active: Channels that are not zero for every image where the layer emits them, by layer; of the layers that
            got so far. A layer emits after its batch norm and activations, as long as nothing else reads in between.
        weight_norms: Channels whose filter has a weight above 1e-6, by layer: the field notes' count.
        ports: Channels and active channels at every junction's operands and results, by operator and port.
        shapes: Output shapes by module that returns one tensor, one for each time it ran, without what an adapter has
            added; empty if the pass raised.
        params: Parameters, as torchinfo counts those of the whole model; None if the pass raised.
        macs: Multiply-accumulates of one image, as torchinfo counts; None if the pass raised.
        difference: Difference to the model that was meant: the one before the plan with the removed channels' outputs
            set to zero. None if the pass raised, or no model was given to compare with.
    """

    failure: Mismatch | None
    active: dict[str, int]
    weight_norms: dict[str, int]
    ports: dict[tuple[str, str], SeenPort]
    shapes: Shapes
    params: int | None
    macs: int | None
    difference: Difference | None

    @property
    def max_abs_error(self) -> float | None:
        """``difference.absolute``, if it is known."""
        return None if self.difference is None else self.difference.absolute

    @property
    def relative_error(self) -> float | None:
        """``difference.relative``, if it is known."""
        return None if self.difference is None else self.difference.relative


def observe(reference: Reference | None, pruned: nn.Module, imgsz: int) -> Observation:
    """Run a pruned model on random images and measure it.

    Whether it raises, with which words, and all shapes are seen on one image. Active channels are counted there, too,
    unless the model clips to zero, as ReLU does: then on two more, see ``clipping``.

    Args:
        reference: What was meant; None if there is nothing to compare with.
        pruned: The model after the plan. It is not changed.
        imgsz: Image size in pixels; shapes and the error's words depend on it.
    """
    norms = {name: weight_norm_count(module) for name, module in pruned.named_modules() if is_layer(module)}
    plain = plain_pass(pruned, imgsz)
    whole = plain.failure is None or reference is None
    lengths = plain.lengths if whole or reference is None else structure_of(reference.model, imgsz).lengths
    active, ports = _activity(plain, leaking_pass(pruned, imgsz) if plain.clipped else plain, lengths)
    if plain.failure is not None:
        return Observation(plain.failure, active, norms, ports, {}, None, None, None)
    sizes = plain.sizes
    apart = None if reference is None else difference(reference, pruned, imgsz)
    shapes = _without_adapters(sizes.shapes, pruned)
    return Observation(None, active, norms, ports, shapes, parameter_count(pruned), sizes.macs, apart)


def _without_adapters(shapes: Shapes, pruned: nn.Module) -> Shapes:
    """Without those of the two modules into which execution ``adapter`` has made one."""
    scatters = (name for name, module in pruned.named_modules() if isinstance(module, ChannelScatter))
    added = tuple(f"{name.rpartition('.')[0]}." for name in scatters)
    return {name: found for name, found in shapes.items() if not name.startswith(added)} if added else shapes


def _activity(plain: Pass, leaking: Pass, lengths: Lengths) -> tuple[dict[str, int], dict[tuple[str, str], SeenPort]]:
    """Active channels by layer, and junctions, at the places that the plain pass reached.

    They are known by name and number, as a model may make other calls for another image.
    """
    reached, emitted, ports = plain.emitted(lengths), leaking.emitted(lengths), leaking.ports
    if not (reached.keys() <= emitted.keys() and plain.ports.keys() <= ports.keys()):
        emitted, ports = reached, plain.ports  # a model that goes another way for another image, or in float64
    counts: dict[str, list[torch.Tensor]] = {}
    for layer, number in reached:
        counts.setdefault(layer, []).append(emitted[layer, number])
    active = {layer: int(torch.stack(calls).any(0).sum()) for layer, calls in counts.items()}
    return active, {place: ports[place] for place in plain.ports}
