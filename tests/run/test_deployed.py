"""What is said, in a record, of the file that a scenario leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from yolo_prune_check.confirm import onnx_file
from yolo_prune_check.run import run
from yolo_prune_check.run.events import ScenarioFinished
from yolo_prune_check.run.record import Record
from yolo_prune_check.spec import load_spec


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def record_of(text: str) -> Record:
    Path("x.prune.yaml").write_text(text, encoding="utf-8")
    (scenario,) = load_spec("x.prune.yaml").scenarios
    *_, last = run(scenario)
    assert isinstance(last, ScenarioFinished)
    return last.record


@pytest.mark.skipif(onnx_file.missing() is not None, reason="the extra onnx is not installed")
def test_a_map_of_one_pixel_does_not_refute_a_right_export() -> None:
    record = record_of("""\
model: yolov8n-digits
imgsz: 32
scenarios:
  - {id: x, execution: group, round_to: 8, blocks: [1, 2, 3, 4], layers: all, select: {criterion: l1, ratio: 0.3}}
""")
    assert [row.detail for row in record.deploy if not row.passed] == []
    assert record.passed
