"""Verdicts in microseconds: each step's effect alone is worked out once, and plans are put together from those.

A step that shrinks a layer touches a set of operators until one of them breaks. If the steps of a plan touch no
operator in common before the first of their breaks, each runs as it would alone, and the plan breaks where the
first of them does. Otherwise the plan is interpreted as a whole. A mask changes no shape; whether masked channels still
emit depends on their own layer alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

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
from yolo_prune_check.channels.prediction import KnownFailure, Mismatch, Verdict
from yolo_prune_check.channels.program import BoolArray
from yolo_prune_check.channels.removal import level
from yolo_prune_check.channels.tensors import Tensor


@dataclass(frozen=True)
class Effect:
    """What shrinking one layer to some width does, nothing else being pruned.

    Attributes:
        failure: Where it breaks, or None.
        stop: Index of the operator at which the run ends; the number of operators if it does not end early.
        touched: The operators that are given something new, bit i for operator i: the one at which it ends included,
            the layer's own convolution not.
        wrong: Whether it runs into a silent broadcast, through an operator that mixes channels, or into the unknown.
        splits: Whether it runs through a split: which channels stay then matters as well.
    """

    failure: Mismatch | None
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
        self._effects: dict[tuple[str, int], Effect] = {}
        self._fitting: dict[str, bool] = {}
        self._silences: dict[tuple[str, MaskKind], Silence] = {}

    def of(self, plan: Plan) -> tuple[Verdict, KnownFailure | None]:
        """Verdict and, where it is known as well, the failure of a plan.

        Raises:
            UserError: The plan does not fit the model.
        """
        self.graph.check(plan)
        if plan.execution == "local":
            return self._local(plan)
        if plan.execution == "mask":
            return self._mask(plan), (None,)
        if plan.execution == "group":
            verdict = self._group(plan)
            return verdict, (None,) if verdict == "safe" else None
        judgement = judge(self.graph, plan)
        return judgement.verdict, (judgement.failure,)

    def _local(self, plan: Plan) -> tuple[Verdict, KnownFailure | None]:
        layers, head = self.graph.layers, self.graph.head_layers
        cut = {name: width for name, width in plan.widths().items() if width < layers[name].out_channels}
        if not cut:
            return "unsafe", (None,)
        effects = [self.effect(name, width) for name, width in cut.items()]
        first = min(effects, key=lambda effect: effect.stop)
        if len(effects) > 1:
            reach, own, seen = (2 << first.stop) - 1, 0, 0
            for name in cut:
                own |= 1 << layers[name].op
            for effect in effects:
                touched = effect.touched & reach
                if touched & (seen | (own & (reach >> 1))):
                    return self._together(plan, cut)
                seen |= touched
            if first.failure is not None and (own >> first.stop) & 1:
                return "unsafe", None  # it breaks there in any case; with which words depends on both layers
        if first.failure is None and any(effect.splits for effect in effects):
            judgement = judge(self.graph, plan)
            return judgement.verdict, (judgement.failure,)
        wrong = any(width == 0 or name in head for name, width in cut.items()) or any(e.wrong for e in effects)
        return ("unsafe" if wrong or first.failure is not None else "safe"), (first.failure,)

    def _together(self, plan: Plan, cut: Mapping[str, int]) -> tuple[Verdict, KnownFailure]:
        changed = {}
        for name, width in cut.items():
            changed.update(narrowed(self.graph.parameters, self.graph.layers[name], width))
        result = self.graph.interpreter.rerun(self.graph.baseline, changed)
        wrong = _wrong(self.graph, result) or any(
            width == 0 or name in self.graph.head_layers for name, width in cut.items()
        )
        failure = self._explained(result)
        if failure is None and any(self.graph.program.ops[index].target in _SPLITS for index in result.touched):
            return judge(self.graph, plan).verdict, (None,)
        return ("unsafe" if wrong or failure is not None else "safe"), (failure,)

    def effect(self, name: str, width: int) -> Effect:
        """Effect of shrinking one layer to some width."""
        found = self._effects.get((name, width))
        if found is None:
            found = self._effects[name, width] = self._work_out(self.graph.layers[name], width)
        return found

    def _work_out(self, layer: GraphLayer, width: int) -> Effect:
        graph = self.graph
        touched = 0
        if layer.name not in self._fitting:
            self._fitting[layer.name] = self._fits_itself(layer)
        if width and self._fitting[layer.name]:
            emission = graph.baseline.tensors[layer.emission].shape
            given = {layer.emission: Tensor((emission[0], width, *emission[2:]))}
            result = graph.interpreter.rerun(graph.baseline, {}, given=given)
            touched = self._inner(layer)
        else:
            result = graph.interpreter.rerun(graph.baseline, narrowed(graph.parameters, layer, width))
        for index in result.touched:
            touched |= 1 << index
        if result.stopped != layer.op:
            touched &= ~(1 << layer.op)
        stop = len(graph.program.ops) if result.stopped is None else result.stopped
        splits = any(graph.program.ops[index].target in _SPLITS for index in result.touched)
        return Effect(self._explained(result), stop, touched, _wrong(self.graph, result), splits)

    def _fits_itself(self, layer: GraphLayer) -> bool:
        """Whether a layer, its norm and its activation fit each other however wide they are, and nothing else's."""
        names = narrowed(self.graph.parameters, layer, 1)
        return layer.groups == 1 and all(self.graph.interpreter.readers_of(name) == 1 for name in names)

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
        result = graph.interpreter.rerun(graph.baseline, masked(graph.parameters, layer, (), kind))
        emission, weight = result.get(layer.emission), graph.parameters[f"{layer.name}.weight"].filter
        if emission is None:
            raise AssertionError(f"a mask changed the shapes behind {layer.name}")
        emits, alive = emission.emits, graph.baseline.tensors[layer.emission].emits
        if weight is not None:
            alive = np.asarray(alive | weight.live)
        return Silence(emits, alive, not emits.any(), bool(emits.all()), bool(alive.all()))


_SPLITS = frozenset({"chunk", "split", "split_with_sizes"})


def _wrong(graph: ChannelGraph, result: Interpretation) -> bool:
    """Whether a run under ``local`` is silently wrong, or not known, whichever channels are left."""
    return bool(result.broadcasts) or result.unknown is not None or any(passed_frozen(graph, result))
