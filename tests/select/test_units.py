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
from yolo_prune_check.select.units import Unit, settled, union, units_of

MODELS = ("yolov8n.yaml", "yolo11n.yaml", "yolo12n.yaml", "yolov8n-cls.yaml")
RATIOS = (0.25, 0.5, 0.75)
AREA_ATTENTION = re.compile(r"model\.[68]\.m\.[01]\.[01]\.attn\.qkv\.conv")


def shapes_of(unit: Unit) -> list[tuple[int, ...]]:
    """[parts, groups] of every cell."""
    return [cell.rows.shape for cell in unit.cells]


@pytest.mark.parametrize("name", MODELS)
def test_every_group_that_can_go_is_in_one_cell_of_one_unit(name: str) -> None:
    graph = graph_of(name)
    units = units_of(graph)
    groups = np.concatenate([cell.rows.ravel() for unit in units for cell in unit.cells])
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
        assert len(groups) == sum(len(cell.rows) // 2 * cell.rows.shape[1] for cell in unit.cells)
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
    units = {unit.name: unit for unit in units_of(graph) if unit.whole_parts}
    assert len(units) == 8
    assert all(map(AREA_ATTENTION.fullmatch, units))
    for name, unit in units.items():
        assert (unit.whole_parts, unit.size) == ((2, 128) if name.startswith("model.6") else (4, 256))
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
    assert shapes_of(unit) == shapes
    assert unit.size == 32
    worth = np.random.default_rng(1).random(graph.partition.count)
    for ratio in RATIOS:
        plan = plan_without(graph, unit.least(worth, ratio), worth, round_to=None)
        assert find_removal(graph, plan).returned == ()
        assert predict(graph, settled(graph, plan)).verdict == "safe"


class OneStays(nn.Module):
    """Each of two conv groups reads a channel that always stays."""

    def __init__(self, *, of_the_image: bool) -> None:
        super().__init__()
        self.a, self.h, self.b = nn.Conv2d(3, 30, 1), nn.Conv2d(32, 32, 3, groups=2), nn.Conv2d(32, 4, 1)
        self.of_the_image = of_the_image

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        k = x[:, :1] if self.of_the_image else torch.ones(1, 1, *x.shape[2:])
        p, q = self.a(x).chunk(2, 1)
        return self.b(self.h(torch.cat([k, p, k, q], 1)))


class GroupStays(nn.Module):
    """One of two conv groups reads nothing but constants, so that the other keeps all that it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.h, self.b = nn.Conv2d(3, 16, 1), nn.Conv2d(32, 32, 3, groups=2), nn.Conv2d(32, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.h(torch.cat([torch.ones(1, 16, *x.shape[2:]), self.a(x)], 1)))


class Filled(nn.Module):
    """Four heads, filled by several layers, of which the caller may be given the first: it stays."""

    def __init__(self, *widths: int, first_is_output: bool = False) -> None:
        super().__init__()
        self.fill = nn.ModuleList(nn.Conv2d(3, width, 1) for width in widths)
        self.h, self.b, self.first_is_output = Heads(4, own_width=True), nn.Conv2d(32, 4, 1), first_is_output

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        parts = [layer(x) for layer in self.fill]
        made = self.b(self.h(torch.cat(parts, 1)))
        return (made, parts[0]) if self.first_is_output else made


class Grouped(nn.Module):
    """Each of four heads holds what two conv groups make."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.g = nn.Conv2d(3, 32, 1), nn.Conv2d(32, 32, 3, groups=8)
        self.h, self.b = Heads(4, own_width=True), nn.Conv2d(32, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.h(self.g(self.a(x))))


@pytest.mark.parametrize(
    ("model", "shapes", "gone"),
    [
        (OneStays(of_the_image=True), [(15, 1), (15, 1), (16, 1), (16, 1)], (16, 32, 46)),
        (OneStays(of_the_image=False), [(15, 1), (15, 1), (16, 1), (16, 1)], (16, 32, 46)),
        (GroupStays(), [(16, 1), (16, 1)], (8, 16, 24)),
        (Filled(8, 24, first_is_output=True), [(3, 8)], (8, 16, 16)),
        (Filled(4, 28, first_is_output=True), [(3, 8)], (8, 16, 16)),  # half of a head that stays can go, but must not
        (Filled(12, 20, first_is_output=True), [(2, 8)], (8, 8, 8)),
        (Filled(4, 28), [(4, 8)], (8, 16, 24)),
        (Filled(20, 12), [(4, 8)], (8, 16, 16)),  # each layer keeps a head
        (Filled(8, 8, 16), [(4, 8)], (8, 8, 8)),
        (Grouped(), [(4, 1)] * 8, (8, 16, 24)),  # what conv groups read can go one by one: heads would take it along
    ],
)
def test_what_is_chosen_of_heads_and_conv_groups_goes(
    model: nn.Module, shapes: list[tuple[int, int]], gone: tuple[int, ...]
) -> None:
    graph = ChannelGraph.trace(model.eval(), imgsz=16)
    (unit,) = units_of(graph)
    assert shapes_of(unit) == shapes
    worth = np.random.default_rng(1).random(graph.partition.count)
    for ratio, count in zip(RATIOS, gone, strict=True):
        groups = unit.least(worth, ratio)
        plan = plan_without(graph, groups, worth, round_to=None)
        removal = find_removal(graph, plan)
        assert (len(groups), removal.returned, removal.hazards) == (count, (), ())
        assert unit.whole_parts_in(groups) == sum(count // wide for _, wide in shapes if wide > 1)
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
    assert shapes_of(units["model.2.cv1.conv"]) == [(16, 1), (16, 1)]
    assert units["model.2.cv1.conv"].layers == ("model.2.cv1.conv", "model.2.m.0.cv2.conv")
    assert settled(graph_of("yolov8n.yaml"), Plan((), "group")).steps == ()
