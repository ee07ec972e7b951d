"""At which sizes a model is proven, and what is counted of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.models import graph_of, stock
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.confirm.compare import compare
from yolo_prune_check.confirm.observe import observe
from yolo_prune_check.prune.apply import carry_out
from yolo_prune_check.run.proving import sizes_of, totals

HALF = Plan([Step("model.1.conv", range(16))], "group")


@pytest.mark.parametrize(
    ("name", "imgsz", "sizes"),
    [
        ("yolov8n.yaml", 32, (32, 64)),
        ("yolov8n.yaml", 96, (96, 32)),
        ("yolov8n.yaml", 128, (128, 64)),
        ("yolov8n.yaml", 320, (320, 160)),
        ("yolov8n.yaml", 352, (320, 160)),
        ("yolov8n.yaml", 640, (320, 160)),
        ("yolo26n-p6.yaml", 64, (64, 128)),
        ("yolo26n-p6.yaml", 320, (320, 128)),
        ("yolo26n-p6.yaml", 1280, (320, 128)),
    ],
)
def test_a_proof_is_at_two_sizes_whose_memory_does_not_grow_with_the_image(
    name: str, imgsz: int, sizes: tuple[int, int]
) -> None:
    assert sizes_of(stock(name), imgsz) == sizes


def test_a_model_of_larger_strides_is_proven_at_multiples_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    model = stock()
    for stride, sizes in ((128, (256, 128)), (512, (512, 1024))):
        monkeypatch.setattr(model, "stride", model.stride * (stride // 32))
        assert sizes_of(model, 1280) == sizes
        monkeypatch.undo()


def test_parameters_and_multiply_accumulates_are_held_against_what_was_predicted() -> None:
    graph = graph_of()
    prediction = predict(graph, HALF)
    small = carry_out(stock(), HALF, graph)
    seen = observe(None, small, graph.imgsz)
    rows = totals(compare(prediction, seen))
    assert [(row.name, row.passed, row.detail) for row in rows] == [
        ("parameters as predicted", True, f"{prediction.params:,}"),
        ("multiply-accumulates as predicted", True, f"{prediction.macs:,}"),
    ]
    wrong, right = totals(compare(prediction, replace(seen, params=1)))
    assert (wrong.passed, right.passed) == (False, True)
    assert wrong.detail == f"params: predicted {prediction.params}, observed 1"


def test_of_a_model_that_breaks_nothing_is_counted() -> None:
    graph, cut = graph_of(), replace(HALF, execution="local")
    broken = compare(predict(graph, cut), observe(None, carry_out(stock(), cut, graph), graph.imgsz))
    assert broken.failure is not None
    assert totals(broken) == ()
