"""What share of a model is prunable, against a count that knows nothing of the graph: gradients of a silenced model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.zoo import build
from tests.models import graph_of, stock
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.groups import Group
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.prunable import (
    Cost,
    cost_of,
    free_channels,
    half_of_every_group,
    removed_entries,
    total,
)


class Unit(nn.Sequential):
    """Convolution, batch norm and SiLU, which makes nothing of nothing."""

    def __init__(self, c1: int, c2: int, k: int = 1, s: int = 1, g: int = 1) -> None:
        super().__init__(nn.Conv2d(c1, c2, k, s, k // 2, groups=g, bias=False), nn.BatchNorm2d(c2), nn.SiLU())


class Small(nn.Module):
    """One of everything that ties or moves channels: a chunk, a residual add, a depthwise and a grouped convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Unit(3, 8, 3, 2)
        self.first = Unit(8, 12)
        self.inner = Unit(6, 6, 3)
        self.depthwise = Unit(6, 6, 3, g=6)
        self.last = nn.Conv2d(18, 5, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = self.first(self.stem(x)).chunk(2, 1)
        c = b + self.inner(b)
        result: torch.Tensor = self.last(torch.cat([a, c, self.depthwise(c)], 1)).flatten(2)
        return result


def small() -> nn.Module:
    torch.manual_seed(0)
    model = Small().eval().double()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.5)
    return model


def silencing(channel: int) -> Any:
    def hook(module: nn.Module, args: object, output: torch.Tensor) -> torch.Tensor:
        mask = torch.ones(output.shape[1], dtype=output.dtype)
        mask[channel] = 0
        return output * mask.view(1, -1, 1, 1)

    return hook


def without_effect(model: nn.Module, group: Group, number: int, emitters: dict[str, str]) -> dict[str, torch.Tensor]:
    """Entries of every parameter that nothing depends on any more once channel ``number`` of a group emits nothing."""
    handles = []
    for member in group.members:

        def silence(
            module: nn.Module, args: object, output: torch.Tensor, c: int = member.start + number
        ) -> torch.Tensor:
            mask = torch.ones(output.shape[1], dtype=output.dtype)
            mask[c] = 0
            return output * mask.view(1, -1, 1, 1)

        handles.append(model.get_submodule(emitters[member.layer]).register_forward_hook(silence))
    try:
        generator = torch.Generator().manual_seed(1)
        images = torch.rand(2, 3, 64, 64, generator=generator, dtype=torch.float64)
        output = model(images)
        weights = torch.rand(output.shape, generator=generator, dtype=torch.float64)
        gradients = torch.autograd.grad((output * weights).sum(), list(model.parameters()), allow_unused=True)
    finally:
        for handle in handles:
            handle.remove()
    names = [name for name, _ in model.named_parameters()]
    return {
        name: torch.ones_like(p, dtype=torch.bool) if g is None else g == 0
        for name, p, g in zip(names, model.parameters(), gradients, strict=True)
    }


def test_prunable_entries_are_those_that_a_silenced_channel_leaves_without_effect() -> None:
    model = small()
    graph = ChannelGraph.trace(model)
    emitters = {name: name.rpartition(".")[0] or name for name in graph.layers}
    brute = {name: torch.zeros_like(p, dtype=torch.bool) for name, p in model.named_parameters()}
    for group in graph.groups:
        for number in range(group.size if group.frozen is None else 0):
            for name, entries in without_effect(model, group, number, emitters).items():
                brute[name] |= entries
    counted = removed_entries(graph, free_channels(graph))
    for name, entries in brute.items():
        found = torch.from_numpy(counted[name]) if name in counted else torch.zeros(entries.shape[:2], dtype=torch.bool)
        whole = found.view(*found.shape, *[1] * (entries.ndim - found.ndim)).expand_as(entries)  # kernels go as one
        assert torch.equal(whole, entries), name
    assert cost_of(graph, free_channels(graph)).params == sum(int(entries.sum()) for entries in brute.values())
    assert 0 < cost_of(graph, free_channels(graph)).params < total(graph).params


def test_what_the_head_decodes_is_not_prunable_but_what_it_reads_is() -> None:
    graph = graph_of()
    free, span = free_channels(graph), graph.provenance.channels.span
    assert not free[span("model.22.cv2.0.2")].any()
    assert free[span("model.22.cv2.0.1.conv")].all()
    assert removed_entries(graph, free)["model.22.cv2.0.2.weight"].all()
    assert not removed_entries(graph, free)["model.22.cv2.0.2.bias"].any()


def test_totals_are_the_models_own() -> None:
    graph = graph_of()
    untouched = predict(graph, Plan([Step("model.0.conv", range(16))], "mask"))
    assert total(graph) == Cost(sum(p.numel() for p in stock().parameters()), untouched.macs)


def test_half_of_every_group_removes_half_of_a_chain_and_three_quarters_of_a_weight_between_two_halved_layers() -> None:
    graph = graph_of()
    half = half_of_every_group(graph)
    assert half[graph.provenance.channels.span("model.0.conv")].sum() == 8
    lost = removed_entries(graph, half)
    assert np.mean(lost["model.0.conv.weight"]) == 0.5
    assert np.mean(lost["model.1.conv.weight"]) == 0.75
    assert np.mean(lost["model.1.bn.weight"]) == 0.5


def test_a_linear_layer_loses_what_reads_a_channel() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))
    graph = ChannelGraph.trace(model.eval())
    gone = half_of_every_group(graph)
    assert cost_of(graph, gone).params == 2 * 3 + 2 + 2 * 10


@pytest.mark.parametrize("name", ["yolov8n.yaml", "yolo12n.yaml", "resnet18", "resnext50_32x4d"])
def test_what_half_of_every_group_costs_is_what_a_group_plan_is_predicted_to_save(name: str) -> None:
    graph = ChannelGraph.trace(build(name))
    gone, span = half_of_every_group(graph), graph.provenance.channels.span
    steps = [Step(layer, np.flatnonzero(~gone[span(layer)])) for layer in graph.layers]
    predicted = predict(graph, Plan(steps, "group"))
    lost = cost_of(graph, gone)
    assert predicted.failure is None
    assert predicted.params == total(graph).params - lost.params
    assert predicted.macs == total(graph).macs - lost.macs
