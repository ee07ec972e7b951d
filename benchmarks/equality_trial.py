"""One plan by ``group``: carried out, compared with its prediction, and proven equal to the masked model."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import cv2
import torch
from torch import nn
from ultralytics.utils import ASSETS

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.prediction import Prediction
from yolo_prune_check.confirm.asked import asked_for
from yolo_prune_check.confirm.compare import compare
from yolo_prune_check.confirm.observe import observe
from yolo_prune_check.confirm.proof import prove
from yolo_prune_check.prune.apply import carry_out, cuts_of, meant_by

SIZE = 64
"""Size in pixels at which models are traced."""


def sizes_of(model: nn.Module) -> tuple[int, int]:
    """Sizes in pixels at which a pruned model is proven: 64 and 96, or 128 where strides go up to 64."""
    return SIZE, 128 if int(torch.as_tensor(model.stride).max()) > 32 else 96  # type: ignore[arg-type]  # a tensor


@dataclass
class Result:
    """Plans on one model.

    Attributes:
        params: Parameters of the untouched model.
        drawn: Plans that were drawn to find as many safe ones.
        safe: Those.
        agreed: Of these, plans of which everything happened as predicted.
        proven: Of these, plans of which every row of the proof held.
        errors: Largest relative error in each kind of row, over all plans.
        least: Smallest share of the parameters that went.
        most: Largest.
        seconds: For all of it.
        failures: For each plan that failed what it was, and how.
    """

    params: int
    drawn: int = 0
    safe: int = 0
    agreed: int = 0
    proven: int = 0
    errors: dict[str, float] = field(default_factory=dict)
    least: float = 1.0
    most: float = 0.0
    seconds: float = 0.0
    failures: list[dict[str, Any]] = field(default_factory=list)

    def add(self, other: Result) -> None:
        """Add what was found on more plans."""
        for name in ("drawn", "safe", "agreed", "proven", "seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name, error in other.errors.items():
            self.errors[name] = max(error, self.errors.get(name, 0.0))
        self.least, self.most = min(self.least, other.least), max(self.most, other.most)
        self.failures += other.failures


def try_plan(model: nn.Module, graph: ChannelGraph, plan: Plan, result: Result) -> None:
    """Try a plan, if it is safe. An exception of this package's own code is a failure as well."""
    start = time.perf_counter()
    result.drawn += 1
    prediction = predict(graph, plan)
    if prediction.verdict == "safe":
        result.safe += 1
        try:
            wrong = _wrong(model, graph, plan, prediction, result)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is a defect to be listed with its plan
            wrong = [f"raised {type(error).__name__}: {error}"]
        if wrong:
            steps = {step.layer: list(step.keep) for step in plan.steps}
            result.failures.append({"steps": steps, "round_to": plan.round_to, "wrong": wrong})
    result.seconds += time.perf_counter() - start


def _wrong(model: nn.Module, graph: ChannelGraph, plan: Plan, prediction: Prediction, result: Result) -> list[str]:
    small, meant = carry_out(model, plan, graph), meant_by(model, plan, graph)
    differences = compare(prediction, observe(meant, small, graph.imgsz)).differences
    asked = asked_for(model, plan, cuts_of(model, plan, graph), imgsz=graph.imgsz)
    rows = asked, *prove(meant, small, sizes_of(model), photographs)
    result.agreed += not differences
    result.proven += all(row.passed for row in rows)
    for row in rows:
        if row.error is not None:
            kind = row.name.rpartition(", ")[0] or row.name  # without the size
            result.errors[kind] = max(row.error, result.errors.get(kind, 0.0))
    share = 1 - sum(parameter.numel() for parameter in small.parameters()) / result.params
    result.least, result.most = min(result.least, share), max(result.most, share)
    return [*differences, *(f"{row.name}: {row.detail}" for row in rows if not row.passed)]


@lru_cache
def photographs(size: int) -> torch.Tensor:
    """Ultralytics' two sample pictures ``(2, 3, size, size)`` in [0, 1]."""
    pictures = []
    for name in ("bus.jpg", "zidane.jpg"):
        picture = cv2.imread(str(ASSETS / name))
        if picture is None:
            raise FileNotFoundError(ASSETS / name)
        square = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
        pictures.append(torch.from_numpy(square[..., ::-1].copy()).permute(2, 0, 1))
    return torch.stack(pictures).double() / 255
