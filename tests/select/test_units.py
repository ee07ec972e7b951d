"""Units: every group that can go is in one, each can be pruned alone, and a larger share takes more of the same."""

from __future__ import annotations

import numpy as np
import pytest

from tests.models import graph_of
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.removal import find_removal
from yolo_prune_check.select.everywhere import plan_without
from yolo_prune_check.select.units import settled, union, units_of

MODELS = ("yolov8n.yaml", "yolo11n.yaml", "yolov8n-cls.yaml")


@pytest.mark.parametrize("name", MODELS)
def test_every_group_that_can_go_is_in_one_cell_of_one_unit(name: str) -> None:
    graph = graph_of(name)
    units = units_of(graph)
    groups = np.concatenate([cell for unit in units for cell in unit.cells])
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
        assert len(groups) == sum(len(cell) // 2 for cell in unit.cells)
    plan = settled(graph, plan_without(graph, union(gone), worth, round_to=None))
    assert predict(graph, plan).verdict == "safe"
    assert settled(graph, plan) == plan  # nothing is added to it or given back any more


def test_a_larger_share_takes_the_same_and_more() -> None:
    graph = graph_of("yolov8n.yaml")
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
