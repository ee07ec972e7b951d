"""Observations of networks of every kind: nothing in them is known beforehand but that they take an image."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
import torch
import torchinfo
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from tests.confirm.nets import TORCHVISION, YOLO, convolutions, net
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.confirm.observe import Observation, observe
from yolo_prune_check.confirm.structure import structure_of
from yolo_prune_check.prune.local import shrink
from yolo_prune_check.prune.mask import MaskSet
from yolo_prune_check.prune.norms import norms_of
from yolo_prune_check.prune.reference import Reference


def carried_out(model: nn.Module, plan: Plan) -> Observation:
    pruned = copy.deepcopy(model)
    norms = norms_of(model, plan.kept())
    if plan.execution == "local":
        shrink(pruned, plan, norms)
    else:
        MaskSet.from_plan(plan, norms).apply(pruned)
    return observe(Reference.of_plan(model, plan), pruned, 64)


@pytest.mark.parametrize("name", [*TORCHVISION, *YOLO])
def test_every_channel_of_an_untouched_network_is_active(name: str) -> None:
    model = net(name)
    seen = observe(Reference(model), model, 64)
    assert seen.failure is None
    assert seen.active == {layer: conv.out_channels for layer, conv in convolutions(model).items()}
    assert all(port.active == port.channels for port in seen.ports.values())
    assert seen.max_abs_error == 0


def _together(shapes: Mapping[str, tuple[Any, ...]], model: nn.Module) -> dict[str, list[Any]]:
    """Shapes by the first name of each module: one that many share has a name in each place, which it runs under."""
    first = {id(module): name for name, module in model.named_modules()}
    names = {name: first[id(module)] for name, module in model.named_modules(remove_duplicate=False)}
    found: dict[str, list[Any]] = {}
    for name, sizes in shapes.items():
        found.setdefault(names[name], []).extend(sizes)
    return {name: sorted(sizes) for name, sizes in found.items()}


@pytest.mark.parametrize("name", [*TORCHVISION, "yolo11n.yaml", "rtdetr-l.yaml"])
def test_sizes_are_those_of_a_torchinfo_summary(name: str) -> None:
    model = copy.deepcopy(net(name))
    seen = observe(None, model, 64)
    names = {id(module): layer for layer, module in model.named_modules()}
    single: set[str] = set()

    def note(module: nn.Module, args: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor):
            single.add(names[id(module)])

    handle = register_module_forward_hook(note)
    summary = torchinfo.summary(model, input_data=[torch.zeros(1, 3, 64, 64)], verbose=0, depth=1000)
    handle.remove()
    shapes: dict[str, tuple[Any, ...]] = {}
    for info in summary.summary_list:
        layer = names[info.layer_id]
        if info.executed and layer in single:
            shapes[layer] = (*shapes.get(layer, ()), tuple(info.output_size))
    assert _together(seen.shapes, model) == {name: sorted(found) for name, found in shapes.items()}
    assert (seen.params, seen.macs) == (summary.summary_list[0].num_params, summary.total_mult_adds)


MASKED = {
    "resnet18": ("conv1", "layer1.0.conv2", "layer4.0.downsample.0"),
    "mobilenet_v3_small": ("features.4.block.1.0", "features.4.block.2.fc1", "features.12.0"),
    "shufflenet_v2_x1_0": ("stage2.0.branch1.0", "stage3.2.branch2.3", "conv5.0"),
    "convnext_tiny": ("features.0.0", "features.5.1.block.0", "features.6.1"),
    "yolov6n.yaml": ("model.0.conv", "model.20.conv", "model.28.cv3.0.2"),
    "yolov9t.yaml": ("model.2.cv1.conv", "model.12.cv3.0.m.0.cv1.conv2.conv"),
    "yolov10n.yaml": ("model.10.attn.qkv.conv", "model.10.attn.pe.conv", "model.23.one2one_cv3.0.2"),
    "yolo11n.yaml": ("model.10.m.0.attn.qkv.conv", "model.10.cv1.conv", "model.23.cv3.0.0.0.conv"),
    "yolo12n.yaml": ("model.6.m.0.0.attn.qkv.conv", "model.21.cv2.0.2"),
    "rtdetr-l.yaml": ("model.0.stem1.conv", "model.28.input_proj.0.0", "model.28.input_proj.2.0"),
}


@pytest.mark.parametrize("name", MASKED)
def test_a_silent_mask_is_what_was_meant(name: str) -> None:
    """All layers at once, the last one down to a single channel."""
    model, layers = net(name), convolutions(net(name))
    *others, last = MASKED[name]
    kept = {**{layer: layers[layer].out_channels // 2 for layer in others}, last: 1}
    seen = carried_out(model, Plan(Step(layer, range(count)) for layer, count in kept.items()))
    assert seen.failure is None
    assert {layer: seen.active[layer] for layer in kept} == kept
    assert seen.relative_error is not None
    assert seen.relative_error < 1e-9


def test_queries_of_equal_score_are_picked_alike() -> None:
    """RT-DETR with all of its projections but one channel silent: many tokens are the same, and their scores tie."""
    plan = Plan(Step(f"model.28.input_proj.{level}.0", [0]) for level in range(3))
    assert carried_out(net("rtdetr-l.yaml"), plan).max_abs_error == 0


def test_what_was_not_meant_is_noticed() -> None:
    """A gate's silent channel still lets half of the signal through, behind its hard sigmoid."""
    layer = "features.4.block.2.fc2"
    seen = carried_out(net("mobilenet_v3_small"), Plan([Step(layer, range(8))]))
    assert seen.active[layer] == convolutions(net("mobilenet_v3_small"))[layer].out_channels
    assert seen.relative_error is not None
    assert seen.relative_error > 1e-9


BROKEN = [
    ("resnet18", "conv1", 32, "layer1.0.conv1", "direct", "64", "32"),
    ("resnet18", "layer1.0.conv2", 1, "layer1.0", "residual", "1", "64"),
    ("mobilenet_v3_small", "features.4.block.0.0", 48, "features.4.block.1.0", "depthwise", "96", "48"),
    ("mobilenet_v3_small", "features.12.0", 288, "classifier.0", "linear", "576", "288"),
    ("shufflenet_v2_x1_0", "stage2.0.branch1.2", 1, "stage2.0", "view", "[1, 2, 29, 8, 8]", "3776"),
    ("convnext_tiny", "features.0.0", 48, "features.0.1", "norm", "96", "48"),
    ("yolov6n.yaml", "model.10.conv", 32, "model.11", "direct", "64", "32"),
    ("yolov9t.yaml", "model.2.cv1.conv", 31, "model.2.cv2.conv", "direct", "16", "15"),
    ("yolo11n.yaml", "model.10.cv1.conv", 128, "model.10", "split", "256", "128"),
    ("yolo12n.yaml", "model.6.m.0.0.attn.qkv.conv", 96, "model.6.m.0.0.attn", "view", "[4, 4, 192]", "1536"),
    ("rtdetr-l.yaml", "model.10.conv", 128, "model.11.ma", "linear", "256", "128"),
    ("rtdetr-l.yaml", "model.10.conv", 1, "model.11", "elementwise", "a multiple of 4", "another number"),
]


@pytest.mark.parametrize(("name", "layer", "count", "module", "kind", "expected", "got"), BROKEN)
def test_the_complaint_about_one_cut_layer(
    name: str, layer: str, count: int, module: str, kind: str, expected: str, got: str
) -> None:
    failure = carried_out(net(name), Plan([Step(layer, range(count))], "local")).failure
    assert failure is not None
    assert (failure.module, failure.kind, failure.expected, failure.got) == (module, kind, expected, got)


def test_a_layer_that_was_not_reached_is_not_counted() -> None:
    seen = carried_out(net("resnet18"), Plan([Step("layer2.0.conv1", range(7))], "local"))
    assert seen.failure is not None
    assert seen.failure.module == "layer2.0.conv2"
    assert (seen.active["layer1.1.conv2"], seen.active["layer2.0.conv1"]) == (64, 7)
    assert "layer2.0.conv2" not in seen.active
    assert seen.ports["layer1.1:add", "out0"].channels == 64
    assert ("layer2.0:add", "out0") not in seen.ports


def test_an_observed_model_is_left_as_it_was() -> None:
    model = copy.deepcopy(net("rtdetr-l.yaml")).train()
    before = {name: dict(vars(module)) for name, module in model.named_modules()}
    tensors = {name: (id(tensor), tensor.clone()) for name, tensor in model.state_dict(keep_vars=True).items()}
    observe(Reference.of_plan(model, Plan([Step("model.28.input_proj.0.0", [0])])), model, 64)
    for name, module in model.named_modules():
        for attribute, value in vars(module).items():
            assert value is before[name][attribute] or value == before[name][attribute], (name, attribute)
        assert vars(module).keys() == before[name].keys()
    for name, tensor in model.state_dict(keep_vars=True).items():
        assert id(tensor) == tensors[name][0]
        assert torch.equal(tensor, tensors[name][1])


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("resnet18", "fc"),
        ("mobilenet_v3_small", "classifier.3"),
        ("convnext_tiny", "classifier.2"),
        ("yolo11n.yaml", "model.23"),
        ("rtdetr-l.yaml", "model.28"),
    ],
)
def test_the_last_block(name: str, last: str) -> None:
    assert structure_of(net(name), 64).last == last
