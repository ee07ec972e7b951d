"""What execution ``group`` removes: predicted from the ties alone, proven by doing it to the real model."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from functools import lru_cache

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from ultralytics.nn.modules.head import Detect

from tests.channels.architectures import double_of, graph_of_double
from tests.channels.carry_out import carry_out, masked
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.interpret import Interpreter
from yolo_prune_check.channels.interpretation import Interpretation
from yolo_prune_check.channels.judge import judge
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.provenance import Ids
from yolo_prune_check.channels.removal import Removal, find_removal
from yolo_prune_check.channels.shrink import shrunk_ops, shrunk_parameters, shrunk_program
from yolo_prune_check.cli.inspect.group_table import frozen_part

TOLERANCE = 1e-9
PROPERTY = settings(max_examples=60, suppress_health_check=list(HealthCheck))
MODELS = (
    "yolov8n.yaml",
    "yolov5n.yaml",
    "yolov3-tiny.yaml",
    "yolov8n-ghost.yaml",
    "yolov9t.yaml",
    "yolov10n.yaml",
    "yolo11n.yaml",
    "yolo12n.yaml",
    "yolo26n.yaml",
    "resnet18",
    "resnext50_32x4d",
    "mobilenet_v3_small",
    "shufflenet_v2_x1_0",
    "densenet121",
)


@lru_cache
def image() -> torch.Tensor:
    return torch.rand(1, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def random_plan(graph: ChannelGraph, draw: random.Random, most: int) -> Plan:
    """Up to ``most`` steps on layers that the head does not decode, each keeping a random part."""
    layers = [name for name in graph.layers if name not in graph.head_layers]
    chosen = draw.sample(layers, draw.randint(1, most))
    return Plan([Step(name, _part(graph, name, draw)) for name in chosen], "group")


def _part(graph: ChannelGraph, name: str, draw: random.Random) -> list[int]:
    width = graph.layers[name].out_channels
    return draw.sample(range(width), draw.choice([1, max(1, width // 2), width, draw.randint(1, width)]))


def refused(removal: Removal) -> bool:
    return any(hazard.code == "empty-layer" for hazard in removal.hazards) or bool(removal.stays.all())


@pytest.mark.parametrize("name", MODELS)
def test_the_small_model_equals_the_masked_one(name: str) -> None:
    model, graph, draw = double_of(name), graph_of_double(name), random.Random(name)
    proven = 0
    for _ in range(12):
        removal = find_removal(graph, random_plan(graph, draw, most=5))
        if refused(removal):
            continue
        small = carry_out(model, removal)
        with torch.no_grad():
            got, expected = tensors_of(small(image())), tensors_of(masked(model, removal, graph.imgsz)(image()))
        for one, other in zip(got, expected, strict=True):
            if one.shape == other.shape:  # a feature map that the head also returns may have become narrower
                assert float((one - other).abs().max()) <= TOLERANCE * float(other.abs().max())
        assert got[0].shape == expected[0].shape
        changed = shrunk_parameters(graph, removal)
        assert sum(parameter.numel() for parameter in small.parameters()) == graph.costs.params(changed)
        proven += 1
        if proven == 2:
            return
    pytest.fail("no plan was carried out")


@PROPERTY
@given(name=st.sampled_from(MODELS), draw=st.randoms(use_true_random=False))
def test_the_shrunk_program_runs(name: str, draw: random.Random) -> None:
    graph = graph_of_double(name)
    removal = find_removal(graph, random_plan(graph, draw, most=8))
    if not refused(removal):
        changed = shrunk_parameters(graph, removal)
        result = Interpreter(shrunk_program(graph, removal)).run({**graph.parameters, **changed})
        assert result.failure is None
        assert result.unknown is None
        for layer, cut in removal.layers.items():
            assert changed[f"{layer}.weight"].shape[0] == len(cut.outputs)
        for value in graph.program.outputs[:1]:
            assert result.tensors[value].shape == graph.program.values[value].shape
        again = graph.interpreter.rerun(graph.baseline, changed, replaced=shrunk_ops(graph, removal))
        assert all(found == result.tensors[value].shape for value, found in shapes_of(again, graph).items())


def shapes_of(result: Interpretation, graph: ChannelGraph) -> dict[int, tuple[int, ...]]:
    found = {value: result.get(value) for op in graph.program.ops for value in op.outputs}
    return {value: tensor.shape for value, tensor in found.items() if tensor is not None}


def test_attention_is_pruned_with_its_numbers() -> None:
    """16 of 32 keys of the first head, 8 of 64 values of each, and the stream they are added to."""
    graph = graph_of_double("yolo11n.yaml")
    qkv, cv1 = "model.10.m.0.attn.qkv.conv", "model.10.cv1.conv"
    gone = {*range(16), *range(128, 144), *range(64, 72), *range(192, 200)}
    steps = [Step(qkv, sorted({*range(256)} - gone)), Step(cv1, [*range(16, 128), *range(144, 256)])]
    removal = find_removal(graph, Plan(steps, "group"))
    assert (removal.returned, removal.hazards) == ((), ())
    attention = "model.10.m.0.attn"
    assert removal.attributes == {("model.10", "c"): 112, (attention, "key_dim"): 16, (attention, "head_dim"): 56}
    prediction = predict(graph, Plan(steps, "group"))
    assert (prediction.verdict, prediction.failure) == ("safe", None)
    assert prediction.layers[qkv].out_channels == 176
    model = double_of("yolo11n.yaml")
    with torch.no_grad():
        got, expected = carry_out(model, removal)(image())[0], masked(model, removal, graph.imgsz)(image())[0]
    assert float((got - expected).abs().max()) <= TOLERANCE * float(expected.abs().max())


def test_values_alone_are_given_back_as_they_are_added_to_the_stream() -> None:
    graph = graph_of_double("yolo11n.yaml")
    removal = find_removal(graph, Plan([Step("model.10.m.0.attn.pe.conv", [*range(8, 64), *range(72, 128)])], "group"))
    assert removal.stays.all()
    assert [str(part) for part in removal.returned][:1] == ["model.10.m.0.attn.qkv.conv[64:72]"]


@PROPERTY
@given(name=st.sampled_from(MODELS), draw=st.randoms(use_true_random=False))
def test_a_removal_is_closed(name: str, draw: random.Random) -> None:
    """Removing what a removal removes removes nothing more and gives nothing back."""
    graph = graph_of_double(name)
    first = find_removal(graph, random_plan(graph, draw, most=6))
    again = find_removal(graph, Plan([Step(layer, cut.outputs) for layer, cut in first.layers.items()], "group"))
    assert (again.stays == first.stays).all()
    assert again.returned == ()


@pytest.mark.parametrize("name", MODELS)
def test_keeping_all_removes_nothing(name: str) -> None:
    graph = graph_of_double(name)
    whole = find_removal(
        graph, Plan([Step(n, range(layer.out_channels)) for n, layer in graph.layers.items()], "group")
    )
    assert (whole.layers, whole.norms, whole.columns, whole.hazards) == ({}, {}, {}, ())


def test_the_order_of_steps_changes_nothing() -> None:
    graph, draw = graph_of_double("yolov8n.yaml"), random.Random(0)
    for _ in range(20):
        plan = random_plan(graph, draw, most=6)
        turned = find_removal(graph, Plan(plan.steps[::-1], "group"))
        assert (find_removal(graph, plan).stays == turned.stays).all()


def test_a_chunk_keeps_its_halves_equal() -> None:
    """Field trap (DESIGN fact 12): 8 channels of C2f's first half alone; all 8 are given back."""
    graph = graph_of_double("yolov8n.yaml")
    removal = find_removal(graph, Plan([Step("model.4.cv1.conv", range(8, 64))], "group"))
    assert removal.stays.all()
    assert [str(part) for part in removal.returned] == ["model.4.cv1.conv[0:8]"]
    both = find_removal(graph, Plan([Step("model.4.cv1.conv", [*range(8, 32), *range(44, 64)])], "group"))
    assert [str(part) for part in both.returned] == [
        "model.4.cv1.conv[32:36]",
        "model.4.m.0.cv2.conv[0:4]",
        "model.4.m.1.cv2.conv[0:4]",
    ]
    assert [str(part) for part in both.added] == ["model.4.m.0.cv2.conv[4:12]", "model.4.m.1.cv2.conv[4:12]"]
    assert both.layers["model.4.cv1.conv"].outputs.tolist() == [*range(8, 36), *range(44, 64)]


def test_what_goes_besides_is_told_and_not_what_stays() -> None:
    graph = graph_of_double("yolov8n.yaml")
    removal = find_removal(
        graph, Plan([Step("model.2.m.0.cv2.conv", range(8, 16)), Step("model.2.cv1.conv", range(8, 32))], "group")
    )
    assert [str(part) for part in removal.added] == ["model.2.cv1.conv[16:24]"]
    assert removal.layers["model.2.cv2.conv"].inputs.tolist() == [*range(8, 16), *range(24, 32), *range(40, 48)]


def test_what_the_head_decodes_is_refused() -> None:
    graph = graph_of_double("yolov8n.yaml")
    removal = find_removal(graph, Plan([Step("model.22.cv2.0.2", range(32))], "group"))
    assert [(hazard.code, hazard.layer) for hazard in removal.hazards] == [("head-output-changed", "model.22.cv2.0.2")]
    assert "view in model.22" in removal.hazards[0].message
    assert removal.stays.all()


def test_a_frozen_channel_names_its_operator() -> None:
    graph = graph_of_double("rtdetr-l.yaml")
    layer = next(group.members[0].layer for group in graph.groups if group.frozen and "comparison" in group.frozen)
    removal = find_removal(graph, Plan([Step(layer, range(100))], "group"))
    assert [hazard.code for hazard in removal.hazards] == ["frozen-channel"]
    assert removal.hazards[0].message == (
        "156 of 256 channels cannot be removed: a comparison of sizes in the code of model.11 needs them"
    )


def test_an_emptied_layer_is_refused() -> None:
    graph = graph_of_double("yolov8n.yaml")
    removal = find_removal(graph, Plan([Step("model.1.conv", ())], "group"))
    assert {("empty-layer", "model.1.conv"), ("empty-layer", "model.2.cv1.conv")} == {
        (hazard.code, hazard.layer) for hazard in removal.hazards
    }


def test_an_emptied_grouped_convolution_is_predicted() -> None:
    graph = graph_of_double("resnext50_32x4d")
    prediction = predict(graph, Plan([Step("layer2.3.conv2", ())], "group"))
    assert prediction.verdict == "unsafe"
    assert prediction.failure is not None
    assert "empty-layer" in {hazard.code for hazard in prediction.hazards}


def test_a_grouped_convolution_loses_whole_groups_or_equally_many() -> None:
    graph = graph_of_double("resnext50_32x4d")
    name = "layer1.0.conv1"  # feeds layer1.0.conv2: 32 groups of 4
    whole = Plan([Step(name, range(8, 128)), Step("layer1.0.conv2", range(8, 128))], "group")
    cut = find_removal(graph, whole).layers["layer1.0.conv2"]
    assert (len(cut.outputs), len(cut.inputs), cut.groups) == (120, 120, 30)
    one_of_each = find_removal(graph, Plan([Step(name, [n for n in range(128) if n % 4])], "group"))
    assert (len(one_of_each.layers["layer1.0.conv2"].inputs), one_of_each.layers["layer1.0.conv2"].groups) == (96, 32)
    assert find_removal(graph, Plan([Step(name, range(1, 128))], "group")).stays.all()


def tensors_of(tree: object) -> list[torch.Tensor]:
    if isinstance(tree, torch.Tensor):
        return [tree]
    if isinstance(tree, dict):
        return [tensor for item in tree.values() for tensor in tensors_of(item)]
    if isinstance(tree, (list, tuple)):
        return [tensor for item in tree for tensor in tensors_of(item)]
    return []


class Shared(nn.Module):
    """A weight, a bias or a batch norm that two modules hold."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.first, self.left, self.right = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)
        self.norms, self.last = nn.ModuleList([nn.BatchNorm2d(8), nn.BatchNorm2d(8)]), nn.Conv2d(8, 4, 1)
        if what == "weight":
            self.right.weight = self.left.weight
        elif what == "bias":
            self.right.bias = self.left.bias
        else:
            self.norms[1] = self.norms[0]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left = self.norms[0](self.left(self.first(x).relu())).relu()
        result: torch.Tensor = self.last(self.norms[1](self.right(left)).relu())
        return result


@pytest.mark.parametrize(
    ("what", "layer", "operator"),
    [
        ("weight", "first", "convolution in left"),
        ("bias", "left", "convolution in left"),
        ("norm", "left", "native_batch_norm in norms.0"),
        ("norm", "right", "native_batch_norm in norms.0"),
    ],
)
def test_what_two_operators_share_stays(what: str, layer: str, operator: str) -> None:
    graph = ChannelGraph.trace(Shared(what).double().eval(), imgsz=8)
    if layer in graph.layers:
        plan = Plan([Step(layer, range(4))], "group")
        prediction = predict(graph, plan)
        assert find_removal(graph, plan).stays.all()
        assert prediction.verdict == judge(graph, plan).verdict == "unsafe"
        assert operator in next(hazard.message for hazard in prediction.hazards if hazard.code == "frozen-channel")


class Returning(nn.Module):
    """Returns its features beside what it makes of them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        features = self.first(x)
        return {"features": features, "out": self.last(features)}


def test_a_declared_output_keeps_its_width() -> None:
    graph = ChannelGraph.trace(Returning(), imgsz=8)
    removal = find_removal(graph, Plan([Step("first", range(4))], "group"))
    assert removal.stays.all()
    assert [hazard.message for hazard in removal.hazards] == [
        "4 of 8 channels cannot be removed: the model's output needs them"
    ]


class Neck(nn.Module):
    """Passes one of two feature maps on, and adds it to the other."""

    def __init__(self) -> None:
        super().__init__()
        self.lateral, self.merge = nn.Conv2d(16, 16, 1), nn.Conv2d(16, 16, 1)

    def forward(self, fine: torch.Tensor, coarse: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"p4": coarse, "p3": self.merge(fine) + nn.functional.interpolate(self.lateral(coarse), scale_factor=2)}


class WithNeck(nn.Module):
    """Its outputs are a neck's, which are all of them feature maps to be used."""

    def __init__(self) -> None:
        super().__init__()
        self.fine, self.coarse, self.neck = nn.Conv2d(3, 16, 1), nn.Conv2d(16, 16, 3, 2, 1), Neck()

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        fine = self.fine(x)
        result: dict[str, torch.Tensor] = self.neck(fine, self.coarse(fine))
        return result


def test_what_a_neck_passes_on_keeps_its_width() -> None:
    graph = ChannelGraph.trace(WithNeck(), imgsz=8)
    plan = Plan([Step("coarse", range(8))], "group")
    assert find_removal(graph, plan).stays.all()
    assert predict(graph, plan).verdict == "unsafe"
    assert [hazard.message for hazard in predict(graph, plan).hazards if hazard.code == "frozen-channel"] == [
        "8 of 16 channels cannot be removed: the model's output needs them"
    ]


class WithOwnHead(nn.Module):
    """Ends in a user's own class of an Ultralytics head."""

    def __init__(self) -> None:
        super().__init__()

        class Own(Detect):
            pass

        self.first, self.head = nn.Conv2d(3, 16, 1), Own(nc=2, ch=(16,))
        self.head.stride = torch.ones(1)

    def forward(self, x: torch.Tensor) -> object:
        return self.head([self.first(x)])


def test_a_users_own_kind_of_ultralytics_head_hands_on_too() -> None:
    graph = ChannelGraph.trace(WithOwnHead().eval(), imgsz=32)
    assert find_removal(graph, Plan([Step("first", range(8))], "group")).hazards == ()


HEADS = (
    "yolov8n-seg.yaml",
    "yolov8n-pose.yaml",
    "yolov8n-obb.yaml",
    "yolov8n.yaml",
    "yolov10n.yaml",
    "yolo26n.yaml",
)


@pytest.mark.parametrize("name", HEADS)
def test_features_that_a_head_hands_on_can_go(name: str) -> None:
    graph = graph_of_double(name)
    layer = graph.provenance.layers_of(graph.provenance.origins.channel(_handed(graph)))[0]
    width = graph.layers[layer].out_channels
    assert find_removal(graph, Plan([Step(layer, range(width // 2))], "group")).hazards == ()


def _handed(graph: ChannelGraph) -> Ids:
    """Channels of the last feature map that the head returns as it was given it."""
    given = {value for call in graph.program.calls[-2:] for value in call.inputs}
    return graph.provenance.line([value for value in graph.program.outputs if value in given][-1])


class Scaled(nn.Module):
    """Scales by a number that it computes from its number of channels."""

    def __init__(self, scale: Callable[[int], float]) -> None:
        super().__init__()
        self.first, self.last, self.scale = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 4, 1), scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.first(x)
        result: torch.Tensor = self.last(features * self.scale(features.shape[1]))
        return result


@pytest.mark.parametrize(
    "scale", [lambda n: n**-0.5, lambda n: 1 / n, lambda n: n / 8, math.sqrt, float, lambda n: n * 0.5]
)
def test_a_number_made_of_a_size_keeps_it(scale: Callable[[int], float]) -> None:
    graph = ChannelGraph.trace(Scaled(scale), imgsz=8)
    removal = find_removal(graph, Plan([Step("first", range(4))], "group"))
    assert removal.stays.all()
    (hazard,) = removal.hazards
    words = "4 of 8 channels cannot be removed: arithmetic on sizes in the code of model at test_removal.py:"
    assert hazard.message.startswith(words)


class Shuffled(nn.Module):
    """Grouped convolutions with a shuffle between them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 1), nn.Conv2d(12, 4, 1)
        self.grouped, self.next = nn.Conv2d(8, 12, 1, groups=2), nn.Conv2d(12, 12, 1, groups=3)
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.last(self.next(self.shuffle(self.grouped(self.first(x)))))
        return result


@pytest.mark.parametrize("keep", [(), range(6), range(3), range(3, 9)])
@pytest.mark.parametrize("layer", ["grouped", "next"])
def test_a_plan_for_grouped_convolutions_is_always_judged(layer: str, keep: Sequence[int]) -> None:
    graph = ChannelGraph.trace(Shuffled(), imgsz=8)
    plan = Plan([Step(layer, keep)], "group")
    prediction, judged = predict(graph, plan), judge(graph, plan)
    assert prediction.hazards == judged.hazards
    assert prediction.verdict == judged.verdict
    assert (prediction.verdict == "unsafe") == any(hazard.severity == "error" for hazard in judged.hazards)


class Normed(nn.Module):
    """A group norm has a rule, but nothing tells how it treats fewer channels."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.last = nn.Conv2d(3, 8, 1), nn.GroupNorm(2, 8), nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.last(self.norm(self.first(x)))
        return result


def test_an_operator_that_groups_cannot_follow_is_named() -> None:
    graph = ChannelGraph.trace(Normed(), imgsz=8)
    assert graph.unsupported == ()
    reasons = {str(group.members[0]): group.frozen for group in graph.groups}
    assert reasons["first[0:8]"] == "flows into native_group_norm in norm"
    assert "native_group_norm in norm" in frozen_part(graph)


class Enlarged(nn.Module):
    """Channels become pixels, and are also read as they are."""

    def __init__(self, between: nn.Module) -> None:
        super().__init__()
        self.first, self.between, self.shuffle = nn.Conv2d(3, 24, 1), between, nn.PixelShuffle(2)
        self.last, self.beside = nn.Conv2d(6, 4, 3), nn.Conv2d(24, 4, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.between(self.first(x))
        return self.last(self.shuffle(features).relu()), self.beside(features)


def test_channels_that_become_pixels_of_one_go_together() -> None:
    torch.manual_seed(0)
    model = Enlarged(nn.BatchNorm2d(24)).double().eval()
    graph = ChannelGraph.trace(model, imgsz=64)
    plan = Plan([Step("first", [*range(1, 8), *range(9, 24)])], "group")
    removal = find_removal(graph, plan)
    assert removal.hazards == ()
    assert removal.layers["first"].outputs.tolist() == [*range(4, 8), *range(12, 24)]
    assert removal.layers["last"].inputs.tolist() == [1, 3, 4, 5]
    assert predict(graph, plan).verdict == "safe"
    with torch.no_grad():
        got, expected = carry_out(model, removal)(image()), masked(model, removal, graph.imgsz)(image())
    for one, other in zip(got, expected, strict=True):
        assert float((one - other).abs().max()) <= TOLERANCE * float(other.abs().max())


def test_channels_that_become_pixels_are_heard_behind_a_shift() -> None:
    graph = ChannelGraph.trace(Enlarged(nn.Sigmoid()), imgsz=64)
    removal = find_removal(graph, Plan([Step("first", range(4, 24))], "group"))
    assert removal.stays.all()
    assert "sigmoid in between" in removal.hazards[0].message
