"""What depends on a layer, by which path; what ties groups; and slices, which are the edges in another order."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.models import graph_of
from yolo_prune_check.channels.dependents import dependents_of
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.slices import slices_of
from yolo_prune_check.channels.ties import GroupIndex, ties_of
from yolo_prune_check.errors import UserError

FAMILIES = ("yolov8n.yaml", "yolov9t.yaml", "yolov10n.yaml", "yolo11n.yaml")


class Net(nn.Module):
    """A split of which one piece is added to the other's convolution, joined behind the first layer's own pool."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 1)
        self.inner = nn.Conv2d(4, 4, 1)
        self.last = nn.Conv2d(16, 5, 1)
        self.pool = nn.MaxPool2d(3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        left, right = x.chunk(2, 1)
        out: torch.Tensor = self.last(torch.cat([self.pool(x), left, right + self.inner(right)], 1))
        return out


def test_ranges_and_paths_of_a_small_net() -> None:
    found = dependents_of(ChannelGraph.trace(Net(), imgsz=32), "first")
    ends = {(d.consumer, d.channels.start, d.channels.stop, d.position): d.path for d in found.reached if d.ends}
    assert ends == {
        ("inner", 4, 8, 0): ("first", "chunk[1]", "inner"),
        ("last", 0, 8, 0): ("first", "pool pool", "concat[0]", "last"),
        ("last", 0, 4, 8): ("first", "chunk[0]", "concat[1]", "last"),
        ("last", 4, 8, 12): ("first", "chunk[1]", "add", "concat[2]", "last"),
    }
    (tied,) = [item for item in found.memberships if item.partners]
    assert [str(part) for part in (*tied.channels, *tied.partners)] == ["first[4:8]", "inner[0:4]"]
    assert [str(tie) for tie in tied.ties] == [":add"]


@pytest.mark.parametrize("name", FAMILIES)
def test_every_edge_of_every_layer_has_a_path_from_the_layer_to_its_consumer(name: str) -> None:
    graph = graph_of(name)
    total = 0
    for layer in graph.layers:
        for item in dependents_of(graph, layer).reached:
            total += item.channels.stop - item.channels.start
            assert item.path[0] == layer
            home, _, operator = item.consumer.partition("#")[0].partition(":")
            assert item.path[-1].startswith(home)
            assert item.consumer in graph.layers or operator.replace("cat", "concat") in item.path[-1]
    assert total == sum(edge.producer.stop - edge.producer.start for edge in graph.edges)


def test_queries_and_keys_end_in_the_product_that_values_leave() -> None:
    layer = "model.10.m.0.attn.qkv.conv"
    graph = graph_of("yolo11n.yaml")
    width, products = graph.layers[layer].out_channels, ("model.10.m.0.attn:matmul", "model.10.m.0.attn:matmul#2")
    reached = dependents_of(graph, layer).reached
    ended = {channel for item in reached if item.ends for channel in range(item.channels.start, item.channels.stop)}
    assert ended == set(range(width))
    queries, values = ({item.ends for item in reached if item.consumer == product} for product in products)
    assert (queries, values) == ({True}, {False})
    paths = [item.path for item in reached if item.consumer == products[0]]
    assert {path[1] for path in paths} == {"split[0]", "split[1]"}
    assert {path[-1] for path in paths} == {"model.10.m.0.attn matmul"}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_path_to_a_convolution_enters_its_block_by_the_concat_that_feeds_it(name: str) -> None:
    graph = graph_of(name)
    for item in slices_of(graph):
        if item.consumer not in graph.layers or item.through is None or not item.through.port.startswith("in"):
            continue
        module, port = item.through.operator.partition(":")[0], item.through.port.removeprefix("in")
        for producer in item.producers:
            paths = [
                found.path
                for found in dependents_of(graph, producer.layer).reached
                if found.consumer == item.consumer and found.position <= item.start
            ]
            assert any(path[-2] == f"{module} concat[{port}]" for path in paths)


@pytest.mark.parametrize("name", FAMILIES)
def test_slices_cover_each_operand_of_a_layer_once(name: str) -> None:
    graph = graph_of(name)
    covered: dict[str, list[tuple[int, int]]] = {}
    for item in slices_of(graph):
        covered.setdefault(item.consumer, []).append((item.start, item.stop))
    for layer, ranges in covered.items():
        if layer in graph.layers:
            borders = [0, *(stop for _, stop in sorted(ranges))]
            assert [start for start, _ in sorted(ranges)] == borders[:-1]
            assert borders[-1] == graph.layers[layer].in_channels


@pytest.mark.parametrize("name", FAMILIES)
def test_every_group_of_several_members_is_tied_by_something(name: str) -> None:
    graph = graph_of(name)
    ties = ties_of(graph, GroupIndex.of(graph))
    tied = {number for number, group in enumerate(graph.groups) if len(group.members) > 1}
    assert tied == ties.keys()


def test_a_depthwise_convolution_ties_itself_to_what_it_reads() -> None:
    graph = graph_of("yolo11n.yaml")
    index = GroupIndex.of(graph)
    (number,) = index.of_layer("model.23.cv3.0.0.0.conv")
    (tie,) = ties_of(graph, index)[number]
    assert str(tie) == "model.23.cv3.0.0.0.conv (depthwise)"


def test_an_unknown_layer_is_refused() -> None:
    with pytest.raises(UserError, match="no such Conv2d"):
        dependents_of(graph_of(), "model.99.conv")
