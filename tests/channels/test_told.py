"""What a prediction says of nets whose operators are rare: nothing is said that is not known."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.models import graph_of, stock
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.judge import judge
from yolo_prune_check.channels.plan import Execution, Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.prediction import Prediction
from yolo_prune_check.channels.rules import BROADCASTING, RULES
from yolo_prune_check.channels.tensors import Breaks, Tensor, Unknown
from yolo_prune_check.confirm import Confirmation, confirm
from yolo_prune_check.confirm.compare import compare
from yolo_prune_check.confirm.junctions import SeenPort

Way = Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor]


class Net(nn.Module):
    """Two convolutions of one image, anything that joins them, and a third that reads the result."""

    def __init__(self, way: Way, width: int = 16) -> None:
        super().__init__()
        self.way = way
        self.a, self.b, self.h = nn.Conv2d(3, 16, 3, 4, 1), nn.Conv2d(3, 16, 3, 4, 1), nn.Conv2d(width, 8, 1)
        self.branches = nn.ModuleList(nn.Conv2d(4, 4, 1) for _ in range(4))
        self.linear = nn.Linear(16, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.h(self.way(self, self.a(x), self.b(x)))
        return result


def told(way: Way, kept: int, execution: Execution = "local", width: int = 16) -> tuple[Prediction, Confirmation]:
    torch.manual_seed(0)
    model = Net(way, width).eval()
    plan = Plan([Step("a", range(kept))], execution)
    prediction = predict(ChannelGraph.trace(model, 64), plan)
    return prediction, confirm(model, plan, prediction)


BROADCASTS: dict[str, Way] = {
    "maximum": lambda net, a, b: torch.maximum(a, b),
    "minimum": lambda net, a, b: torch.minimum(a, b),
    "max": lambda net, a, b: torch.max(a, b),
    "pow": lambda net, a, b: (b.abs() + 1) ** a,
    "rsub": lambda net, a, b: torch.rsub(a, b),
    "gt": lambda net, a, b: (b > a) * b,
    "where": lambda net, a, b: torch.where(b > 0, a, b),
    "masked_fill": lambda net, a, b: b.masked_fill(a > 0, 0.0),
    "expand": lambda net, a, b: a.expand_as(b) * 2,
    "add": lambda net, a, b: a + b,
    "tokens": lambda net, a, b: (a.flatten(2).transpose(1, 2) + b.flatten(2).transpose(1, 2)).mT.unflatten(2, (16, 16)),
}


@pytest.mark.parametrize("name", BROADCASTS)
def test_a_silent_broadcast_is_told_whatever_operator_makes_it(name: str) -> None:
    prediction, confirmation = told(BROADCASTS[name], 1)
    assert prediction.verdict == "unsafe"
    found = {(hazard.layer, hazard.message.split(" by ")[0]) for hazard in prediction.hazards if "broad" in hazard.code}
    assert found == {("(model)", "1 channel is broadcast over 16")}
    assert confirmation.differences == ()


def _result(rule: Callable[..., Any], *shapes: tuple[int, ...]) -> tuple[int, ...] | None:
    try:
        found = rule(*map(Tensor, shapes))
    except (Breaks, Unknown, TypeError, ValueError, IndexError, AttributeError, KeyError):
        return None
    return found.shape if isinstance(found, Tensor) else None


@pytest.mark.parametrize("target", RULES)
def test_every_rule_that_spreads_an_axis_is_known_to(target: str) -> None:
    spreads = [
        shapes
        for count in (2, 3)
        for shapes in itertools.product([(1, 4), (1, 1)], repeat=count)
        if {(1, 1), (1, 4)} == set(shapes) and _result(RULES[target], *shapes) == (1, 4)
    ]
    spreads = [shapes for shapes in spreads if _result(RULES[target], *[(1, 4)] * len(shapes)) == (1, 4)]
    fits_all = all(_result(RULES[target], *shapes) is None for shapes in [((1, 4), (1, 3)), ((1, 4),) * 2 + ((1, 3),)])
    assert not (spreads and fits_all) or target in BROADCASTING


def test_hazards_are_told_once() -> None:
    prediction, _ = told(lambda net, a, b: torch.cat([a[:, i : i + 2] for i in range(0, 16, 2)], 1), 8)
    words = "slice runs without the removed channels, but what it makes of the others depends on them"
    assert [hazard.message for hazard in prediction.hazards if hazard.severity == "error"] == [words]


def res2(net: Any, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    pieces = torch.split(a, 4, 1)
    return torch.cat([branch(pieces[number]) for number, branch in enumerate(net.branches)], 1)


FEWER_PIECES: dict[str, tuple[Way, int, int]] = {
    "indexed": (res2, 8, 16),
    "chunk and cat": (lambda net, a, b: torch.cat(a.chunk(4, 1), 1), 6, 16),
    "split and cat": (lambda net, a, b: torch.cat(torch.split(a, 4, 1), 1), 8, 16),
    "chunk and sum": (lambda net, a, b: sum(a.chunk(4, 1), torch.zeros(1)), 6, 4),
    "unbind and stack": (lambda net, a, b: torch.stack(a.unbind(1), 1), 6, 16),
    "unsafe": (lambda net, a, b: torch.cat(torch.unsafe_split(a, 4, 1), 1), 8, 16),
}


@pytest.mark.parametrize("name", FEWER_PIECES)
def test_what_code_does_with_fewer_pieces_is_not_known(name: str) -> None:
    way, kept, width = FEWER_PIECES[name]
    prediction, confirmation = told(way, kept, width=width)
    assert prediction.verdict == "unsafe"
    assert prediction.failure is None
    assert prediction.unknown is not None
    assert " pieces no longer but " in prediction.unknown
    assert confirmation.failure is not None
    assert confirmation.differences == ()


def test_a_line_that_unpacks_says_itself_what_it_does_with_fewer_pieces() -> None:
    def unpacked(net: Any, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        first, second, third, fourth = a.chunk(4, 1)
        return torch.cat([fourth, third, second, first], 1)

    prediction, confirmation = told(unpacked, 6)
    assert prediction.failure is not None
    assert prediction.failure.message == "not enough values to unpack (expected 4, got 3)"
    assert confirmation.differences == ()


def test_an_error_in_other_words_is_reported() -> None:
    def strange(net: Any, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a * {16: 1.0}[a.detach().numpy().shape[1]]  # which nobody notes

    prediction, confirmation = told(strange, 8)
    assert prediction.failure is not None
    assert confirmation.failure is not None
    assert (confirmation.failure.kind, confirmation.failure.message) == ("unread", "8")
    assert not confirmation.agrees


BEHIND_NO_RULE: dict[str, Way] = {
    "bicubic": lambda net, a, b: F.interpolate(a, scale_factor=2, mode="bicubic") + F.interpolate(b, scale_factor=2),
    "sign": lambda net, a, b: a.sign() + b,
}


@pytest.mark.parametrize("name", BEHIND_NO_RULE)
def test_active_channels_behind_an_operator_without_a_rule_are_not_known(name: str) -> None:
    prediction, confirmation = told(BEHIND_NO_RULE[name], 8, "mask")
    ports = {edge.port: (edge.after, edge.active_after) for edge in prediction.edges}
    assert ports == {"in0": (16, None), "in1": (16, 16), "out0": (16, None)}
    assert (prediction.layers["h"].active_in, prediction.layers["h"].active_out) == (None, None)
    assert (prediction.layers["a"].active_out, prediction.layers["b"].active_out) == (8, 16)
    assert prediction.verdict == "safe"  # what was meant is what the mask does, whatever that is
    assert (confirmation.failure, confirmation.differences) == (None, ())


@pytest.mark.parametrize("name", BEHIND_NO_RULE)
def test_active_channels_behind_an_operator_without_a_rule_that_is_not_reached(name: str) -> None:
    torch.manual_seed(0)
    model = Net(BEHIND_NO_RULE[name]).eval()
    prediction = predict(ChannelGraph.trace(model, 64), Plan([Step("b", range(8))]))
    ports = {edge.port: (edge.after, edge.active_after) for edge in prediction.edges}
    assert ports == {"in0": (16, 16), "in1": (16, 8), "out0": (16, 16)}


def test_a_shape_is_compared_where_the_active_channels_are_not_known() -> None:
    prediction, confirmation = told(BEHIND_NO_RULE["sign"], 8, "mask")
    ports = {place: SeenPort(15, port.active) for place, port in confirmation.observation.ports.items()}
    refuted = compare(prediction, replace(confirmation.observation, ports=ports))
    assert ":add in0: predicted (16, None) channels (active), observed (15, None)" in refuted.differences


def depthwise(net: Any, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return F.conv2d(a, torch.ones(1, 1, 3, 3).expand(a.shape[1], 1, 3, 3), groups=a.shape[1])


def distances(net: Any, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.cdist(a.flatten(2).mT, b.flatten(2).mT)[:, :16].unflatten(2, (16, 16))


def asserting(net: Any, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    assert a.shape[1] == b.shape[1], "these do not go together"
    return a


# What is done, channels that are kept, channels that the last convolution reads; and the first words of the error.
WORDS: dict[str, tuple[Way, int, int, str]] = {
    "tensor_split": (lambda net, a, b: sum(a.tensor_split(2, 1), torch.zeros(1)), 8, 8, "Given groups=1"),
    "tensor_split at": (lambda net, a, b: torch.cat(a.tensor_split((4, 9), 1), 1), 8, 16, "Given groups=1"),
    "hsplit": (lambda net, a, b: torch.cat(torch.hsplit(a, 4), 1), 7, 16, "torch.hsplit attempted"),
    "gather": (lambda net, a, b: torch.gather(a, 1, torch.full((1, 4, 16, 16), 12)), 7, 4, "index 12 is out of"),
    "index_select": (lambda net, a, b: a.index_select(1, torch.tensor([1, 9])), 8, 2, "INDICES element is out of"),
    "topk": (lambda net, a, b: torch.topk(a, 8, 1)[0], 7, 8, "selected index k out of range"),
    "group_norm": (lambda net, a, b: F.group_norm(a, a.shape[1]), 8, 16, "Given groups=1"),
    "group_norm of halves": (lambda net, a, b: F.group_norm(a, a.shape[1] // 2), 8, 16, "Given groups=1"),
    "unflatten": (lambda net, a, b: a.unflatten(1, (4, 4)).flatten(1, 2), 8, 16, "unflatten: Provided sizes"),
    "linear": (lambda net, a, b: net.linear(a.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), 7, 16, "mm: mat1 and mat2"),
    "grid_sample": (lambda net, a, b: F.grid_sample(b, a[:, :2].permute(0, 2, 3, 1)), 1, 16, "grid_sampler()"),
    "cdist": (distances, 7, 16, "X1 and X2 must have"),
    "tensordot": (
        lambda net, a, b: torch.tensordot(a, b, dims=([1], [1])).reshape(1, -1, 16, 16)[:, :16],
        7,
        16,
        "contracted dimensions need to match",
    ),
    "assertion": (asserting, 8, 16, "these do not go together"),
}


@pytest.mark.filterwarnings("ignore:Default grid_sample")
@pytest.mark.parametrize("name", WORDS)
def test_the_first_words_are_those_that_are_raised(name: str) -> None:
    way, kept, width, words = WORDS[name]
    prediction, confirmation = told(way, kept, width=width)
    assert prediction.failure is not None
    assert prediction.failure.message.startswith(words)
    assert confirmation.differences == ()


MADE_OF_SIZES: dict[str, Way] = {
    "weight": depthwise,
    "slice": lambda net, a, b: a * net.linear.bias[: a.shape[1]].reshape(1, -1, 1, 1),
}


@pytest.mark.parametrize("name", MADE_OF_SIZES)
def test_a_constant_that_is_made_of_a_size_is_not_known(name: str) -> None:
    prediction, confirmation = told(MADE_OF_SIZES[name], 8)
    assert prediction.failure is None
    assert prediction.unknown is not None
    assert prediction.unknown.startswith("a size of 8, no longer 16, is used as a number at test_told.py:")
    assert confirmation.differences == ()


class Pieces(nn.Module):
    """What a subclass does with the pieces of a convolution's channels."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.a, self.one, self.m = nn.Conv2d(3, 4, 3, 4, 1), nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1)
        self.h = nn.Conv2d(width, 4, 1)


class FirstAndLast(Pieces):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = list(self.a(x).chunk(2, 1))
        y.append(y[0] * 2)
        y.extend(m(y[-1]) for m in [self.m])
        return self.h(torch.cat(y, 1))


class Last(Pieces):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x).chunk(2, 1)
        return self.h(torch.cat([self.m(y[-1]), y[0]], 1))


class LastOfWholePieces(Pieces):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.Tensor.split(self.a(x), 2, 1)
        return self.h(self.m(y[-1]))


class LastThatFits(Pieces):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x).split(2, 1)
        return self.h(self.m(y[-1]))


class Second(Pieces):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = list(self.a(x).chunk(2, 1))
        return self.h(torch.cat([self.m(y[-1]), y[1]], 1))


class JoinedFirst(Pieces):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = list(self.a(x).chunk(2, 1))
        return self.h(torch.cat(y, 1)) + self.m(y[-1]).sum()


class JoinedAfter(Pieces):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = list(self.a(x).chunk(2, 1))
        return self.h(torch.cat(y, 1)[:, :1].expand(-1, 4, -1, -1)) + self.m(y[-1]).sum()


class Counted(Pieces):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = list(self.a(x).chunk(2, 1))
        return self.h(torch.cat([self.m(y[-1])] * len(y), 1))


class Shadowed(Pieces):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        list = reversed
        y = tuple(self.a(x).chunk(2, 1))
        y = tuple(list(y))
        return self.h(self.m(y[-1]))


class Written(Pieces):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x).chunk(2, 1)
        y[-1].add_(1.0)
        return self.h(self.m(y[-1]))


def _of_pieces(kind: type[Pieces], width: int, kept: int) -> tuple[Prediction, Confirmation]:
    torch.manual_seed(0)
    model = kind(width).eval()
    graph, plan = ChannelGraph.trace(model, 64), Plan([Step("a", range(kept))], "local")
    prediction = predict(graph, plan)
    judgement = judge(graph, plan)
    for quick in (prediction, graph.predict_many([plan])[0]):
        assert (quick.verdict, quick.failure) == (judgement.verdict, judgement.failure)
        assert quick.unknown == judgement.unknown
    return prediction, confirm(model, plan, prediction)


@pytest.mark.parametrize(("kind", "width"), [(FirstAndLast, 8), (Last, 4)])
def test_code_that_takes_the_last_piece_takes_the_last_there_is(kind: type[Pieces], width: int) -> None:
    prediction, confirmation = _of_pieces(kind, width, 1)
    assert prediction.failure is not None
    assert prediction.failure.module == "m"
    assert prediction.failure.message.endswith("to have 2 channels, but got 1 channels instead")
    assert prediction.failure.path[0] == "a"
    assert confirmation.differences == ()


@pytest.mark.parametrize(
    ("kind", "width", "kept"),
    [
        (Second, 4, 1),
        (JoinedFirst, 4, 1),
        (JoinedAfter, 4, 1),
        (Counted, 4, 1),
        (Shadowed, 2, 1),
        (Written, 2, 1),
        (LastThatFits, 2, 2),
        (LastOfWholePieces, 2, 2),
    ],
)
def test_whatever_else_code_does_with_fewer_pieces_is_not_known(kind: type[Pieces], width: int, kept: int) -> None:
    prediction, confirmation = _of_pieces(kind, width, kept)
    assert (prediction.verdict, prediction.failure) == ("unsafe", None)
    assert prediction.unknown is not None
    assert " pieces no longer but 1: " in prediction.unknown
    assert confirmation.differences == ()


@pytest.mark.parametrize(
    ("name", "layer", "module"),
    [
        ("yolov8n.yaml", "model.2.cv1.conv", "model.2.m.0.cv1.conv"),
        ("yolo11n.yaml", "model.2.cv1.conv", "model.2.m.0.cv1.conv"),
        ("yolov9t.yaml", "model.4.cv1.conv", None),
    ],
)
def test_a_single_channel_before_the_chunk_of_a_stock_block(name: str, layer: str, module: str | None) -> None:
    model, graph, plan = stock(name), graph_of(name), Plan([Step(layer, [0])], "local")
    prediction = predict(graph, plan)
    failure = prediction.failure
    assert failure is not None
    assert failure == judge(graph, plan).failure == graph.predict_many([plan])[0].failure
    assert failure.module == module or module is None
    assert failure.message.endswith("channels, but got 1 channels instead")
    confirmation = confirm(model, plan, prediction)
    assert confirmation.failure == failure
    assert confirmation.differences == ()
