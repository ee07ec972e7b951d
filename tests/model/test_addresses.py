"""Every way to name a layer, and what is said about every wrong one."""

from __future__ import annotations

import pytest
from torch import nn

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.addresses import find_layer
from yolo_prune_check.model.layers import layers_of
from yolo_prune_check.model.load import load_model


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return load_model("yolov8n.yaml")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("2.0", "model.2.cv1.conv"),
        (" 2.3 ", "model.2.m.0.cv2.conv"),
        ("model.2.cv1.conv", "model.2.cv1.conv"),
        ("model.2.cv1", "model.2.cv1.conv"),
        ("model.1", "model.1.conv"),
        ("model.22.dfl", "model.22.dfl.conv"),
        ("22.18", "model.22.dfl.conv"),
    ],
)
def test_found(model: nn.Module, text: str, name: str) -> None:
    assert find_layer(model, text).name == name


def test_every_address_and_every_name_find_their_layer(model: nn.Module) -> None:
    for layer in layers_of(model):
        assert find_layer(model, layer.address) == find_layer(model, layer.name) == layer


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("99.0", "block 99: the model has blocks 0-22: got '99.0'."),
        ("1.1", "block 1 has 1 Conv2d (1.0): got '1.1'."),
        ("2.7", "block 2 has 4 Conv2d (2.0, 2.1, 2.2, 2.3): got '2.7'."),
        ("10.0", "block 10 has no Conv2d: got '10.0'. Name a block that has one."),
        (
            "22.19",
            "block 22 has 19 Conv2d (22.0, 22.1, 22.2, 22.3, 22.4, 22.5, 22.6, 22.7, …, 22.18): got '22.19'.",
        ),
        ("model.2", "model.2 (C2f) has 4 Conv2d (2.0, 2.1, 2.2, 2.3): got 'model.2'. Name one of them."),
        ("model.10", "model.10 (Upsample) has no Conv2d: got 'model.10'. Name a Conv2d."),
        (
            "model.2.cv1.cnov",
            "no layer has this name: got 'model.2.cv1.cnov'. Did you mean 'model.2.cv1.conv'? "
            "A layer is an address such as 2.0, or a qualified name such as model.0.conv.",
        ),
        (
            "first",
            "no layer has this name: got 'first'. "
            "A layer is an address such as 2.0, or a qualified name such as model.0.conv.",
        ),
        ("", "no layer has this name: got ''."),
        ("-1.0", "no layer has this name: got '-1.0'."),
    ],
)
def test_not_found(model: nn.Module, text: str, says: str) -> None:
    with pytest.raises(UserError) as caught:
        find_layer(model, text)
    assert str(caught.value).startswith(says)
