"""Numbers that modules keep of their widths, on models of every family that has some."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from yolo_prune_check.confirm.widths import stale_widths
from yolo_prune_check.model.load import load_model

STALE = [
    ("yolov8n", "model.2", "c", 8, "2 × c says 16, the weights say 32"),
    ("yolov8n", "model.0.conv", "in_channels", 4, "in_channels says 4, the weights say 3"),
    ("yolov8n", "model.0.conv", "out_channels", 8, "out_channels says 8, the weights say 16"),
    ("yolov8n", "model.0.bn", "num_features", 8, "num_features says 8, the weights say 16"),
    ("yolov8n", "model.22", "nc", 79, "nc says 79, the weights say 80"),
    ("yolov8n", "model.22", "no", 143, "no - 4 × reg_max says 79, the weights say 80"),
    ("yolov8n", "model.22", "reg_max", 15, "4 × reg_max says 60, the weights say 64"),
    ("yolov9t", "model.4", "c", 20, "2 × c says 40, the weights say 64"),
    ("yolo11n", "model.10", "c", 64, "2 × c says 128, the weights say 256"),
    ("yolo11n", "model.10.m.0.attn", "num_heads", 1, "num_heads × head_dim says 64, the weights say 128"),
    ("yolo11n", "model.10.m.0.attn", "key_dim", 16, "(2 × key_dim + head_dim) says 192, the weights say 256"),
    ("yolo12n", "model.6.m.0.0.attn", "num_heads", 1, "3 × num_heads × head_dim says 96, the weights say 192"),
    ("yolo12n", "model.6.m.0.0.attn", "all_head_dim", 32, "3 × all_head_dim says 96, the weights say 192"),
    ("yolov8n-worldv2", "model.12.attn", "nh", 1, "nh × hc says 32, the weights say 64"),
    ("yolov8n-cls", "model.9.linear", "in_features", 640, "in_features says 640, the weights say 1280"),
    ("yolov9e", "model.10", "c2s", [32], "sum of c2s says 32, the weights say 64"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "module", "attribute", "value", "says"), STALE)
def test_a_number_that_is_not_true_any_more_is_named(
    name: str, module: str, attribute: str, value: Any, says: str
) -> None:
    model = load_model(f"{name}.yaml")
    assert stale_widths(model) == ()
    setattr(model.get_submodule(module), attribute, value)
    assert any(said.startswith(f"{module}: ") and says in said for said in stale_widths(model))


@pytest.mark.parametrize("name", ["yolov8n-ghost", "yolov10n", "yolo26n", "yolo26n-seg", "yolov8n-obb", "yoloe-11s"])
def test_untouched_models_tell_the_truth(name: str) -> None:
    assert stale_widths(load_model(f"{name}.yaml")) == ()


def test_layers_of_pytorch_in_any_network() -> None:
    net: Any = nn.Sequential(
        nn.ConvTranspose2d(4, 6, 3), nn.GroupNorm(2, 6), nn.LayerNorm(8), nn.PReLU(6), nn.BatchNorm1d(6, affine=False)
    )
    assert stale_widths(net) == ()
    net[0].out_channels, net[1].num_channels, net[2].normalized_shape = 5, 4, (7,)
    net[3].num_parameters, net[4].num_features = 1, 3
    assert stale_widths(net) == (
        "0: out_channels says 5, the weights say 6",
        "1: num_channels says 4, the weights say 6",
        "2: normalized_shape says (7,), the weights say (8,)",
        "3: num_parameters says 1, the weights say 6",
        "4: num_features says 3, the weights say 6",
    )
