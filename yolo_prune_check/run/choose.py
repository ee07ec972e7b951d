"""Which channels a step keeps, in the numbering of the untouched model."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from yolo_prune_check.run.resolve import Target
from yolo_prune_check.run.state import State
from yolo_prune_check.select.choose import Choice, select_channels
from yolo_prune_check.select.criteria import keep_count
from yolo_prune_check.spec.schema import Select


def choose(state: State, target: Target) -> Choice:
    """Choose on the model as it is at this step; on the untouched one where the schedule is `independent`.

    Of a layer that earlier steps have made narrower, `select.ratio` still is a share of what it had at first, and what
    is gone counts.
    """
    if target.keep is not None:
        return Choice(target.keep, None, {})
    scenario, layer, select = state.scenario, target.layer, state.scenario.select
    independent = scenario.schedule == "independent"
    present = tuple(range(layer.out_channels)) if independent else state.present(layer.name, layer.out_channels)
    if len(present) < layer.out_channels:
        if select.ratio is not None:
            count = keep_count(layer.out_channels, select.ratio)
            if count >= len(present):
                return Choice(present, None, {"k": len(present), "gone": layer.out_channels - len(present)})
            select = select.model_copy(update={"ratio": 1 - count / len(present)})
        layer = replace(layer, out_channels=len(present))
    choice = select_channels(
        state.baseline.fresh() if independent else state.model,
        layer,
        select,
        activations=scenario.activations,
        data=scenario.data or "",
        imgsz=state.baseline.graph.imgsz,
        seed=scenario.seed,
        progress=state.progress,
    )
    return _renumbered(choice, present, target.layer.out_channels)


def choose_without_data(state: State, target: Target) -> Choice:
    """Channels for a prediction alone: criteria that need data are stood in for by l1."""
    if target.keep is not None:
        return Choice(target.keep, None, {})
    select = state.scenario.select
    stand_in = {}
    if select.criterion == "separability":
        ratio = 0.5 if select.ratio is None else select.ratio
        select = Select(criterion="l1", ratio=ratio, seed=select.seed)
        stand_in = {"stand_in": f"l1, ratio {ratio:g}"}
    choice = select_channels(
        state.baseline.model,
        target.layer,
        select,
        activations="hooked",
        data="",
        imgsz=state.baseline.graph.imgsz,
        seed=state.scenario.seed,
        progress=state.progress,
    )
    return Choice(choice.keep, choice.scores, {**choice.details, **stand_in})


def _renumbered(choice: Choice, present: tuple[int, ...], total: int) -> Choice:
    """A choice among the channels that are left, in the numbering of all."""
    if len(present) == total:
        return choice
    scores = None
    if choice.scores is not None:
        known = dict(zip(present, choice.scores, strict=True))
        scores = tuple(known.get(channel, -inf) for channel in range(total))
    details = {**choice.details, "gone": total - len(present)}
    return Choice(tuple(present[index] for index in choice.keep), scores, details)
