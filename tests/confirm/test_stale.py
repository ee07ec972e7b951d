"""Attributes that no longer say how wide a module is."""

from __future__ import annotations

import copy

import pytest
import torchvision
from torch import nn
from torchvision.ops import Conv2dNormActivation
from ultralytics.nn.modules.block import RepVGGDW

from tests.models import graph_of, stock
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.confirm.stale import stale_attributes
from yolo_prune_check.prune.apply import carry_out


@pytest.mark.parametrize(
    ("module", "attribute", "value", "said"),
    [
        (nn.Conv2d(4, 6, 3), "out_channels", 8, "0.out_channels is 8, its weight is 6 x 4 x 3 x 3"),
        (nn.Conv2d(4, 6, 3, groups=2), "in_channels", 8, "0.in_channels is 8, its weight is 6 x 2 x 3 x 3"),
        (nn.BatchNorm2d(4), "num_features", 5, "0.num_features is 5, its weight is 4"),
        (nn.Linear(4, 6), "in_features", 5, "0.in_features is 5, its weight is 6 x 4"),
        (nn.Linear(4, 6), "out_features", 5, "0.out_features is 5, its weight is 6 x 4"),
    ],
)
def test_pytorchs_own_must_fit_the_weight(module: nn.Module, attribute: str, value: int, said: str) -> None:
    untouched = nn.Sequential(module)
    assert stale_attributes(untouched, copy.deepcopy(untouched)) == []
    pruned = copy.deepcopy(untouched)
    setattr(pruned[0], attribute, value)
    assert [str(item) for item in stale_attributes(untouched, pruned)] == [said]


def test_a_users_own_must_hold_a_width_that_it_held() -> None:
    halves = Step("model.4.cv1.conv", [*range(4, 32), *range(36, 64)])
    inner = [Step(f"model.4.m.{number}.cv1.conv", range(3, 32)) for number in range(2)]
    outer = Step("model.4.cv2.conv", range(8, 64))
    pruned = carry_out(stock(), Plan([halves, *inner, outer], "group"), graph_of())
    assert pruned.get_submodule("model.4").c == 28
    assert stale_attributes(stock(), pruned) == []
    assert [str(item) for item in stale_attributes(stock(), with_width(pruned, 32))] == [
        "model.4.c is 32, half of the width of cv1.conv is 28; both were 32"
    ]
    # It may as well have meant a layer that is still as wide; the forward for export, which reads it, tells.
    assert stale_attributes(stock(), with_width(carry_out(stock(), Plan([halves], "group"), graph_of()), 32)) == []


def with_width(model: nn.Module, width: int) -> nn.Module:
    setattr(model.get_submodule("model.4"), "c", width)  # noqa: B010  # nn.Module is not typed for it
    return model


def test_the_place_of_a_block_is_no_width() -> None:
    """Block 16 of a YOLO11n has a layer that is 16 wide, and no other number in it is."""
    model, graph = stock("yolo11n.yaml"), graph_of("yolo11n.yaml")
    inside = {name: layer for name, layer in graph.layers.items() if name.startswith("model.16.m.")}
    narrow = [Step(name, range(2, 16)) for name, layer in inside.items() if layer.out_channels == 16]
    pruned = carry_out(
        model, Plan([Step("model.16.cv1.conv", [*range(4, 32), *range(36, 64)]), *narrow], "group"), graph
    )
    assert pruned.get_submodule("model.16").i == 16
    assert stale_attributes(model, pruned) == []


def test_an_attribute_that_no_forward_reads_is_true_as_well() -> None:
    model, graph = stock("yolov10n.yaml"), graph_of("yolov10n.yaml")
    name = next(name for name, module in model.named_modules() if isinstance(module, RepVGGDW))
    width = graph.layers[f"{name}.conv.conv"].out_channels
    plan = Plan([Step(f"{name}.conv.conv", range(8, width))], "group")
    pruned = carry_out(model, plan, graph)
    assert (pruned.get_submodule(name).dim, model.get_submodule(name).dim) == (width - 8, width)
    assert stale_attributes(model, pruned) == []


def test_what_a_module_takes_and_what_it_makes_are_told_apart() -> None:
    """Both were 24 in a RepConv, and none is now; SPPELAN's ``c`` is the width of a layer, and half of another's."""
    model, graph = stock("yolov9t.yaml"), graph_of("yolov9t.yaml")
    block = "model.6.cv2.0"
    plan = Plan(
        [
            Step(f"{block}.cv1.conv", range(4, 24)),
            Step(f"{block}.m.0.cv1.conv1.conv", range(7, 24)),
            Step("model.9.cv1.conv", range(8, 64)),
            Step("model.9.cv5.conv", range(22, 128)),
        ],
        "group",
    )
    pruned = carry_out(model, plan, graph)
    module = pruned.get_submodule(f"{block}.m.0.cv1")
    assert (model.get_submodule(f"{block}.m.0.cv1").c1, module.c1, module.c2) == (24, 20, 17)
    assert pruned.get_submodule("model.9").c == 56
    assert stale_attributes(model, pruned) == []


def test_a_block_is_as_wide_as_an_adapter_makes_it() -> None:
    """torchvision's blocks hold their width, which is that of a narrower layer put back to its places."""
    model = torchvision.models.mobilenet_v3_small(weights=None).features[:3].eval()
    graph = ChannelGraph.trace(model, imgsz=64)
    assert isinstance(model.get_submodule("2.block.0"), Conv2dNormActivation)
    width = graph.layers["2.block.0.0"].out_channels
    pruned = carry_out(model, Plan([Step("2.block.0.0", range(width // 2))], "adapter"), graph)
    assert pruned.get_submodule("2.block.0").out_channels == width
    assert stale_attributes(model, pruned) == []
