"""Equal numbers in words, beyond the halves and heads of YOLO: groups of a convolution, shuffled channels, concats."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.models import graph_of
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.cli.equal import Block, Equal, companions, equals_of
from yolo_prune_check.cli.equal_words import blocks_in_words, operators_in_words, units_in_words


class Grouped(nn.Module):
    """A convolution in groups, of which one may go as a whole."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 1)
        self.grouped = nn.Conv2d(16, 32, 3, padding=1, groups=4)
        self.last = nn.Conv2d(32, 5, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.last(self.grouped(self.first(x)))
        return made


class Shuffled(nn.Module):
    """Channels of two layers in turns, then cut in halves, as in ShuffleNet."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Conv2d(3, 8, 1), nn.Conv2d(3, 8, 1)
        self.left, self.right = nn.Conv2d(8, 4, 1), nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        both = torch.cat([self.one(x), self.other(x)], 1)
        n, c, h, w = both.shape
        mixed = both.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)
        left, right = mixed.chunk(2, 1)
        return torch.cat([self.left(left), self.right(right)], 1)


def words(item: Equal) -> str:
    return f"{blocks_in_words(item.blocks)} ({operators_in_words(item)})"


def test_groups_of_a_convolution_are_equal_or_go_as_a_whole() -> None:
    graph = ChannelGraph.trace(Grouped(), imgsz=8)
    read, made = equals_of(graph)
    assert words(read) == "first[0:4] = [4:8] = … = [12:16] (convolution in grouped)"
    assert words(made) == "grouped[0:8] = [8:16] = … = [24:32] (convolution in grouped)"
    assert units_in_words(made, (read, made)) == "a conv group"
    assert companions(made, (read, made)) == []
    whole = Plan([Step("first", range(4, 16)), Step("grouped", range(8, 32))], "group")
    assert predict(graph, whole).verdict == "safe"
    assert not predict(graph, whole).returned


@pytest.mark.parametrize("name", ["yolov10n.yaml", "yolo11n.yaml", "yolo12n.yaml", "yolo26n.yaml"])
def test_a_head_goes_with_what_is_named_beside_it_and_nothing_is_given_back(name: str) -> None:
    graph = graph_of(name)
    equals = equals_of(graph)
    heads = [item for item in equals if item.units]
    assert heads
    for item in heads:
        gone = set(channels_of(item.units[0]))
        for count, block in companions(item, equals):
            gone |= set(channels_of(block)[:count])
        layers = dict.fromkeys(layer for layer, _ in gone)
        widths = {layer: range(graph.layers[layer].out_channels) for layer in layers}
        steps = [Step(layer, [c for c in widths[layer] if (layer, c) not in gone]) for layer in sorted(layers)]
        prediction = predict(graph, Plan(steps, "group"))
        assert (prediction.verdict, prediction.returned) == ("safe", ()), words(item)


def channels_of(block: Block) -> list[tuple[str, int]]:
    return [(part.layer, channel) for part in block.ranges for channel in range(part.start, part.stop)]


def test_shuffled_channels_are_counted_not_listed_in_order() -> None:
    found = equals_of(ChannelGraph.trace(Shuffled(), imgsz=8))
    assert "one[0:4], other[0:4] = one[4:8], other[4:8] (chunk in model)" in list(map(words, found))
