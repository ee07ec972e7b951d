"""Which channels a value holds, and what operators ask of them, on models small enough to see the answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from tests.channels.architectures import graph_of_double
from yolo_prune_check.channels.graph import ChannelGraph

Forward = Callable[["Two", torch.Tensor], torch.Tensor]


class Two(nn.Module):
    """Two convolutions of 8 channels each, and what a test does with them before a last one reads the result."""

    def __init__(self, forward: Forward, width: int) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 1), nn.Conv2d(3, 8, 1)
        self.last = nn.Conv2d(width, 4, 1)
        self.half = 4
        self.between = forward

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.between(self, x))


def traced(forward: Forward, width: int = 8) -> ChannelGraph:
    return ChannelGraph.trace(Two(forward, width), imgsz=8)


def ties(graph: ChannelGraph) -> set[tuple[str, ...]]:
    return {tuple(map(str, group.members)) for group in graph.groups}


def reading_last(graph: ChannelGraph) -> list[tuple[int, str]]:
    return [(edge.position, str(edge.producer)) for edge in graph.edges if edge.consumer == "last"]


def frozen(graph: ChannelGraph) -> dict[str, str]:
    return {str(part): group.frozen for group in graph.groups if group.frozen for part in group.members}


def test_an_add_ties_and_names_both_sources() -> None:
    graph = traced(lambda m, x: m.a(x) + m.b(x))
    assert ("a[0:8]", "b[0:8]") in ties(graph)
    assert reading_last(graph) == [(0, "a[0:8]"), (0, "b[0:8]")]


def test_a_concat_ties_nothing() -> None:
    graph = traced(lambda m, x: torch.cat([m.b(x), m.a(x)], 1), width=16)
    assert {("a[0:8]",), ("b[0:8]",)} <= ties(graph)
    assert reading_last(graph) == [(0, "b[0:8]"), (8, "a[0:8]")]


def test_a_gate_ties_channel_by_channel() -> None:
    graph = traced(lambda m, x: m.a(x) * m.b(x).mean((2, 3), keepdim=True).sigmoid())
    assert ("a[0:8]", "b[0:8]") in ties(graph)


def test_a_map_of_one_channel_ties_nothing() -> None:
    graph = traced(lambda m, x: m.a(x) * m.b(x).sum(1, keepdim=True).sigmoid())
    assert ("a[0:8]",) in ties(graph)
    assert frozen(graph)["b[0:8]"] == "flows into sum in model"


def test_what_meets_a_fixed_size_is_frozen() -> None:
    graph = traced(lambda m, x: m.a(x) + x.mean((1, 2, 3), keepdim=True).expand(1, 8, 1, 1))
    assert frozen(graph)["a[0:8]"] == "flows into add in model"


def test_a_shuffle_ties_the_halves_and_moves_the_channels() -> None:
    def shuffle(model: Two, x: torch.Tensor) -> torch.Tensor:
        y = model.a(x)
        n, c, h, w = y.shape
        return y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)

    graph = traced(shuffle)
    assert ("a[0:4]", "a[4:8]") in ties(graph)
    assert [name for _, name in reading_last(graph)][:3] == ["a[0:1]", "a[4:5]", "a[1:2]"]


def test_a_chunk_balances_its_pieces() -> None:
    graph = traced(lambda m, x: torch.cat([y.relu() for y in m.a(x).chunk(2, 1)], 1))
    assert [balance.blocks.tolist() for balance in graph.provenance.balances] == [[[0, 1, 2, 3], [4, 5, 6, 7]]]


def test_a_split_into_numbers_of_the_code_is_frozen() -> None:
    graph = traced(lambda m, x: torch.cat([y.relu() for y in m.a(x).split([4, 4], 1)], 1))
    assert frozen(graph)["a[0:8]"] == "flows into split_with_sizes in model"


class Block(nn.Module):
    """A split into sizes that an attribute holds, which a pruning can set; not so if it is also computed with."""

    def __init__(self, *, scaled: bool) -> None:
        super().__init__()
        self.a, self.scaled, self.half = nn.Conv2d(3, 8, 1), scaled, 4

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left, right = self.a(x).split([self.half, self.half], 1)
        return torch.cat([left.relu(), right * self.half**-0.5 if self.scaled else right], 1)


@pytest.mark.parametrize("scaled", [False, True])
def test_a_split_into_an_attributes_sizes(*, scaled: bool) -> None:
    block = Block(scaled=scaled)
    graph = ChannelGraph.trace(nn.Sequential(block, nn.Conv2d(8, 4, 1)), imgsz=8)
    assert type(block.half) is int, "the model is left as it was"
    if scaled:
        assert frozen(graph)["0.a[0:8]"] == "flows into split_with_sizes in 0"
    else:
        assert [balance.blocks.tolist() for balance in graph.provenance.balances] == [[[0, 1, 2, 3], [4, 5, 6, 7]]]
        assert list(graph.provenance.widths) == [("0", "half", None)]


def test_a_product_ties_what_is_summed() -> None:
    def attention(model: Two, x: torch.Tensor) -> torch.Tensor:
        q, k = model.a(x).flatten(2), model.b(x).flatten(2)
        return (k @ (q.transpose(1, 2) @ k).softmax(-1)).view_as(x[:, :1].expand(1, 8, 8, 8))

    graph = traced(attention)
    assert any({"a[0:8]", "b[0:8]"} <= set(members) for members in ties(graph))
    assert {edge.kind for edge in graph.edges if edge.consumer.endswith(":matmul")} == {"attention"}


def test_attention_of_yolo11_is_understood() -> None:
    """Keys go in all heads and with their queries; values with the position encoding and what is projected."""
    graph = graph_of_double("yolo11n.yaml")
    names = {name for _, name, _ in graph.provenance.widths}
    assert names == {"c", "key_dim", "head_dim", "num_heads"}
    members = [set(map(str, group.members)) for group in graph.groups]
    qkv = "model.10.m.0.attn.qkv.conv"
    assert {f"{qkv}[0:32]", f"{qkv}[32:64]"} in members
    assert {f"{qkv}[64:128]", "model.10.m.0.attn.pe.conv[0:64]"} in members
    assert set(graph.head_layers) == {
        member.layer for group in graph.groups if group.frozen for member in group.members
    }


@pytest.mark.parametrize(
    ("name", "count"), [("yolov10n.yaml", 13), ("yolo26n.yaml", 12), ("yolov3-tiny.yaml", 5), ("resnet18", 0)]
)
def test_head_layers(name: str, count: int) -> None:
    assert len(graph_of_double(name).head_layers) == count


def test_a_last_convolution_is_the_head() -> None:
    graph = ChannelGraph.trace(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 5, 1)), imgsz=8)
    assert graph.head_layers == {"2": "the model's output"}


def test_an_operator_without_a_rule_freezes_what_flows_in() -> None:
    graph = traced(lambda m, x: torch.cumsum(m.a(x), 1))
    assert frozen(graph)["a[0:8]"] == "flows into cumsum in model"
