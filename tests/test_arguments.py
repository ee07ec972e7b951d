"""What people hand to the Python functions: wrappers of Ultralytics, and what is no model at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import nn
from ultralytics import YOLO

import yolo_prune_check as ypc
from tests.models import graph_of, stock

PLAN = ypc.Plan([ypc.Step("model.1.conv", range(16))], "local")


def test_the_wrapper_of_ultralytics_stands_for_its_network() -> None:
    wrapped = YOLO("yolov8n.yaml")
    mode = wrapped.model.training
    graph = ypc.ChannelGraph.trace(wrapped, imgsz=64)
    assert list(graph.layers) == list(graph_of().layers)
    pruned = ypc.prune(wrapped, PLAN)
    assert type(pruned) is type(wrapped.model)
    assert pruned.get_submodule("model.1.conv").weight.shape[0] == 16
    assert ypc.confirm(wrapped, PLAN, ypc.predict(graph, PLAN)).agrees
    assert wrapped.model.training is mode


TRACE = ypc.ChannelGraph.trace
USES: dict[str, Callable[[Any], object]] = {
    "trace": TRACE,
    "prune": lambda model: ypc.prune(model, PLAN),
    "confirm": lambda model: ypc.confirm(model, PLAN, ypc.predict(graph_of(), PLAN)),
}
CONTENT = "Give the network itself, such as what ypc.load_model returns."


@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("yolo11n.yaml", 'got str. Load it with ypc.load_model("yolo11n.yaml").'),
        ({"model": None}, f"got dict. {CONTENT}"),
        (None, f"got NoneType. {CONTENT}"),
        (nn.Conv2d, f"got the class Conv2d. {CONTENT}"),
    ],
)
def test_what_is_no_module_is_refused(name: str, given: object, message: str) -> None:
    with pytest.raises(ypc.UserError) as caught:
        USES[name](given)
    assert str(caught.value) == f"{name} takes an nn.Module: {message}"


def test_an_exported_model_has_no_network(tmp_path: Path) -> None:
    exported = tmp_path / "best.onnx"
    exported.touch()
    with pytest.raises(ypc.UserError) as caught:
        TRACE(YOLO(exported))
    assert str(caught.value) == f"trace takes an nn.Module: got a YOLO of '{exported}'. {CONTENT}"


@pytest.mark.parametrize("imgsz", [-3, 0, 64.0, "64", (64, 64), True, None])
def test_an_image_has_a_positive_size(imgsz: Any) -> None:
    with pytest.raises(ypc.UserError) as caught:
        TRACE(stock(), imgsz=imgsz)
    assert str(caught.value) == (
        f"imgsz must be a positive whole number of pixels: got {imgsz!r}. Give one number: images are square."
    )


def test_a_confirmation_needs_a_prediction() -> None:
    with pytest.raises(ypc.UserError) as caught:
        ypc.confirm(stock(), PLAN, None)  # type: ignore[arg-type]
    assert str(caught.value) == "confirm takes a Prediction: got NoneType. Give what ypc.predict(graph, plan) returns."


def test_a_prediction_needs_a_graph() -> None:
    with pytest.raises(ypc.UserError) as caught:
        ypc.predict(stock(), PLAN)  # type: ignore[arg-type]
    assert str(caught.value) == (
        "predict takes a ChannelGraph: got DetectionModel. Give what ypc.ChannelGraph.trace(model) returns."
    )
