"""Verdicts in microseconds: what each step does alone is worked out once, and plans are put together from that.

A step that shrinks a layer touches a set of operators until one of them breaks. If the steps of a plan touch no
operator in common before the first of their breaks, each runs as it would alone, and the plan breaks where the
first of them does. Otherwise the plan is interpreted as a whole. A mask changes no shape; whether masked channels still
emit depends on their own layer alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from yolo_prune_check.channels.adapted import adapted
from yolo_prune_check.channels.emptied import GroupVerdicts
from yolo_prune_check.channels.explain import explain
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.hazards import passed_frozen
from yolo_prune_check.channels.interpretation import Interpretation
from yolo_prune_check.channels.judge import judge
from yolo_prune_check.channels.layers import GraphLayer
from yolo_prune_check.channels.packed import Layers, Steps
from yolo_prune_check.channels.parameters import masked, narrowed, removed
from yolo_prune_check.channels.plan import MaskKind, Plan, Step
from yolo_prune_check.channels.prediction import Failing, Mismatch, Verdict, runs
from yolo_prune_check.channels.program import BoolArray, Op
from yolo_prune_check.channels.rules import CONVOLUTIONS, ELEMENTWISE, NORMS, PASSING, SPLITS
from yolo_prune_check.channels.tensors import Tensor


@dataclass(frozen=True)
class Outline:
    """What shrinking one layer to some width does, nothing else being pruned.

    Attributes:
        breaks: Whether it breaks.
        stop: Index of the operator at which the run ends; the number of operators if it does not end early.
        touched: The operators that are given something new, bit i for operator i: the one at which it ends included,
            the layer's own convolution not.
        wrong: Whether it runs into a silent broadcast, through an operator that mixes channels, or into the unknown.
        splits: Whether it runs through a split: which channels stay then matters as well.
    """

    breaks: bool
    stop: int
    touched: int
    wrong: bool
    splits: bool


@dataclass(frozen=True)
class General:
    """What shrinking one layer does whichever of many widths it gets.

    Attributes:
        widths: The widths for which it holds; may be empty.
        outline: What happens at each of them.
    """

    widths: range
    outline: Outline


@dataclass(frozen=True)
class Silence:
    """What masking does to the channels of one layer.

    Attributes:
        emits: For each channel, whether it still emits when masked.
        alive: For each channel, whether it has weights or emits anything when it is not masked.
        clean: Whether none still emits.
        dirty: Whether all still emit.
        lively: Whether all are alive.
    """

    emits: BoolArray
    alive: BoolArray
    clean: bool
    dirty: bool
    lively: bool


class Verdicts:
    """Verdicts on plans for one graph."""

    def __init__(self, graph: ChannelGraph) -> None:
        """Nothing is worked out yet."""
        self.graph = graph
        self._exact: dict[tuple[str, int], Outline] = {}
        self._general: dict[str, General] = {}
        self._fitting: dict[str, bool] = {}
        self._silences: dict[tuple[str, MaskKind], Silence] = {}

    def of(self, plan: Plan) -> tuple[Verdict, Failing]:
        """Verdict of a plan, and how to find its failure.

        Raises:
            UserError: The plan does not fit the model.
        """
        self.graph.check(plan)
        if plan.execution == "local":
            return self._local(plan)
        if plan.execution == "mask":
            return self._mask(plan), runs
        if plan.execution == "group" and plan.is_plain:
            unsafe = self.by_group.unsafe(Steps(self.graph, [plan], [0]))[0]
            return ("unsafe", partial(self._judged, plan)) if unsafe else ("safe", runs)
        cut = self._cut(plan)
        if plan.execution == "adapter" and all(
            self.adapts(name) for name in cut
        ):  # the adapter gives every reader the width that it knows
            return ("unsafe", partial(self._judged, plan)) if not cut or self._spoiled(cut) else ("safe", runs)
        judgement = judge(self.graph, plan)
        return judgement.verdict, lambda: judgement.failure

    def _judged(self, plan: Plan) -> Mismatch | None:
        return judge(self.graph, plan).failure

    def _cut(self, plan: Plan) -> dict[str, int]:
        """Channels that stay, by layer that loses some."""
        layers = self.graph.layers
        return {name: width for name, width in plan.widths().items() if width < layers[name].out_channels}

    def _spoiled(self, cut: Mapping[str, int]) -> bool:
        """Whether a plan that shrinks layers so is unsafe whatever else comes of it."""
        return any(width == 0 or name in self.graph.head_layers for name, width in cut.items())

    def _local(self, plan: Plan) -> tuple[Verdict, Failing]:
        layers, cut = self.graph.layers, self._cut(plan)
        if not cut:
            return "unsafe", runs
        if self._spoiled(cut):
            return "unsafe", partial(self._judged, plan)
        outlines = {name: self.outline(name, width) for name, width in cut.items()}
        name, first = min(outlines.items(), key=lambda item: item[1].stop)
        if len(cut) > 1:
            reach, own, seen = (2 << first.stop) - 1, 0, 0
            for other in cut:
                own |= 1 << layers[other].op
            for outline in outlines.values():
                touched = outline.touched & reach
                if touched & (seen | (own & (reach >> 1))):
                    return self._together(plan, cut)
                seen |= touched
            if first.breaks and (own >> first.stop) & 1:
                return "unsafe", partial(self._judged, plan)  # in any case; with which words depends on both layers
        if first.breaks:
            return "unsafe", partial(self.failure, name, cut[name])
        if any(outline.splits for outline in outlines.values()):
            judgement = judge(self.graph, plan)
            return judgement.verdict, lambda: judgement.failure
        return ("unsafe" if any(outline.wrong for outline in outlines.values()) else "safe"), runs

    def _together(self, plan: Plan, cut: Mapping[str, int]) -> tuple[Verdict, Failing]:
        changed = {}
        for name, width in cut.items():
            changed.update(narrowed(self.graph.parameters, self.graph.layers[name], width))
        result = self.graph.interpreter.rerun(self.graph.baseline, changed)
        if result.failure is not None:
            return "unsafe", lambda: self._explained(result)
        if any(self.graph.program.ops[index].target in SPLITS for index in result.touched):
            return judge(self.graph, plan).verdict, runs
        return ("unsafe" if _wrong(self.graph, result) else "safe"), runs

    def failure(self, name: str, width: int) -> Mismatch | None:
        """Where shrinking one layer alone to some width breaks."""
        return self._explained(self._alone(self.graph.layers[name], width))

    def general(self, name: str) -> General:
        """What shrinking one layer to most widths does."""
        found = self._general.get(name)
        if found is None:
            found = self._general[name] = self._generalised(self.graph.layers[name])
        return found

    def outline(self, name: str, width: int) -> Outline:
        """What shrinking one layer to some width does."""
        general = self.general(name)
        if width in general.widths:
            return general.outline
        found = self._exact.get((name, width))
        if found is None:
            layer = self.graph.layers[name]
            found = self._exact[name, width] = self._outlined(layer, width, self._alone(layer, width))
        return found

    def _generalised(self, layer: GraphLayer) -> General:
        """What comes of a middle width, and for which others it is the same.

        So it is if all that runs takes whatever width it is given, and what breaks compares it with a fixed one. A
        single channel may be broadcast instead. A chunk in two on the way halves the width, rounded up and down, and
        the second half of one channel less than all is no shorter if their number is odd.
        """
        width = max(2, layer.out_channels // 2)
        result = self._alone(layer, width)
        outline, ops = self._outlined(layer, width, result), self.graph.program.ops
        passed = [ops[index] for index in result.touched if index != outline.stop]
        chunks = [op for op in passed if op.target in SPLITS]
        widths = range(2, layer.out_channels)
        if chunks:
            widths = range(4, layer.out_channels - 1)
        general = (
            outline.breaks
            and not outline.wrong
            and outline.stop != layer.op
            and ops[outline.stop].target in _COMPARING
            and all(op.target in _TAKING_ANY for op in passed if op.target not in SPLITS)
            and (not chunks or (_in_two(chunks) and _compares_with_fixed(ops[outline.stop], result)))
        )
        return General(widths if general and width in widths else range(0), outline)

    def _alone(self, layer: GraphLayer, width: int) -> Interpretation:
        graph = self.graph
        if width and self.fits_itself(layer.name):
            emission = graph.baseline.tensors[layer.emission].shape
            given = {layer.emission: Tensor((emission[0], width, *emission[2:]))}
            return graph.interpreter.rerun(graph.baseline, {}, given=given)
        return graph.interpreter.rerun(graph.baseline, narrowed(graph.parameters, layer, width))

    def _outlined(self, layer: GraphLayer, width: int, result: Interpretation) -> Outline:
        graph = self.graph
        touched = self._inner(layer) if width and self.fits_itself(layer.name) else 0
        for index in result.touched:
            touched |= 1 << index
        if result.stopped != layer.op:
            touched &= ~(1 << layer.op)
        return Outline(
            breaks=result.failure is not None,
            stop=len(graph.program.ops) if result.stopped is None else result.stopped,
            touched=touched,
            wrong=_wrong(graph, result),
            splits=any(graph.program.ops[index].target in SPLITS for index in result.touched),
        )

    def fits_itself(self, name: str) -> bool:
        """Whether a layer, its norm and its activation fit each other however wide they are, and nothing else's."""
        found = self._fitting.get(name)
        if found is None:
            layer = self.graph.layers[name]
            names, inner = narrowed(self.graph.parameters, layer, 1), self._inner(layer)
            others = layer.norm is None and inner & self._norms
            alone = all(self.graph.interpreter.readers_of(parameter) == 1 for parameter in names)
            found = self._fitting[name] = layer.groups == 1 and alone and not others
        return found

    def adapts(self, name: str) -> bool:
        """Whether an adapter of a layer is safe whichever channels stay."""
        place = adapted(self.graph, self.graph.layers[name]) if self.fits_itself(name) else None
        return place is not None and place.emits

    @cached_property
    def _norms(self) -> int:
        """Bit set of the normalisations."""
        return sum(1 << op.index for op in self.graph.program.ops if op.target in NORMS)

    def _inner(self, layer: GraphLayer) -> int:
        """The operators between a layer's convolution and its emission."""
        value, found = layer.emission, 0
        made_by = self.graph.interpreter.made_by
        while made_by[value] != layer.op:
            found |= 1 << made_by[value]
            value = self.graph.program.ops[made_by[value]].inputs[0]
        return found

    def _explained(self, result: Interpretation) -> Mismatch | None:
        return None if result.failure is None else replace(result.failure, path=explain(self.graph, result))

    def _mask(self, plan: Plan) -> Verdict:
        changed = False
        for step in plan.steps:
            width = self.graph.layers[step.layer].out_channels
            if len(step.keep) == width:
                continue
            if not step.keep or step.layer in self.graph.head_layers:
                return "unsafe"
            silence = self.silence(step.layer, plan.mask)
            if not silence.clean and (silence.dirty or self._still_emits(step, silence)):
                return "unsafe"
            changed = changed or silence.lively or bool((silence.alive & removed(step.keep, width)).any())
        if len(plan.widths()) < len(plan.steps) and not all(plan.widths().values()):
            return "unsafe"
        return "safe" if changed else "unsafe"

    def _still_emits(self, step: Step, silence: Silence) -> bool:
        return bool((silence.emits & removed(step.keep, len(silence.emits))).any())

    @cached_property
    def table(self) -> Layers:
        """The graph's layers as arrays."""
        return Layers(self.graph)

    @cached_property
    def by_group(self) -> GroupVerdicts:
        """Verdicts on plans by ``group``."""
        return GroupVerdicts(self.graph)

    def silence(self, name: str, kind: MaskKind) -> Silence:
        """What masking does to the channels of a layer."""
        found = self._silences.get((name, kind))
        if found is None:
            found = self._silences[name, kind] = self._silenced(self.graph.layers[name], kind)
        return found

    def _silenced(self, layer: GraphLayer, kind: MaskKind) -> Silence:
        graph = self.graph
        last = graph.interpreter.made_by[layer.emission]
        result = graph.interpreter.rerun(graph.baseline, masked(graph.parameters, layer, (), kind), until=last)
        emission, weight = result.get(layer.emission), graph.parameters[f"{layer.name}.weight"].filter
        if emission is None:
            raise AssertionError(f"a mask changed the shapes behind {layer.name}")
        emits, alive = emission.emits, graph.baseline.tensors[layer.emission].emits
        if weight is not None:
            alive = np.asarray(alive | weight.live)
        return Silence(emits, alive, not emits.any(), bool(emits.all()), bool(alive.all()))


# Operators that take feature maps of any width, and those that compare the width with another one.
_TAKING_ANY = PASSING | {"cat"}
_COMPARING = CONVOLUTIONS | NORMS | ELEMENTWISE


def _in_two(splits: Sequence[Op]) -> bool:
    return len(splits) == 1 and splits[0].target == "chunk" and len(splits[0].outputs) == 2


def _compares_with_fixed(op: Op, result: Interpretation) -> bool:
    """Whether but one operand of an operator depends on the width."""
    return sum(value in result.tensors for value in op.inputs) == 1


def _wrong(graph: ChannelGraph, result: Interpretation) -> bool:
    """Whether a run under ``local`` is silently wrong, or not known, whichever channels are left."""
    return bool(result.broadcasts) or result.unknown is not None or any(passed_frozen(graph, result))
