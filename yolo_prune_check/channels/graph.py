"""The channel graph of a model: what a plan needs to be judged without the model."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from torch import nn

from yolo_prune_check.channels.costs import Costs
from yolo_prune_check.channels.edges import Edge, Junction, find_edges, find_junctions
from yolo_prune_check.channels.flow import trace_provenance
from yolo_prune_check.channels.groups import (
    Group,
    Partition,
    Symmetry,
    find_groups,
    find_partition,
    find_symmetries,
)
from yolo_prune_check.channels.heads import find_head_layers
from yolo_prune_check.channels.interpret import Interpreter
from yolo_prune_check.channels.interpretation import Interpretation
from yolo_prune_check.channels.layers import GraphLayer, consumers_of, find_layers
from yolo_prune_check.channels.network import network_in
from yolo_prune_check.channels.parameters import untouched
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.prediction import Mismatch
from yolo_prune_check.channels.program import Program
from yolo_prune_check.channels.provenance import Provenance
from yolo_prune_check.channels.tensors import Tensor
from yolo_prune_check.channels.trace import trace_program, trace_training
from yolo_prune_check.channels.training import TrainingReader, training_readers
from yolo_prune_check.errors import UserError

if TYPE_CHECKING:
    from yolo_prune_check.channels.many import Predictions
    from yolo_prune_check.channels.verdicts import Verdicts


_ADDRESS = re.compile(r"(\d+)\.(\d+)")
"""A block and the index of a layer in it, as specs name layers."""


@dataclass(frozen=True, repr=False, eq=False)
class ChannelGraph:
    """Layers, edges and groups of a traced model.

    Attributes:
        program: The traced forward pass.
        imgsz: Image size of the trace, in pixels.
        layers: Convolutions by qualified name, in execution order.
        training: What runs in training alone and reads their channels, which therefore stay.
    """

    program: Program
    imgsz: int
    layers: Mapping[str, GraphLayer]
    training: tuple[TrainingReader, ...] = ()

    @classmethod
    def trace(cls, model: nn.Module, imgsz: int = 64) -> ChannelGraph:
        """Trace one image of zeros through the model; the model is left exactly as it was.

        Args:
            model: Any module that takes a batch of images ``(1, C, imgsz, imgsz)``, C as its first layer takes; an
                Ultralytics ``YOLO`` stands for its network.
            imgsz: Height and width in pixels.

        Raises:
            UserError: It is no model, or does not run on such an image.
        """
        network = network_in(model, caller="trace")
        if type(imgsz) is not int or imgsz < 1:
            raise UserError(
                "imgsz must be a positive whole number of pixels",
                value=imgsz,
                hint="Give one number: images are square.",
            )
        program = trace_program(network, imgsz)
        layers = find_layers(program, consumers_of(program))
        trained = trace_training(network, imgsz) if program.unvisited else None
        return cls(program, imgsz, layers, () if trained is None else training_readers(program, layers, trained))

    def __repr__(self) -> str:
        return f"ChannelGraph({len(self.layers)} layers, {len(self.program.ops)} operators, {self.imgsz} px)"

    @cached_property
    def made_in(self) -> dict[int, str]:
        """Layers by the index of their operator."""
        return {layer.op: name for name, layer in self.layers.items()}

    @cached_property
    def emitted_by(self) -> dict[int, str]:
        """Layers by the value in which their channels appear."""
        return {layer.emission: name for name, layer in self.layers.items()}

    @cached_property
    def provenance(self) -> Provenance:
        """Which channels each value holds."""
        return trace_provenance(self.program, self.layers, self.baseline.unruled)

    @cached_property
    def junctions(self) -> tuple[Junction, ...]:
        """Concats, splits and residual adds of feature maps."""
        return find_junctions(self.program)

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """From each layer's channels to every operator that consumes them."""
        return find_edges(self.program, self.layers, self.provenance, self.junctions)

    @cached_property
    def unsupported(self) -> tuple[str, ...]:
        """Operators without a rule, or with one that does not reproduce the trace, with the module that runs them."""
        ops = (self.program.ops[index] for index in sorted(self.baseline.unruled))
        return tuple(dict.fromkeys(f"{op.target} in {op.module or 'model'}" for op in ops))

    @property
    def unvisited(self) -> tuple[str, ...]:
        """Modules with parameters that did not run in the trace: no plan's effect on them can be followed."""
        return self.program.unvisited

    @cached_property
    def freezing(self) -> frozenset[int]:
        """Indices of the operators that cannot do with fewer channels."""
        return frozenset(item.op.index for item in self.provenance.frozen)

    @cached_property
    def partition(self) -> Partition:
        """Which channels can only be removed together, and which not at all."""
        return find_partition(self.program, self.provenance, self.training)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Dependency groups, alike neighbours bundled."""
        return find_groups(self.partition, self.provenance)

    @cached_property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Blocks of channels of which equally many must stay, whichever: pieces of a split, heads, conv groups."""
        return find_symmetries(self.provenance)

    @cached_property
    def parameters(self) -> dict[str, Tensor]:
        """Abstract parameters of the untouched model."""
        return untouched(self.program)

    @cached_property
    def interpreter(self) -> Interpreter:
        """Runs the traced pass on abstract tensors."""
        return Interpreter(self.program)

    @cached_property
    def baseline(self) -> Interpretation:
        """The untouched model, interpreted."""
        return self.interpreter.run_untouched(self.parameters)

    @cached_property
    def base_active(self) -> dict[int, int]:
        """Active channels of the untouched model at the inputs and emissions of layers and at junctions."""
        values = {port.value for junction in self.junctions for port in junction.ports}
        for layer in self.layers.values():
            values |= {layer.emission, self.program.ops[layer.op].inputs[0]}
        return {value: self.baseline.tensors[value].active for value in values}

    @cached_property
    def costs(self) -> Costs:
        """Parameters and multiply-accumulates."""
        return Costs(self.program)

    @cached_property
    def verdicts(self) -> Verdicts:
        """The verdicts of plans, put together from the effects of single steps."""
        from yolo_prune_check.channels.verdicts import Verdicts  # that module imports this one

        return Verdicts(self)

    @cached_property
    def head_layers(self) -> dict[str, str]:
        """Layers whose channels the head decodes, with the operator that takes them."""
        return find_head_layers(self.program, self.provenance)

    def layer(self, name: str) -> GraphLayer:
        """The layer of that name.

        Raises:
            UserError: There is none; the message suggests the nearest names.
        """
        found = self.layers.get(name)
        if found is None:
            raise UserError("no such Conv2d in the model", value=str(name), hint=self._meant(str(name)))
        return found

    def _meant(self, name: str) -> str:
        """What to write instead of a name that no layer has."""
        if not self.layers:
            return "It has no Conv2d at all."
        first, address = next(iter(self.layers)), _ADDRESS.fullmatch(name)
        if address:
            layer = self._addressed(int(address[1]), int(address[2]))
            here = f"a qualified name such as {first!r}" if layer is None else repr(layer)
            return f"Addresses work in specs and on the command line; here write {here}."
        inside = [layer for layer in self.layers if layer.startswith(f"{name}.")]
        close = inside[:3] or difflib.get_close_matches(name, self.layers, n=3)
        return f"Did you mean {' or '.join(close)}?" if close else f"The first layer is {first}."

    def _addressed(self, block: int, index: int) -> str | None:
        """The layer of an address, which counts the ``Conv2d`` of a block in module order.

        None where it is not certain: a weight that the pass did not use may be that of another ``Conv2d``.
        """
        inside = [name for name in self.program.sizes if re.fullmatch(rf"model\.{block}\.(.*\.)?weight", name)]
        names = [name.removesuffix(".weight") for name in inside]
        layers = [name for name in names if name in self.layers]
        known = index < len(layers) and not set(self.unvisited) & set(names)
        return layers[index] if known else None

    def check(self, plan: Plan) -> None:
        """Refuse a plan that names a layer or channel that does not exist.

        Raises:
            UserError: Unknown layer, or a channel index out of range.
        """
        for step in plan.steps:
            layer = self.layer(step.layer)
            if step.keep and step.keep[-1] >= layer.out_channels:
                raise UserError(
                    "channel out of range",
                    where=step.layer,
                    value=step.keep[-1],
                    hint=f"The layer has channels 0 to {layer.out_channels - 1}.",
                )
            if step.scores is not None and len(step.scores) != layer.out_channels:
                raise UserError(
                    "there must be one score for each channel",
                    where=step.layer,
                    value=len(step.scores),
                    hint=f"The layer has {layer.out_channels} channels.",
                )

    def predict_many(self, plans: Iterable[Plan]) -> Predictions:
        """Predict each plan; the fast path for thousands.

        Raises:
            UserError: A plan names a layer or channel that does not exist.
        """
        from yolo_prune_check.channels.many import Predictions  # that module imports this one

        return Predictions(self, plans)

    def predict_sequence(self, modules: Sequence[str], plan: Plan | None = None) -> Mismatch | None:
        """Predict an ``nn.Sequential`` over these modules; see ``channels.sequence``."""
        from yolo_prune_check.channels.sequence import predict_sequence  # that module imports this one

        return predict_sequence(self, modules, plan)
