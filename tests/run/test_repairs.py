"""A record keeps how a failure comes about and what would make the plan safe."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models import graph_of
from tests.run.test_engine import PLAIN, record_of
from yolo_prune_check.channels.plan import Plan, Step
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.run.record import RemovalRecord, read_record, write_record
from yolo_prune_check.run.repairs import repair_record


def test_only_unsafe_plans_have_one() -> None:
    safe = predict(graph_of(), Plan([Step("model.1.conv", range(16))]))
    assert repair_record(safe) is None


def test_a_change_of_execution_removes_nothing_else() -> None:
    found = repair_record(predict(graph_of(), Plan([Step("model.1.conv", range(16))], "local")))
    assert found is not None
    assert (found.execution, found.mask, found.drop, found.extra) == ("group", "silent", (), ())
    assert found.message == "Carry the plan out with execution `group`, which removes whole dependency groups."


def test_what_is_removed_besides_is_listed() -> None:
    keep = (*range(16), *range(32, 48))
    plan = Plan([Step("model.4.cv1.conv", keep), Step("model.22.cv3.0.2", range(40))], "local")
    found = repair_record(predict(graph_of(), plan))
    assert found is not None
    assert found.drop == ("model.22.cv3.0.2",)
    assert found.extra == (
        RemovalRecord("model.4.m.0.cv2.conv", tuple(range(16, 32))),
        RemovalRecord("model.4.m.1.cv2.conv", tuple(range(16, 32))),
    )


@pytest.mark.parametrize("predict_only", [False, True])
def test_records_hold_path_and_repair_and_survive_the_disk(predict_only: bool, tmp_path: Path) -> None:
    text = PLAIN + "    blocks: [4]\n    layers: first\n    execution: local\n"
    record = record_of(tmp_path, text, predict_only=predict_only)
    (step,) = record.steps
    assert step.predicted_failure is not None
    assert step.predicted_failure.path == ("model.4.cv1.conv", "chunk[1]", "model.4.m.0.cv1.conv")
    assert step.repair is not None
    assert step.repair.execution == "group"
    write_record(record, tmp_path / "record.json")
    read = read_record(tmp_path / "record.json")
    assert read == record
    assert read.steps[0].predicted_failure is not None
    assert read.steps[0].predicted_failure.path == step.predicted_failure.path  # == does not compare paths
