"""The proof of a pruned model: at which sizes, and with what was predicted of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import torch
from torch import nn

from yolo_prune_check.confirm.asked import asked_for
from yolo_prune_check.confirm.check import Check
from yolo_prune_check.confirm.compare import Confirmation
from yolo_prune_check.confirm.proof import prove
from yolo_prune_check.data.photographs import photographs
from yolo_prune_check.images import image_channels
from yolo_prune_check.prune.apply import cuts_of
from yolo_prune_check.prune.reference import Reference
from yolo_prune_check.prune.widened import trained_masked, trained_reference
from yolo_prune_check.run.record import CheckRecord
from yolo_prune_check.run.state import State

STRUCTURAL = ("group", "adapter")
"""Executions that change shapes: equality is not obvious there."""

LARGEST: Final = 320
"""Pixels: in float64 the memory for gradients grows with the image's area."""


def prove_final(state: State) -> tuple[Check, ...]:
    """Look whether the right channels went, and compare the final model with the masked one of the same weights.

    After fine-tuning, the model of full width gets the trained weights of what is left.
    """
    model, scenario, baseline = state.model, state.scenario, state.baseline
    real = partial(photographs, scenario.data) if image_channels(model) == 3 else None
    rows = prove(meant_by_final(state), model, sizes_of(model, baseline.graph.imgsz), real)
    if scenario.execution == "group":
        rows = asked_for(baseline.model, state.plan(), state.cuts, imgsz=baseline.graph.imgsz), *rows
    return rows if state.confirmation is None else (*rows, *totals(state.confirmation))


def meant_by_final(state: State) -> Reference:
    """What the final model of a structural scenario must compute, with the weights that it has now."""
    baseline = state.baseline
    if state.scenario.execution == "group":
        # Not the state's own cuts: those of a plan have the attributes as well that no traced pass reads.
        cuts = cuts_of(baseline.model, state.plan(), baseline.graph)
        return trained_reference(baseline.model, cuts, state.model, imgsz=baseline.graph.imgsz)
    return trained_masked(baseline.model, state.plan(), baseline.graph, state.model)


def sizes_of(model: nn.Module, imgsz: int) -> tuple[int, int]:
    """The image size, and half of it as far as the model takes that, else twice: what holds at one size must not pass.

    A size above ``LARGEST`` counts as that, rounded down to a multiple of the model's largest stride, one at least.
    """
    network: Any = model
    stride = max(32, int(torch.as_tensor(network.stride).max()))
    size = imgsz if imgsz <= LARGEST else max(LARGEST // stride * stride, stride)
    half = size // 2 // stride * stride
    return size, half or size * 2


def recorded(checks: Sequence[Check]) -> tuple[CheckRecord, ...]:
    """Rows of a proof, or of the checks of a file, as records hold them."""
    return tuple(CheckRecord.of(row.name, row.passed, row.error, row.detail) for row in checks)


def totals(confirmation: Confirmation) -> tuple[Check, ...]:
    """Parameters and multiply-accumulates, predicted and as torchinfo counts them; no rows of a model that breaks."""
    if confirmation.failure is not None:
        return ()
    told = {"params": "parameters", "macs": "multiply-accumulates"}
    wrong = [difference for difference in confirmation.differences if difference.partition(":")[0] in told]
    seen = confirmation.observation
    rows = []
    for name, words in told.items():
        found = next((difference for difference in wrong if difference.startswith(f"{name}:")), None)
        number = getattr(seen, name)
        rows.append(Check(f"{words} as predicted", found is None, None, found or f"{number:,}"))
    return tuple(rows)
