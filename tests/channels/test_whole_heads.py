"""Attention heads that go as a whole: proven on the real modules, and refused wherever something else counts them."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from ultralytics.nn.modules.block import AAttn, Attention
from ultralytics.nn.modules.conv import Conv

from benchmarks.zoo import randomise_norms
from tests.channels.architectures import double_of, graph_of_double
from tests.channels.carry_out import carry_out, masked
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.removal import Removal, find_removal

TOLERANCE = 1e-9
SIZE = 16
PROPERTY = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
Change = Callable[["Custom", torch.Tensor], torch.Tensor]


class Around(nn.Module):
    """An attention with a layer before and one behind it."""

    def __init__(self, attention: nn.Module, width: int) -> None:
        super().__init__()
        self.first, self.attn, self.last = Conv(3, width), attention, nn.Conv2d(width, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.last(self.attn(self.first(x)))
        return result


def prepared(model: nn.Module) -> tuple[nn.Module, ChannelGraph]:
    """In float64, with random batch norms, and its graph."""
    torch.manual_seed(0)
    model = model.eval()
    randomise_norms(model, seed=0)
    return model.double(), ChannelGraph.trace(model, imgsz=SIZE)


def without(graph: ChannelGraph, layer: str, gone: set[int]) -> Step:
    return Step(layer, sorted({*range(graph.layers[layer].out_channels)} - gone))


def assert_proven(model: nn.Module, graph: ChannelGraph, plan: Plan, size: int = SIZE) -> Removal:
    """The small model computes what the masked one does, with as many parameters as predicted."""
    removal, prediction = find_removal(graph, plan), predict(graph, plan)
    image = torch.rand(1, 3, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    small = carry_out(model, removal)
    with torch.no_grad():
        outputs = small(image), masked(model, removal, size)(image)
    got, expected = (found if isinstance(found, torch.Tensor) else found[0] for found in outputs)
    assert float((got - expected).abs().max()) <= TOLERANCE * float(expected.abs().max())
    assert prediction.failure is None
    assert prediction.params == sum(parameter.numel() for parameter in small.parameters())
    for name, layer in prediction.layers.items():
        assert tuple(small.get_submodule(name).weight.shape[:1]) == (layer.out_channels,)
    return removal


@PROPERTY
@given(data=st.data())
def test_heads_of_an_attention_go(data: st.DataObject) -> None:
    """With the heads go as many channels of the stream: the module reads their number off its input."""
    heads, head_dim = data.draw(st.integers(2, 4)), data.draw(st.sampled_from([4, 8]))
    model, graph = prepared(Around(Attention(heads * head_dim, heads), heads * head_dim))
    gone = data.draw(st.sets(st.integers(0, heads - 1), max_size=heads - 1))
    narrower = data.draw(st.integers(0, 1))
    key, row = head_dim // 2, 2 * head_dim
    qkv = {head * row + i for head in gone for i in range(row)}
    qkv |= {head * row + i for head in range(heads) for i in [*range(narrower), *range(key, key + narrower)]}
    stream = set(data.draw(st.permutations(range(heads * head_dim)))[: len(gone) * head_dim])
    plan = Plan([without(graph, "attn.qkv.conv", qkv), without(graph, "first.conv", stream)], "group")
    removal = assert_proven(model, graph, plan)
    assert removal.returned == ()
    expected = {("attn", "num_heads"): heads - len(gone), ("attn", "key_dim"): key - narrower}
    now = {("attn", "num_heads"): heads, ("attn", "key_dim"): key}
    assert removal.attributes == {name: number for name, number in expected.items() if number != now[name]}


@PROPERTY
@given(data=st.data())
def test_heads_of_an_area_attention_go(data: st.DataObject) -> None:
    """It makes a scale of ``head_dim``: its heads go as they are, or stay as they are."""
    heads, head_dim = data.draw(st.integers(2, 4)), data.draw(st.sampled_from([4, 8]))
    area = data.draw(st.sampled_from([1, 2, 4]))
    model, graph = prepared(Around(AAttn(heads * head_dim, heads, area), heads * head_dim))
    gone = data.draw(st.sets(st.integers(0, heads - 1), min_size=1, max_size=heads - 1))
    row = 3 * head_dim
    whole = {head * row + i for head in gone for i in range(row)}
    removal = assert_proven(model, graph, Plan([without(graph, "attn.qkv.conv", whole)], "group"))
    left = heads - len(gone)
    assert removal.attributes == {("attn", "num_heads"): left, ("attn", "all_head_dim"): left * head_dim}
    assert (removal.returned, removal.hazards) == ((), ())
    part = whole - {head * row + row - 1 - data.draw(st.integers(0, head_dim - 1)) for head in gone}
    assert find_removal(graph, Plan([without(graph, "attn.qkv.conv", part)], "group")).stays.all()


def test_heads_of_yolo12_go() -> None:
    model, graph = double_of("yolo12n.yaml"), graph_of_double("yolo12n.yaml")
    names = ["model.6.m.0.0.attn", "model.8.m.1.1.attn"]
    plan = Plan([without(graph, f"{name}.qkv.conv", {*range(96)}) for name in names], "group")
    removal = assert_proven(model, graph, plan, 64)
    assert removal.attributes == {
        (names[0], "num_heads"): 1,
        (names[0], "all_head_dim"): 32,
        (names[1], "num_heads"): 3,
        (names[1], "all_head_dim"): 96,
    }


@pytest.mark.parametrize(
    ("name", "attention", "stream"),
    [
        ("yolo11n.yaml", "model.10.m.0.attn", "model.10.cv1.conv"),
        ("yolov10n.yaml", "model.10.attn", "model.10.cv1.conv"),
        ("yolo26n.yaml", "model.10.m.0.attn", "model.10.cv1.conv"),
    ],
)
def test_a_head_goes_with_as_much_of_the_stream(name: str, attention: str, stream: str) -> None:
    """And with narrower keys: all but 8 of those that the other head keeps."""
    model, graph = double_of(name), graph_of_double(name)
    qkv = without(graph, f"{attention}.qkv.conv", {*range(128), *range(136, 160), *range(168, 192)})
    plan = Plan([qkv, without(graph, stream, {*range(64), *range(128, 192)})], "group")
    removal = assert_proven(model, graph, plan, 64)
    assert removal.returned == ()
    assert {key: n for key, n in removal.attributes.items() if key[0] == attention} == {
        (attention, "num_heads"): 1,
        (attention, "key_dim"): 8,
    }


def test_what_is_left_of_a_head_keeps_as_much_as_the_others() -> None:
    """The first head is kept, and of the second four queries with their keys."""
    graph, name = graph_of_double("yolo12n.yaml"), "model.8.m.0.0.attn.qkv.conv"
    removal = find_removal(graph, Plan([Step(name, [*range(100), *range(128, 132)])], "group"))
    assert removal.layers[name].outputs.tolist() == [*range(192)]
    assert str(removal.returned[0]) == f"{name}[100:128]"


class Custom(nn.Module):
    """An attention that does something to its weights."""

    def __init__(self, change: Change) -> None:
        super().__init__()
        self.heads, self.dim, self.change = 4, 3, change
        self.first, self.qkv, self.last = Conv(3, 8), Conv(8, 36, act=False), nn.Conv2d(12, 4, 1)
        self.bias, self.mix = nn.Parameter(torch.rand(4, 1, 1)), nn.Parameter(torch.rand(4, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, _, height, width = x.shape
        qkv = self.qkv(self.first(x)).view(batch, self.heads, self.dim * 2 + self.dim, height * width)
        q, k, v = qkv.split([self.dim, self.dim, self.dim], dim=2)
        weights = self.change(self, (q.transpose(-2, -1) @ k).softmax(-1))
        result: torch.Tensor = self.last((v @ weights.transpose(-2, -1)).reshape(batch, -1, height, width))
        return result


HARMLESS: dict[str, Change] = {
    "nothing": lambda _, weights: weights,
    "a number": lambda _, weights: (weights * 0.5 + 1).clamp(0, 1),
    "other axes": lambda _, weights: weights.transpose(1, 2).contiguous().permute(0, 2, 1, 3).softmax(-2),
    "weights of the same heads": lambda _, weights: weights * weights.sigmoid(),
    "one number for all": lambda model, weights: weights + model.bias[:1],
}
COUNTING: dict[str, Change] = {
    "a number for each head": lambda model, weights: weights + model.bias,
    "mean over heads": lambda _, weights: weights + weights.mean(1, keepdim=True),
    "softmax over heads": lambda _, weights: weights.softmax(1),
    "heads in reverse": lambda _, weights: weights.flip(1),
    "one head": lambda _, weights: weights[:, :1] + weights,
    "heads mixed": lambda model, weights: (weights.transpose(1, 3) @ model.mix).transpose(1, 3),
    "heads read as a number": lambda model, weights: weights / model.heads,
    "heads read off a shape": lambda _, weights: weights * weights.shape[1],
    "heads as a size": lambda _, weights: weights.view(1, 4, *weights.shape[2:]),
}


def head_of_custom(graph: ChannelGraph) -> Plan:
    return Plan([without(graph, "qkv.conv", {*range(9, 18)})], "group")


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_a_head_goes_where_heads_stay_apart(change: Change) -> None:
    model, graph = prepared(Custom(change))
    removal = assert_proven(model, graph, head_of_custom(graph))
    assert removal.attributes == {("", "heads"): 3}


@pytest.mark.parametrize("change", COUNTING.values(), ids=COUNTING)
def test_no_head_goes_where_something_counts_them(change: Change) -> None:
    _, graph = prepared(Custom(change))
    assert find_removal(graph, head_of_custom(graph)).stays.all()


@PROPERTY
@given(change=st.sampled_from([*HARMLESS.values(), *COUNTING.values()]), draw=st.randoms(use_true_random=False))
def test_whatever_goes_is_proven(change: Change, draw: random.Random) -> None:
    """Any channels of which those that a head holds are mostly taken at once."""
    model, graph = prepared(Custom(change))
    gone = {head * 9 + i for head in range(4) if draw.random() < 0.4 for i in range(9)}
    gone |= {head * 9 + i for i in range(9) if draw.random() < 0.2 for head in range(4)}
    gone ^= {draw.randrange(36)} if draw.random() < 0.3 else set()
    plan = Plan([without(graph, "qkv.conv", gone)], "group")
    if not find_removal(graph, plan).hazards and len(gone) < 36:
        assert_proven(model, graph, plan)


Form = Callable[["Formed", torch.Tensor, int], torch.Tensor]


class Formed(nn.Module):
    """Channels of a convolution laid out in heads in some way, and back."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.heads, self.dim, self.form = 4, 3, form
        self.qkv, self.last = Conv(3, 36, act=False), nn.Conv2d(12, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = self.form(self, self.qkv(x), x.shape[2] * x.shape[3])
        result: torch.Tensor = self.last(made.reshape(1, -1, x.shape[2], x.shape[3]))
        return result


def attended(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return v @ (q.transpose(-2, -1) @ k).softmax(-1).transpose(-2, -1)


def separate(model: Formed, x: torch.Tensor, n: int) -> torch.Tensor:
    """One view for each of queries, keys and values."""
    q, k, v = (part.view(1, model.heads, -1, n) for part in x.chunk(3, 1))
    return attended(q, k, v)


def literal(model: Formed, x: torch.Tensor, n: int) -> torch.Tensor:
    """The keys are cut into heads by a number of their own."""
    q, k, v = x.chunk(3, 1)
    return attended(q.view(1, model.heads, -1, n), k.view(1, 4, -1, n), v.view(1, model.heads, -1, n))


def cut_again(model: Formed, x: torch.Tensor, n: int) -> torch.Tensor:
    """The values are a head each also by a chunk, which counts four of them."""
    q, k, v = x.chunk(3, 1)
    out = attended(*(part.view(1, model.heads, -1, n) for part in (q, k, v)))
    return out.flatten(1, 2) + torch.cat([part.tanh() for part in v.flatten(2).chunk(4, 1)], 1)


def split_again(model: Formed, x: torch.Tensor, n: int) -> torch.Tensor:
    """And by a split into sizes that the module holds."""
    q, k, v = x.chunk(3, 1)
    out = attended(*(part.view(1, model.heads, model.dim, n) for part in (q, k, v)))
    parts = v.flatten(2).split([model.dim, model.dim, model.dim, model.dim], 1)
    return out.flatten(1, 2) + torch.cat([part.tanh() for part in parts], 1)


def head_by_itself(model: Formed, x: torch.Tensor, n: int) -> torch.Tensor:
    """The first head's values are viewed once more."""
    q, k, v = x.chunk(3, 1)
    out = attended(*(part.view(1, model.heads, model.dim, n) for part in (q, k, v)))
    first = v.split([3, 9], 1)[0].reshape(1, model.dim, n)
    return torch.cat([out.flatten(1, 2)[:, :9], first], 1)


def viewed_as_image(model: Formed, x: torch.Tensor, n: int) -> torch.Tensor:
    """The heads' own axes are viewed once more."""
    q, k, v = x.view(1, model.heads, model.dim * 2 + model.dim, n).split([model.dim, model.dim, model.dim], 2)
    return attended(q, k, v.reshape(1, model.heads, model.dim, 8, n // 8).flatten(3))


def one_key(model: Formed, x: torch.Tensor, n: int) -> torch.Tensor:
    """One key for all heads."""
    q, k, v = x.split([12, 12, 12], 1)
    key = k.mean(1, keepdim=True).view(1, 1, 1, n)
    return attended(q.view(1, model.heads, model.dim, n).sum(2, keepdim=True), key, v.view(1, model.heads, -1, n))


def values_of_one(model: Formed, x: torch.Tensor, n: int) -> torch.Tensor:
    """Weights of four heads, for values that have none."""
    q, k, v = x.chunk(3, 1)
    q, k = (part.view(1, model.heads, -1, n) for part in (q, k))
    return v.flatten(2).unsqueeze(1)[:, :, :3] @ (q.transpose(-2, -1) @ k).softmax(-1)


def only_queries(model: Formed, x: torch.Tensor, n: int) -> torch.Tensor:
    """Heads of fixed width that meet the channels of others."""
    q, k, v = (part.view(1, model.heads, 3, n) for part in x.chunk(3, 1))
    return attended(q, q, v) + k


def heads_last(model: Formed, x: torch.Tensor, n: int) -> torch.Tensor:
    """Heads lie behind each other with their channels between."""
    q, k, v = (part.view(1, model.heads, 3, n).permute(0, 2, 1, 3) for part in x.chunk(3, 1))
    return (q * k).permute(0, 2, 1, 3) + v.permute(0, 2, 1, 3)


FORMS = (
    separate,
    literal,
    cut_again,
    split_again,
    head_by_itself,
    viewed_as_image,
    one_key,
    values_of_one,
    only_queries,
    heads_last,
)


@pytest.mark.parametrize("form", FORMS)
def test_whatever_goes_of_any_form_is_proven(form: Form) -> None:
    model, graph = prepared(Formed(form))
    draw = random.Random(0)
    for _ in range(40):
        heads = [head for head in range(4) if draw.random() < 0.3]
        gone = {part * 12 + head * 3 + i for head in heads for part in range(3) for i in range(3)}
        gone |= {n for n in range(36) if draw.random() < 0.05}
        plan = Plan([without(graph, "qkv.conv", gone)], "group")
        if "empty-layer" not in {hazard.code for hazard in find_removal(graph, plan).hazards}:
            assert_proven(model, graph, plan)


@pytest.mark.parametrize("form", [separate, only_queries])
def test_a_head_of_separate_views_goes(form: Form) -> None:
    _, graph = prepared(Formed(form))
    gone = {part * 12 + i for part in range(3) for i in range(3)}
    removal = find_removal(graph, Plan([without(graph, "qkv.conv", gone)], "group"))
    assert (removal.attributes, removal.returned) == ({("", "heads"): 3}, ())


@pytest.mark.parametrize("form", [literal, cut_again, head_by_itself, one_key])
def test_a_head_stays_where_a_number_of_its_own_counts_it(form: Form) -> None:
    _, graph = prepared(Formed(form))
    gone = {part * 12 + i for part in range(3) for i in range(3)}
    assert find_removal(graph, Plan([without(graph, "qkv.conv", gone)], "group")).stays.all()
