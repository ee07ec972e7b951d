"""The image size that a model is used at where nobody names one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn

from tests.small import dense_digits
from yolo_prune_check.model.image_size import image_size, trained_size
from yolo_prune_check.model.load import load_model
from yolo_prune_check.prune.copied import copied


def trained(arguments: Any) -> nn.Module:
    model: Any = copied(dense_digits())
    model.args = arguments
    return model


@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        ({"imgsz": 640}, 640),
        (SimpleNamespace(imgsz=320), 320),
        ({"imgsz": [384, 640]}, 640),
        ({"imgsz": (640, 384)}, 640),
        ({"imgsz": 100}, 128),
        ({"imgsz": 1536}, 1536),
        ({"imgsz": None}, None),
        ({"imgsz": "large"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_what_it_was_trained_at_is_taken(arguments: Any, size: int | None) -> None:
    assert trained_size(trained(arguments)) == size
    assert image_size(trained(arguments)) == (size or 640)


@pytest.mark.parametrize(
    ("name", "size"),
    [("yolov8n-digits", 128), ("yolov8n.yaml", 640), ("yolov8n-cls.yaml", 224), ("yolo26n-sem.yaml", 640)],
)
def test_what_was_never_trained_is_used_as_ultralytics_would(name: str, size: int) -> None:
    assert image_size(load_model(name)) == size
