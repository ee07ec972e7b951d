"""Equal numbers in words, beyond the halves and heads of YOLO: groups of a convolution, shuffled channels, concats."""

from __future__ import annotations

from functools import lru_cache

import pytest
import torch
from torch import nn

from benchmarks.zoo import build
from tests.models import graph_of
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.cli.equal import Block, Equal, companions, equals_of, linked
from yolo_prune_check.cli.equal_words import blocks_in_words, operators_in_words, units_in_words
from yolo_prune_check.cli.inspect.equal_example import Example, example_of
from yolo_prune_check.cli.inspect.equal_table import equal_part, equal_part_of, equals_on


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


class Pieces(nn.Module):
    """Channels cut into equal pieces that are read one by one; the last may end with the image, which always stays."""

    def __init__(self, width: int, pieces: int, *, image: bool = False) -> None:
        super().__init__()
        self.pieces = pieces
        self.first = nn.Conv2d(3, width - 3 * image, 1)
        self.image = image
        self.last = nn.ModuleList(nn.Conv2d(width // pieces, 5, 1) for _ in range(pieces))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = self.first(x)
        if self.image:
            made = torch.cat([made, x], 1)
        found = [last(piece) for last, piece in zip(self.last, made.chunk(self.pieces, 1), strict=True)]
        return torch.cat(found, 1)


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


def carried_out(graph: ChannelGraph, example: Example, *, last: bool) -> Plan:
    """What an example says: as many of each block, the first or the last ones."""
    gone: set[tuple[str, int]] = set()
    for block in example.blocks:
        channels = channels_of(block)
        gone |= set(channels[-example.count :] if last else channels[: example.count])
    layers = sorted({layer for layer, _ in gone})
    widths = {layer: range(graph.layers[layer].out_channels) for layer in layers}
    return Plan([Step(layer, [c for c in widths[layer] if (layer, c) not in gone]) for layer in layers], "group")


def holds(graph: ChannelGraph, example: Example) -> bool:
    for last in (False, True):
        prediction = predict(graph, carried_out(graph, example, last=last))
        if (prediction.verdict, prediction.returned) != ("safe", ()):
            return False
    return True


@lru_cache
def known_graph(name: str) -> ChannelGraph:
    return graph_of(name) if name.endswith(".yaml") else ChannelGraph.trace(build(name), imgsz=64)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("yolov8n.yaml", True),
        ("yolov10n.yaml", True),
        ("yolo11n.yaml", True),
        ("yolo12n.yaml", True),
        ("yolo26n.yaml", True),
        ("shufflenet_v2_x1_0", False),
    ],
)
def test_whoever_does_what_an_example_says_gets_it(name: str, given: bool) -> None:
    graph = known_graph(name)
    equals = equals_of(graph)
    whole = example_of(graph, equals, equals)
    assert (whole is not None) is given
    told = 0
    for item in equals:  # also that of each row that may become one, in the table of some layer
        example = example_of(graph, [item], equals)
        if example is not None:
            told += 1
            assert holds(graph, example), str(example)
    assert (told > 0) is (whole is not None)


def test_rows_that_others_contradict_are_no_example() -> None:
    graph = graph_of("yolo11n.yaml")
    text = " ".join(equal_part_of(graph, "model.10.cv1.conv", equals_of(graph)).split())
    assert "Example" not in text
    assert "All rows must hold together" in text
    alone = " ".join(equal_part_of(graph, "model.2.cv1.conv", equals_of(graph)).split())
    assert "whoever removes 3 channels of model.2.cv1.conv[0:16] has to remove 3 of model.2.cv1.conv[16:32]" in alone
    assert "All rows must hold together" not in alone


@pytest.mark.parametrize(
    ("width", "pieces", "told"),
    [
        (12, 3, "removes 3 channels of first[0:4] has to remove 3 of first[4:8] and 3 of [8:12], any 3;"),
        (9, 3, "removes 2 channels of first[0:3] has to remove 2 of first[3:6] and 2 of [6:9], any 2;"),
        (4, 2, "removes 1 channel of first[0:2] has to remove 1 of first[2:4], any 1;"),
        (2, 2, None),
    ],
)
def test_an_example_names_all_blocks_and_leaves_some_of_each(width: int, pieces: int, told: str | None) -> None:
    graph = ChannelGraph.trace(Pieces(width, pieces), imgsz=8)
    equals = equals_of(graph)
    example = example_of(graph, equals, equals)
    text = " ".join(equal_part(graph, equals).split())
    assert len(equals) == 1
    assert ("Example" in text) is (told is not None)
    if told is not None:
        assert told in text
        assert example is not None
        assert holds(graph, example)


def test_a_block_of_which_some_always_stay_is_no_example() -> None:
    graph = ChannelGraph.trace(Pieces(16, 2, image=True), imgsz=8)
    (item,) = equals_of(graph)
    assert words(item) == "first[0:8] = first[8:13], 3 that always stay (chunk in model)"
    assert example_of(graph, [item], [item]) is None


@pytest.mark.parametrize("name", ["yolov10n.yaml", "yolo11n.yaml", "yolo26n.yaml"])
def test_a_layer_is_shown_the_heads_that_restrict_it_through_its_partners(name: str) -> None:
    graph = graph_of(name)
    equals = equals_of(graph)
    found = equals_on(graph, "model.10.cv1.conv", equals)
    assert [item.unit for item, _ in found] == ["", "head", "head", ""]
    assert [len(channels) for _, channels in found] == [1, 0, 0, 1]
    text = " ".join(equal_part_of(graph, "model.10.cv1.conv", equals).split())
    assert "or as a whole" in text
    assert "where it says none" in text
    attention = found[1][0].blocks[0].ranges[0].layer
    assert [item for item, _ in equals_on(graph, attention, equals)] == [item for item, _ in found]
    rest = frozenset().union(*(item.reach for item in equals if item not in linked(found[0][0].groups, equals)))
    assert rest.isdisjoint(frozenset().union(*(item.reach for item, _ in found)))
