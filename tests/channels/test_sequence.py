"""The notes' ``nn.Sequential`` over a block's children, predicted."""

from __future__ import annotations

import pytest

from tests.models import graph_of, stock
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.confirm.sequence import observe_sequence
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.layers import layers_of
from yolo_prune_check.model.sequence import sliced_names
from yolo_prune_check.prune.apply import prune


def test_the_notes_mismatch_needs_no_pruning() -> None:
    """DESIGN fact 9, on YOLOv8s, block 2: 96 channels expected, 64 given."""
    failure = graph_of("yolov8s.yaml").predict_sequence(["model.0", "model.1", "model.2.cv1", "model.2.cv2"])
    assert failure is not None
    assert failure.module == "model.2.cv2.conv"
    assert "to have 96 channels, but got 64 channels instead" in failure.message


@pytest.mark.parametrize("name", ["yolov8n.yaml", "yolov8s.yaml"])
def test_every_sliced_model_of_blocks_1_to_9_as_executed(name: str) -> None:
    model, graph = stock(name), graph_of(name)
    fits = []
    for layer in (layer for layer in layers_of(model) if 1 <= layer.block <= 9):
        names = sliced_names(model, layer)
        assert graph.predict_sequence(names) == observe_sequence(model, names, graph.imgsz), layer.name
        if graph.predict_sequence(names) is None:
            fits.append(layer.address)
    assert fits == ["1.0", "2.0", "3.0", "4.0", "5.0", "6.0", "7.0", "8.0", "9.0"]


def test_a_pruned_model_in_sequence_as_executed() -> None:
    """A masked model fits wherever the untouched one does; a shrunk one breaks earlier."""
    model, graph = stock(), graph_of()
    names = sliced_names(model, next(layer for layer in layers_of(model) if layer.address == "3.0"))
    for execution in ("mask", "local"):
        plan = Plan([Step("model.1.conv", range(16))], execution)
        pruned = prune(model, plan, graph=graph)
        assert graph.predict_sequence(names, plan) == observe_sequence(pruned, names, graph.imgsz)


def test_a_module_that_takes_two_inputs_is_refused() -> None:
    with pytest.raises(UserError, match="does not take and return one tensor"):
        graph_of().predict_sequence(["model.11"])
    with pytest.raises(UserError, match=r"model.99: the module did not run in the trace"):
        graph_of().predict_sequence(["model.99"])
