"""Ways to try a plan that ``yolo-prune-check fuzz`` does not have."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from tests.channels.carry_out import carry_out, masked
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.judge import judge
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.prediction import Prediction
from yolo_prune_check.channels.removal import find_removal
from yolo_prune_check.confirm.compare import describe
from yolo_prune_check.confirm.passes import plain_pass
from yolo_prune_check.confirm.probe import tensors_of
from yolo_prune_check.confirm.sizes import parameter_count
from yolo_prune_check.fuzz.trial import Trial, Tried, outcome_of

TOLERANCE = 1e-9
"""Relative error in float64 above which two models do not compute the same."""


def verdict_trial(model: nn.Module, graph: ChannelGraph) -> Trial:
    """The quick verdicts, of one plan and of many, against the whole interpretation; and a repair must be safe."""

    def differences(plan: Plan) -> tuple[Prediction, list[str]]:
        prediction, many, judgement = predict(graph, plan), graph.predict_many([plan])[0], judge(graph, plan)
        found = []
        for name, quick in (("predict", prediction), ("predict_many", many)):
            if quick.verdict != judgement.verdict:
                found.append(f"{name} says {quick.verdict}, the whole interpretation {judgement.verdict}")
            if quick.failure != judgement.failure:
                failures = f"{describe(quick.failure)}; the whole interpretation that it {describe(judgement.failure)}"
                found.append(f"{name} says that it {failures}")
        repair = prediction.repair
        if repair is not None and judge(graph, repair.plan).verdict != "safe":
            found.append("the repaired plan is unsafe")
        return prediction, found

    return _trial(differences)


def removal_trial(model: nn.Module, graph: ChannelGraph) -> Trial:
    """What ``group`` removes, removed from the model's own tensors: it must run and equal the masked model."""
    image = torch.rand(1, 3, graph.imgsz, graph.imgsz, generator=torch.Generator().manual_seed(0)).double()

    def differences(plan: Plan) -> tuple[Prediction, list[str]]:
        prediction, removal = predict(graph, plan), find_removal(graph, plan)
        if any(hazard.code == "empty-layer" for hazard in removal.hazards) or removal.stays.all():
            return prediction, []
        if prediction.failure is not None:
            return prediction, [f"predicted that it {describe(prediction.failure)}; groups always fit"]
        small = carry_out(model, removal)
        found = plain_pass(small, graph.imgsz)
        if found.failure is not None:
            return prediction, [f"predicted that it runs; observed that it {describe(found.failure)}"]
        with torch.no_grad():
            got, meant = tensors_of(small(image)), tensors_of(masked(model, removal, graph.imgsz)(image))
        # A feature map that the head returns as well may have become narrower.
        pairs = [(one, other) for one, other in zip(got, meant, strict=True) if one.shape == other.shape]
        error = max(float((one - other).abs().max() / other.abs().max()) for one, other in pairs)
        said = [f"relative error of {error:.0e} against the masked model"] if error > TOLERANCE else []
        if got[0].shape != meant[0].shape:
            said.append(f"output: expected {tuple(meant[0].shape)}, observed {tuple(got[0].shape)}")
        counts = (
            ("params", prediction.params, parameter_count(small)),
            ("macs", prediction.macs, found.sizes.macs),
        )
        said += [f"{name}: predicted {one}, observed {other}" for name, one, other in counts if one != other]
        return prediction, said

    return _trial(differences)


def _trial(differences: Callable[[Plan], tuple[Prediction, list[str]]]) -> Trial:
    def try_plan(plan: Plan) -> Tried:
        try:
            prediction, found = differences(plan)
            return Tried(plan, None if found else outcome_of(prediction)[0], "", not found, tuple(found))
        except Exception as error:  # noqa: BLE001  # whatever a mistake brings about gives it away
            return Tried(plan, None, "", False, (" ".join(f"it raised {type(error).__name__}: {error}".split()),))

    return try_plan
