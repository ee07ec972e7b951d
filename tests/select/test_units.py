"""Units: every group that can go is in one, each can be pruned alone, and a larger share takes more of the same."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import nn

from tests.models import graph_of
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.removal import find_removal
from yolo_prune_check.select.everywhere import plan_without
from yolo_prune_check.select.units import settled, union, units_of

MODELS = ("yolov8n.yaml", "yolo11n.yaml", "yolo12n.yaml", "yolov8n-cls.yaml")
RATIOS = (0.25, 0.5, 0.75)
AREA_ATTENTION = re.compile(r"model\.[68]\.m\.[01]\.[01]\.attn\.qkv\.conv")


@pytest.mark.parametrize("name", MODELS)
def test_every_group_that_can_go_is_in_one_cell_of_one_unit(name: str) -> None:
    graph = graph_of(name)
    units = units_of(graph)
    groups = np.concatenate([cell.ravel() for unit in units for cell in unit.cells])
    assert len(groups) == len(np.unique(groups))
    assert set(groups.tolist()) == set(range(graph.partition.count)) - set(graph.partition.frozen)
    assert len({unit.name for unit in units}) == len(units)
    assert sum(unit.size for unit in units) == len(groups)


@pytest.mark.parametrize("name", MODELS)
def test_each_can_be_pruned_alone_and_all_together(name: str) -> None:
    graph = graph_of(name)
    worth = np.random.default_rng(3).random(graph.partition.count)
    gone = []
    for unit in units_of(graph):
        groups = unit.least(worth, 0.5)
        gone.append(groups)
        removal = find_removal(graph, plan_without(graph, groups, worth, round_to=None))
        assert (removal.returned, removal.hazards) == ((), ()), unit.name
        assert set(removal.kept) <= set(unit.layers)
        assert len(groups) == sum(len(cell) // 2 * cell.shape[1] for cell in unit.cells)
    plan = settled(graph, plan_without(graph, union(gone), worth, round_to=None))
    assert predict(graph, plan).verdict == "safe"
    assert settled(graph, plan) == plan  # nothing is added to it or given back any more


@pytest.mark.parametrize("name", MODELS)
def test_of_each_something_goes_and_it_is_predicted_safe(name: str) -> None:
    graph = graph_of(name)
    worth = np.random.default_rng(7).random(graph.partition.count)
    for unit in units_of(graph):
        for ratio in RATIOS:
            plan = settled(graph, plan_without(graph, unit.least(worth, ratio), worth, round_to=None))
            assert plan.steps or unit.size == 1, unit.name  # of one channel no share can go
            assert graph.verdicts.of(plan)[0] == "safe", (unit.name, ratio)


def test_area_attention_is_pruned_by_whole_heads_the_least_important_first() -> None:
    graph = graph_of("yolo12n.yaml")
    units = {unit.name: unit for unit in units_of(graph) if unit.wholes}
    assert len(units) == 8
    assert all(map(AREA_ATTENTION.fullmatch, units))
    for name, unit in units.items():
        assert (unit.wholes, unit.size) == ((2, 128) if name.startswith("model.6") else (4, 256))
    unit = units["model.8.m.0.0.attn.qkv.conv"]
    worth = np.random.default_rng(7).random(graph.partition.count)
    head_of = np.arange(384) // 96  # a head's queries, keys and values stand in one row of `qkv`
    groups = graph.partition.label[graph.provenance.channels.of(unit.name)]
    heads = np.argsort([worth[np.unique(groups[head_of == head])].sum() for head in range(4)])
    for ratio, count in ((0.1, 0), (0.25, 1), (0.5, 2), (0.75, 3)):
        plan = settled(graph, plan_without(graph, unit.least(worth, ratio), worth, round_to=None))
        kept = {step.layer: step.keep for step in plan.steps}
        gone = {*range(384)} - {*kept.get(unit.name, range(384))}
        assert gone == {*np.flatnonzero(np.isin(head_of, heads[:count])).tolist()}
        removal = find_removal(graph, plan)
        assert (removal.returned, removal.added) == ((), ())
        if count:
            assert removal.numbers["model.8.m.0.0.attn", "num_heads", None] == 4 - count


class Heads(nn.Module):
    """Cuts 32 channels into heads, of a width of their own or as wide as they come, and joins them again."""

    def __init__(self, heads: int, *, own_width: bool) -> None:
        super().__init__()
        self.heads, self.width = heads, f"{32 // heads if own_width else -1}"  # text: nothing that pruning changes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        count, _, high, wide = x.shape
        rows = x.flatten(2).transpose(1, 2).view(count, high * wide, self.heads, int(self.width))
        return rows.relu().flatten(2).transpose(1, 2).reshape(count, -1, high, wide)


@pytest.mark.parametrize(
    ("heads", "shapes"),
    [
        ((Heads(4, own_width=True),), [(4, 8)]),
        ((Heads(4, own_width=False),), [(8, 1)] * 4),
        ((Heads(4, own_width=False), Heads(4, own_width=True)), [(4, 8)]),
        ((Heads(2, own_width=False), Heads(4, own_width=True)), [(2, 8)] * 2),  # equally many of both halves
        ((Heads(2, own_width=True), Heads(4, own_width=True)), [(2, 16)]),
    ],
)
def test_heads_go_as_a_whole_where_they_have_a_width_of_their_own(
    heads: tuple[Heads, ...], shapes: list[tuple[int, int]]
) -> None:
    model = nn.Sequential(nn.Conv2d(3, 32, 3), *heads, nn.Conv2d(32, 4, 1)).eval()
    graph = ChannelGraph.trace(model, imgsz=16)
    (unit,) = units_of(graph)
    assert [cell.shape for cell in unit.cells] == shapes
    assert unit.size == 32
    worth = np.random.default_rng(1).random(graph.partition.count)
    for ratio in RATIOS:
        plan = plan_without(graph, unit.least(worth, ratio), worth, round_to=None)
        assert find_removal(graph, plan).returned == ()
        assert predict(graph, settled(graph, plan)).verdict == "safe"


@pytest.mark.parametrize("name", ["yolov8n.yaml", "yolo12n.yaml"])
def test_a_larger_share_takes_the_same_and_more(name: str) -> None:
    graph = graph_of(name)
    worth = np.random.default_rng(5).random(graph.partition.count)
    for unit in units_of(graph):
        before: set[int] = set()
        for ratio in (0.01, 0.1, 0.29, 0.5, 0.75, 0.99):
            now = set(unit.least(worth, ratio).tolist())
            assert before <= now
            before = now
        assert len(before) < unit.size  # never all


def test_halves_of_a_split_are_one_unit_of_two_cells() -> None:
    units = {unit.name: unit for unit in units_of(graph_of("yolov8n.yaml"))}
    assert [len(cell) for cell in units["model.2.cv1.conv"].cells] == [16, 16]
    assert units["model.2.cv1.conv"].layers == ("model.2.cv1.conv", "model.2.m.0.cv2.conv")
    assert settled(graph_of("yolov8n.yaml"), Plan((), "group")).steps == ()
