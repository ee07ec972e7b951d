"""Verdicts in microseconds: what each step does alone is worked out once, and plans are put together from that.

A step that shrinks a layer touches a set of operators until one of them breaks. If the steps of a plan touch no
operator in common before the first of their breaks, each runs as it would alone, and the plan breaks where the
first of them does. Otherwise the plan is interpreted as a whole. A mask changes no shape; whether masked channels still
emit depends on their own layer alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from yolo_prune_check.channels.explain import explain
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.hazards import passed_frozen
from yolo_prune_check.channels.interpret import Interpretation
from yolo_prune_check.channels.judge import judge
from yolo_prune_check.channels.layers import GraphLayer
from yolo_prune_check.channels.parameters import masked, narrowed, removed
from yolo_prune_check.channels.plan import MaskKind, Plan, Step
from yolo_prune_check.channels.prediction import Failing, Mismatch, Verdict, runs
from yolo_prune_check.channels.program import BoolArray
from yolo_prune_check.channels.removal import level
from yolo_prune_check.channels.rules import ACTIVATIONS, CONVOLUTIONS, NORMS, POOLS, UPSAMPLES
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
        self._outlines: dict[str, Outline] = {}
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
        if plan.execution == "group":
            verdict = self._group(plan)
            return verdict, runs if verdict == "safe" else partial(self._judged, plan)
        judgement = judge(self.graph, plan)
        return judgement.verdict, lambda: judgement.failure

    def _judged(self, plan: Plan) -> Mismatch | None:
        return judge(self.graph, plan).failure

    def _local(self, plan: Plan) -> tuple[Verdict, Failing]:
        layers, head = self.graph.layers, self.graph.head_layers
        cut = {name: width for name, width in plan.widths().items() if width < layers[name].out_channels}
        if not cut:
            return "unsafe", runs
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
        wrong = any(width == 0 or name in head for name, width in cut.items())
        return ("unsafe" if wrong or any(outline.wrong for outline in outlines.values()) else "safe"), runs

    def _together(self, plan: Plan, cut: Mapping[str, int]) -> tuple[Verdict, Failing]:
        changed = {}
        for name, width in cut.items():
            changed.update(narrowed(self.graph.parameters, self.graph.layers[name], width))
        result = self.graph.interpreter.rerun(self.graph.baseline, changed)
        if result.failure is not None:
            return "unsafe", lambda: self._explained(result)
        if any(self.graph.program.ops[index].target in _SPLITS for index in result.touched):
            return judge(self.graph, plan).verdict, runs
        head = self.graph.head_layers
        wrong = _wrong(self.graph, result) or any(width == 0 or name in head for name, width in cut.items())
        return ("unsafe" if wrong else "safe"), runs

    def failure(self, name: str, width: int) -> Mismatch | None:
        """Where shrinking one layer alone to some width breaks."""
        return self._explained(self._alone(self.graph.layers[name], width))

    def outline(self, name: str, width: int) -> Outline:
        """What shrinking one layer to some width does."""
        found = self._outlines.get(name) if width > 1 else None
        if found is None:
            found = self._exact.get((name, width))
        if found is None:
            found = self._exact[name, width] = self._work_out(self.graph.layers[name], width)
            if width > 1 and self._goes_for_all(self.graph.layers[name], found):
                self._outlines[name] = found
        return found

    def _goes_for_all(self, layer: GraphLayer, outline: Outline) -> bool:
        """Whether the outline is that of every width but 1 and the full one.

        So it is if all that runs takes whatever width it is given, and what breaks compares it with another width.
        """
        if not outline.breaks or outline.wrong or outline.splits or outline.stop == layer.op:
            return False
        ops = self.graph.program.ops
        passed = (ops[index].target for index in range(outline.stop) if (outline.touched >> index) & 1)
        return ops[outline.stop].target in _COMPARING and all(target in _TAKING_ANY for target in passed)

    def _alone(self, layer: GraphLayer, width: int) -> Interpretation:
        graph = self.graph
        if width and self._fits_itself(layer):
            emission = graph.baseline.tensors[layer.emission].shape
            given = {layer.emission: Tensor((emission[0], width, *emission[2:]))}
            return graph.interpreter.rerun(graph.baseline, {}, given=given)
        return graph.interpreter.rerun(graph.baseline, narrowed(graph.parameters, layer, width))

    def _work_out(self, layer: GraphLayer, width: int) -> Outline:
        graph, result = self.graph, self._alone(layer, width)
        touched = self._inner(layer) if width and self._fits_itself(layer) else 0
        for index in result.touched:
            touched |= 1 << index
        if result.stopped != layer.op:
            touched &= ~(1 << layer.op)
        return Outline(
            breaks=result.failure is not None,
            stop=len(graph.program.ops) if result.stopped is None else result.stopped,
            touched=touched,
            wrong=_wrong(graph, result),
            splits=any(graph.program.ops[index].target in _SPLITS for index in result.touched),
        )

    def _fits_itself(self, layer: GraphLayer) -> bool:
        """Whether a layer, its norm and its activation fit each other however wide they are, and nothing else's."""
        found = self._fitting.get(layer.name)
        if found is None:
            names, ops, inner = narrowed(self.graph.parameters, layer, 1), self.graph.program.ops, self._inner(layer)
            others = layer.norm is None and any((inner >> op.index) & 1 for op in ops if op.target in NORMS)
            alone = all(self.graph.interpreter.readers_of(name) == 1 for name in names)
            found = self._fitting[layer.name] = layer.groups == 1 and alone and not others
        return found

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

    def _group(self, plan: Plan) -> Verdict:
        partition, channels = self.graph.partition, self.graph.provenance.channels
        stays = np.ones(partition.count, dtype=np.bool_)
        for step in plan.steps:
            groups = partition.label[channels.span(step.layer)]
            asked = groups[removed(step.keep, len(groups))]
            if self._frozen[asked].any():
                return "unsafe"
            stays[asked] = False
        if not stays[self._balanced].all():
            level(stays, partition.levels)
        if stays.all():
            return "unsafe"
        lines, starts = self._lines
        kept = np.add.reduceat(np.append(stays, True)[lines], starts, dtype=np.int64)
        return "safe" if kept.min() else "unsafe"

    @cached_property
    def _frozen(self) -> BoolArray:
        """For each dependency group, whether it cannot be removed."""
        frozen = np.zeros(self.graph.partition.count, dtype=np.bool_)
        frozen[list(self.graph.partition.frozen)] = True
        return frozen

    @cached_property
    def _balanced(self) -> NDArray[np.int64]:
        """Dependency groups that are part of a balance."""
        found = [item.groups for item in self.graph.partition.levels]
        return np.unique(np.concatenate([groups[groups >= 0] for groups in found])) if found else np.empty(0, np.int64)

    @cached_property
    def _lines(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Groups of all that layers make and weights read, end to end, and where each line starts.

        What no layer makes gets a number after the last group's.
        """
        provenance, partition = self.graph.provenance, self.graph.partition
        lines = [
            np.arange(*self.graph.provenance.channels.span(name).indices(provenance.channels.total))
            for name in self.graph.layers
        ]
        lines += [consumer.channels for consumer in provenance.consumers if len(consumer.channels)]
        starts = np.cumsum([0, *map(len, lines[:-1])])
        joined = np.concatenate(lines)
        return np.where(joined < 0, partition.count, partition.label[joined]), starts

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
_TAKING_ANY = ACTIVATIONS | POOLS | UPSAMPLES | {"cat", "dropout", "clone", "contiguous", "detach", "alias", "_to_copy"}
_COMPARING = CONVOLUTIONS | NORMS | {"add", "sub", "mul", "div"}
_SPLITS = frozenset({"chunk", "split", "split_with_sizes"})


def _wrong(graph: ChannelGraph, result: Interpretation) -> bool:
    """Whether a run under ``local`` is silently wrong, or not known, whichever channels are left."""
    return bool(result.broadcasts) or result.unknown is not None or any(passed_frozen(graph, result))
