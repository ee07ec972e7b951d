"""The shipped detector: a stock network, as accurate as its JSON file says, without traces of where it was made."""

from __future__ import annotations

import json
import pickletools
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from yolo_prune_check.data import SHIPPED_MODELS, shipped_model
from yolo_prune_check.errors import UserError

ABSOLUTE = re.compile(r"^(/|~|[A-Za-z]:[\\/])")


@pytest.fixture(scope="module")
def weights() -> Path:
    return shipped_model("yolov8n-digits")


@pytest.fixture(scope="module")
def facts(weights: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))
    return content


def test_every_shipped_model_is_there() -> None:
    assert SHIPPED_MODELS == ("yolov8n-digits",)
    for name in SHIPPED_MODELS:
        assert 5e6 < shipped_model(name).stat().st_size < 7e6


def test_unknown_shipped_model_names_the_known() -> None:
    with pytest.raises(UserError, match=r"'yolov8x'.*yolov8n-digits"):
        shipped_model("yolov8x")


def test_it_is_the_stock_network(weights: Path) -> None:
    from ultralytics import YOLO
    from ultralytics.nn.tasks import DetectionModel

    model = YOLO(str(weights)).model
    assert type(model) is DetectionModel
    assert sum(isinstance(module, nn.Conv2d) for module in model.modules()) == 64
    assert sum(isinstance(module, nn.BatchNorm2d) for module in model.modules()) == 57
    assert model.model[-1].nc == 10
    assert model.names == {label: str(label) for label in range(10)}
    stock = DetectionModel("yolov8n.yaml", nc=10, verbose=False)
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert shapes == {name: tuple(value.shape) for name, value in stock.state_dict().items()}


def test_plain_torch_loads_it(weights: Path) -> None:
    checkpoint = torch.load(weights, map_location="cpu", weights_only=False)
    model = checkpoint["model"]
    assert {value.dtype for value in model.state_dict().values()} == {torch.float16, torch.int64}
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())
    assert not model.training
    with torch.inference_mode():
        out = model.float()(torch.zeros(1, 3, 128, 128))
    assert out[0].shape == (1, 14, 336)


def test_no_trace_of_the_machine(weights: Path) -> None:
    with zipfile.ZipFile(weights) as archive:
        (pickled,) = [name for name in archive.namelist() if name.endswith("data.pkl")]
        strings = [arg for _, arg, _ in pickletools.genops(archive.read(pickled)) if isinstance(arg, str)]
    assert "yolov8n.yaml" in strings  # the scan does find strings
    assert [text for text in strings if ABSOLUTE.match(text)] == []
    checkpoint = torch.load(weights, map_location="cpu", weights_only=False)
    assert "git" not in checkpoint
    assert checkpoint["date"] is None


def test_measured_accuracy(weights: Path, facts: dict[str, Any]) -> None:
    from yolo_prune_check.data.train_digits import measure

    measured = measure(weights)
    assert measured["map50"] >= 0.90
    assert measured["map50_95"] >= 0.70
    assert measured == pytest.approx(facts["metrics"], abs=0.005)


def test_accuracy_on_pictures_that_chose_nothing(weights: Path, facts: dict[str, Any]) -> None:
    from yolo_prune_check.data.train_digits import measure

    measured = measure(weights, fresh=True)
    assert measured["map50"] >= 0.90
    assert measured["map50_95"] >= 0.70
    assert measured == pytest.approx(facts["fresh_metrics"], abs=0.005)


def test_json_names_this_data_set(facts: dict[str, Any]) -> None:
    from yolo_prune_check.data import content_hash, digits_yaml

    assert facts["data_sha256"] == content_hash(digits_yaml().parent)
    assert facts["imgsz"] == 128
    assert set(facts["versions"]) == {"python", "torch", "ultralytics"}
