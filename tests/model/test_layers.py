"""Layers: names, addresses, widths, and the module in whose output their channels appear."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from yolo_prune_check.model.layers import Layer, layers_of
from yolo_prune_check.model.load import load_model


@pytest.fixture(scope="module")
def model() -> Any:
    return load_model("yolov8n.yaml")


def test_the_first_layer_of_a_c2f(model: Any) -> None:
    (layer,) = [layer for layer in layers_of(model) if layer.address == "2.0"]
    assert layer == Layer(
        name="model.2.cv1.conv",
        address="2.0",
        block=2,
        index=0,
        in_channels=32,
        out_channels=32,
        emitter="model.2.cv1",
        norm="model.2.cv1.bn",
    )


def test_module_order_within_a_block(model: Any) -> None:
    names = [layer.name for layer in layers_of(model) if layer.block == 2]
    assert names == ["model.2.cv1.conv", "model.2.cv2.conv", "model.2.m.0.cv1.conv", "model.2.m.0.cv2.conv"]


def test_a_bare_convolution_emits_itself(model: Any) -> None:
    by_name = {layer.name: layer for layer in layers_of(model)}
    for name in ("model.22.cv2.0.2", "model.22.cv3.1.2", "model.22.dfl.conv"):
        assert by_name[name].emitter == name
        assert by_name[name].norm is None


def test_there_are_64_of_which_57_have_a_norm(model: Any) -> None:
    layers = layers_of(model)
    assert len(layers) == 64
    assert sum(layer.norm is not None for layer in layers) == 57
    assert len({layer.address for layer in layers}) == 64


def test_a_fused_model_has_no_norms_but_the_same_emitters(model: Any) -> None:
    fused = copy.deepcopy(model).fuse(verbose=False)
    assert all(layer.norm is None for layer in layers_of(fused))
    assert [layer.emitter for layer in layers_of(fused)] == [layer.emitter for layer in layers_of(model)]


@pytest.mark.parametrize("name", ["yolov8n.yaml", "yolov9t.yaml", "yolo11n.yaml", "yolov8n-ghost.yaml"])
def test_the_emitter_carries_the_channels(name: str) -> None:
    """Each emitter's output has the layer's channels, and the layer's norm is the one that ran on its output."""
    model = load_model(name)
    outputs: dict[str, torch.Tensor] = {}
    inputs: dict[str, torch.Tensor] = {}
    handles = []
    for module_name, module in model.named_modules():

        def after(_module: nn.Module, args: tuple[Any, ...], output: Any, key: str = module_name) -> None:
            if isinstance(output, torch.Tensor) and args and isinstance(args[0], torch.Tensor):
                outputs[key], inputs[key] = output.clone(), args[0].clone()

        handles.append(module.register_forward_hook(after))
    with torch.no_grad():
        model(torch.rand(1, 3, 64, 64))
    for handle in handles:  # all models of a process share one activation module
        handle.remove()
    ran = [layer for layer in layers_of(model) if layer.name in outputs]
    assert len(ran) > 40
    for layer in ran:
        assert inputs[layer.name].shape[1] == layer.in_channels
        assert outputs[layer.emitter].shape[:2] == (1, layer.out_channels)
        if layer.norm is not None:
            assert torch.equal(inputs[layer.norm], outputs[layer.name])
