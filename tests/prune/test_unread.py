"""Module attributes that hold widths and that the traced pass does not read."""

from __future__ import annotations

from ultralytics.nn.modules.block import C2, RepVGGDW

from tests.models import graph_of, stock
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.confirm.widths import stale_widths
from yolo_prune_check.prune.apply import carry_out


def test_what_only_the_forward_for_export_reads_is_true_as_well() -> None:
    halves = Step("model.4.cv1.conv", [*range(4, 32), *range(36, 64)])
    inner = [Step(f"model.4.m.{number}.cv1.conv", range(3, 32)) for number in range(2)]
    outer = Step("model.4.cv2.conv", range(8, 64))
    pruned = carry_out(stock(), Plan([halves, *inner, outer], "group"), graph_of())
    assert pruned.get_submodule("model.4").c == 28
    assert stale_widths(pruned) == ()
    setattr(pruned.get_submodule("model.4"), "c", 32)  # noqa: B010  # nn.Module is not typed for it
    assert stale_widths(pruned) == ("model.4: 2 × c says 64, the weights say 56",)


def test_the_place_of_a_block_is_no_width() -> None:
    """Block 16 of a YOLO11n has a layer that is 16 wide, and no other number in it is."""
    model, graph = stock("yolo11n.yaml"), graph_of("yolo11n.yaml")
    inside = {name: layer for name, layer in graph.layers.items() if name.startswith("model.16.m.")}
    narrow = [Step(name, range(2, 16)) for name, layer in inside.items() if layer.out_channels == 16]
    pruned = carry_out(
        model, Plan([Step("model.16.cv1.conv", [*range(4, 32), *range(36, 64)]), *narrow], "group"), graph
    )
    assert pruned.get_submodule("model.16").i == 16
    assert stale_widths(pruned) == ()


def test_an_attribute_that_no_forward_reads_is_true_as_well() -> None:
    model, graph = stock("yolov10n.yaml"), graph_of("yolov10n.yaml")
    name = next(name for name, module in model.named_modules() if isinstance(module, RepVGGDW))
    width = graph.layers[f"{name}.conv.conv"].out_channels
    plan = Plan([Step(f"{name}.conv.conv", range(8, width))], "group")
    pruned = carry_out(model, plan, graph)
    assert (pruned.get_submodule(name).dim, model.get_submodule(name).dim) == (width - 8, width)
    assert stale_widths(pruned) == ()


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
    assert stale_widths(pruned) == ()


def test_half_of_a_first_layer_is_told_from_the_layers_behind_it() -> None:
    """The ``c`` of C2, which YOLOv8-p6 has: nothing reads it, and layers behind are as wide and cut otherwise."""
    model, graph = stock("yolov8n-p6.yaml"), graph_of("yolov8n-p6.yaml")
    block = next(name for name, module in model.named_modules() if type(module) is C2)
    width = graph.layers[f"{block}.cv1.conv"].out_channels
    halves = [*range(3, width // 2), *range(width // 2 + 3, width)]
    inner = Step(f"{block}.m.0.cv1.conv", range(7, width // 2))
    pruned = carry_out(model, Plan([Step(f"{block}.cv1.conv", halves), inner], "group"), graph)
    assert pruned.get_submodule(block).c == width // 2 - 3
    assert stale_widths(pruned) == ()
