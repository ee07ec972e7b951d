"""The notes' sequence: which modules, and where it fails on a model that nobody has touched (DESIGN fact 9)."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from yolo_prune_check.model.addresses import find_layer
from yolo_prune_check.model.load import load_model
from yolo_prune_check.model.sequence import sliced_module, sliced_names


@pytest.fixture(scope="module")
def small() -> nn.Module:
    return load_model("yolov8s.yaml")


def test_names(small: nn.Module) -> None:
    assert sliced_names(small, find_layer(small, "0.0")) == ("model.0",)
    assert sliced_names(small, find_layer(small, "1.0")) == ("model.0", "model.1")
    assert sliced_names(small, find_layer(small, "2.3")) == (
        "model.0",
        "model.1",
        "model.2.cv1",
        "model.2.cv2",
        "model.2.m.0.cv1",
        "model.2.m.0.cv2",
    )


def test_it_is_made_of_the_model_itself(small: nn.Module) -> None:
    sequence = sliced_module(small, find_layer(small, "2.0"))
    assert [id(module) for module in sequence] == [
        id(small.get_submodule(name)) for name in ("model.0", "model.1", "model.2.cv1")
    ]


@pytest.mark.parametrize("address", ["0.0", "1.0", "2.0", "3.0", "4.0", "5.0", "7.0"])
def test_a_conv_block_and_the_first_layer_of_a_c2f_can_be_reached(small: nn.Module, address: str) -> None:
    layer = find_layer(small, address)
    image = torch.rand(1, 3, 64, 64)
    seen: list[torch.Tensor] = []
    handle = small.get_submodule(layer.emitter).register_forward_hook(lambda _m, _a, out: seen.append(out))
    with torch.no_grad():
        small(image)
        handle.remove()
        assert torch.equal(sliced_module(small, layer)(image), seen[0])


def test_the_untouched_c2f_fails_as_in_the_notes(small: nn.Module) -> None:
    with pytest.raises(RuntimeError, match="to have 96 channels, but got 64 channels instead"):
        sliced_module(small, find_layer(small, "2.1"))(torch.rand(1, 3, 64, 64))
