"""Carry one step out on the model as it is, and tell what it must compute then."""

from __future__ import annotations

from math import inf

from torch import nn

from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.removal import find_removal
from yolo_prune_check.prune.apply import carry_out, cuts_of, meant_by
from yolo_prune_check.prune.copied import copied
from yolo_prune_check.prune.cuts import Cuts
from yolo_prune_check.prune.group import remove
from yolo_prune_check.prune.reference import Reference
from yolo_prune_check.prune.silenced import reference_of
from yolo_prune_check.run.state import State


def carry_step(state: State, step: Step) -> tuple[nn.Module, Reference | None]:
    """The model after a step, and what it must compute; None if that is not known.

    Channels are numbered as in the untouched model, and layers may have lost some. By ``group`` the step's cuts are
    those of the whole plan so far, less what is cut already. A layer narrowed by ``local`` cannot be silenced channel
    by channel, so that these steps are carried out together on the untouched model; once that was fine-tuned, there is
    none with the same weights.
    """
    baseline, scenario = state.baseline, state.scenario
    if scenario.execution == "group":
        cuts = cuts_of(baseline.model, state.plan(step), baseline.graph).since(state.cuts)
        pruned = copied(state.model)
        remove(pruned, cuts)
        return pruned, reference_of(state.model, cuts, imgsz=baseline.graph.imgsz)
    if scenario.execution == "local" and not state.tuned_since:
        plan = state.plan(step)
        pruned = carry_out(baseline.model, plan, baseline.graph)
        return pruned, meant_by(baseline.model, plan, baseline.graph)
    alone = Plan([step], scenario.execution, scenario.mask)
    pruned = carry_out(state.model, alone, baseline.graph)
    if scenario.execution == "local":
        return pruned, None
    meant = state.plan(step) if scenario.execution == "mask" else alone  # what was adapted has lost its numbering
    return pruned, meant_by(state.model, meant, baseline.graph)


def kept_by(state: State, step: Step) -> tuple[int, ...]:
    """The channels of a step's layer that stay; by ``group`` also those that are given back."""
    if state.scenario.execution != "group":
        return step.keep
    graph = state.baseline.graph
    cut = find_removal(graph, state.plan(step)).layers.get(step.layer)
    return tuple(range(graph.layers[step.layer].out_channels) if cut is None else cut.outputs.tolist())


def take_over(state: State, step: Step) -> None:
    """Make a step that was carried out, or predicted, part of the state.

    By ``group``, all that went with it stands for the steps from now on, so that what a later step has to give back is
    never what is gone already.
    """
    if state.scenario.execution == "group":
        plan, graph = state.plan(step), state.baseline.graph
        removal = find_removal(graph, plan)
        state.cuts = Cuts.of(removal)
        state.standing = [_standing(name, kept, graph.layers[name].out_channels) for name, kept in removal.kept.items()]
    else:
        state.standing.append(step)
    state.done.append(step)


def _standing(layer: str, keep: list[int], total: int) -> Step:
    """A step of which nothing is given back before all of what other steps remove is."""
    kept = set(keep)
    return Step(layer, keep, [0.0 if channel in kept else -inf for channel in range(total)])
