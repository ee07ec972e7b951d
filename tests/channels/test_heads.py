"""What is the model's head, and which layers it decodes."""

from __future__ import annotations

import pytest

from tests.models import graph_of
from tests.odd.nets_sharing import LentAdd
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.heads import home_of
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("yolov8n", "model.22"),
        ("yolov8n-seg", "model.22"),
        ("yolov8n-pose", "model.22"),
        ("yolov8n-obb", "model.22"),
        ("yolov8n-cls", "model.9"),
        ("yolov9c-seg", "model.22"),
        ("yolo11n-seg", "model.23"),
        ("yolo12n-seg", "model.21"),
        ("yolo26n-seg", "model.23"),
        ("yoloe-11n-seg", "model.23"),
    ],
)
def test_the_head_is_the_last_block_although_its_activations_are_those_of_the_first(name: str, head: str) -> None:
    assert home_of(graph_of(f"{name}.yaml").program) == head


@pytest.mark.parametrize("family", ["yolov8n", "yolo11n", "yolo12n"])
def test_a_segmentation_model_freezes_nothing_that_its_detector_does_not(family: str) -> None:
    """But in its head."""
    frozen = []
    for name in (f"{family}.yaml", f"{family}-seg.yaml"):
        graph = graph_of(name)
        head = home_of(graph.program)
        assert head is not None
        kept = [part for group in graph.groups if group.frozen is not None for part in group.members]
        frozen.append({str(part) for part in kept if not part.layer.startswith(head)})
        assert all(layer.startswith(f"{head}.") for layer in graph.head_layers)
    assert frozen[0] == frozen[1]


def test_masking_inside_an_attention_of_a_segmentation_model_is_as_safe_as_in_a_detector() -> None:
    for name in ("yolo11n.yaml", "yolo11n-seg.yaml"):
        plan = Plan([Step("model.10.m.0.attn.pe.conv", range(64))], "mask")
        assert predict(graph_of(name), plan).verdict == "safe"


def test_what_fails_in_a_lent_module_is_named_after_where_it_fails() -> None:
    graph = ChannelGraph.trace(LentAdd().eval(), imgsz=32)
    failure = predict(graph, Plan([Step("blocks.1.b.0", range(5))], "local")).failure
    assert failure is not None
    assert failure.module == "blocks.1.add"
