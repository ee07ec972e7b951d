"""A trained small model, put back to full width."""

from __future__ import annotations

import random

import pytest
import torch
from torch import nn

from tests.channels.architectures import double_of, graph_of_double
from tests.prune.test_group import safe_plan
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.confirm.meant import difference
from yolo_prune_check.confirm.proof import prove
from yolo_prune_check.prune.apply import carry_out, cuts_of, meant_by
from yolo_prune_check.prune.widened import trained_masked, trained_reference


@torch.no_grad()
def trained(model: nn.Module) -> None:
    """Every number changed, as an epoch would, and statistics with them."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and "dfl" not in name:
            tensor.mul_(1 + 0.1 * torch.rand(tensor.shape, generator=generator, dtype=tensor.dtype))


@pytest.mark.parametrize("name", ["yolov8n.yaml", "yolo11n.yaml", "resnext50_32x4d"])
def test_a_trained_model_equals_itself_at_full_width(name: str) -> None:
    model, graph = double_of(name), graph_of_double(name)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    plan, _ = safe_plan(graph, random.Random(name))
    small = carry_out(model, plan, graph)
    trained(small)
    found = difference(trained_reference(model, cuts_of(model, plan, graph), small), small, 64)
    assert found.first is None
    assert found.relative is not None
    assert found.relative < 1e-12
    untrained = difference(meant_by(model, plan, graph), small, 64)
    assert untrained.relative is not None
    assert untrained.relative > 1e-3
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())


@pytest.mark.parametrize("name", ["yolov8n.yaml", "yolov9t.yaml", "mobilenet_v3_small"])
def test_a_trained_model_with_adapters_equals_the_masked_one_with_its_numbers(name: str) -> None:
    model, graph = double_of(name), graph_of_double(name)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    plan = Plan(safe_plan(graph, random.Random(name))[0].steps, "adapter")
    assert predict(graph, plan).verdict == "safe"
    small = carry_out(model, plan, graph)
    trained(small)
    rows = prove(trained_masked(model, plan, graph, small), small, (64,))
    assert all(row.passed for row in rows if row.passed is not None), rows
    assert sum(row.passed is None for row in rows) <= 1  # fuse() of a block with branches
    assert max(row.error or 0 for row in rows) < 1e-9
    assert difference(meant_by(model, plan, graph), small, 64).relative > 1e-3  # type: ignore[operator]  # it runs
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())
