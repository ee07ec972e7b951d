"""Little nets that do what no YOLO does: whatever speaks about a plan says the same, and execution agrees."""

from __future__ import annotations

from typing import Final

import pytest
import torch
from torch import nn

from benchmarks.zoo import randomise_norms
from tests.odd import (
    nets_arithmetic,
    nets_layers,
    nets_layout,
    nets_norms,
    nets_outputs,
    nets_sharing,
    nets_tokens,
    nets_writes,
)
from tests.odd.trial import EXECUTED, IMGSZ, findings
from yolo_prune_check.channels.graph import ChannelGraph

NETS: Final = {
    net.__name__: net
    for nets in (
        nets_arithmetic,
        nets_layers,
        nets_layout,
        nets_norms,
        nets_outputs,
        nets_sharing,
        nets_tokens,
        nets_writes,
    )
    for net in nets.NETS
}


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    model = NETS[name]().eval()
    randomise_norms(model, 0)
    if isinstance(model, nets_norms.BN_gamma_neg):
        model.silence()
    return model


@pytest.mark.parametrize("name", NETS)
def test_everything_agrees_on_random_plans(name: str) -> None:
    assert findings(build(name)) == []


@pytest.mark.parametrize("dtype", [torch.half, torch.bfloat16, torch.double], ids=str)
def test_a_model_of_any_precision(dtype: torch.dtype) -> None:
    assert findings(build("HalfM").to(dtype), ways=EXECUTED) == []


def test_a_frozen_model() -> None:
    assert findings(build("HalfM").requires_grad_(False)) == []


def test_a_model_in_training_mode_stays_in_it() -> None:
    model = build("HalfM").train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    ChannelGraph.trace(model, IMGSZ)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
