"""A scenario without an image size is run at its model's own, and says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.small import dense_digits
from yolo_prune_check.prune.copied import copied
from yolo_prune_check.report.summary import scenario_failure_text
from yolo_prune_check.run.checkpoint import save_checkpoint
from yolo_prune_check.run.content import content_key
from yolo_prune_check.run.engine import run
from yolo_prune_check.run.events import ScenarioFinished
from yolo_prune_check.run.record import Record
from yolo_prune_check.run.sized import sized
from yolo_prune_check.spec import Scenario, load_spec

SPEC = "model: {}\n{}scenarios: [{{id: x, execution: group, steps: [{{layer: 2.0, keep: 0-7}}]}}]\n"


def scenario(model: str, top: str = "", expect: str = "") -> Scenario:
    spec = Path("x.prune.yaml")
    text = SPEC.format(model, top).replace("id: x,", f"id: x, {expect}")
    spec.write_text(text, encoding="utf-8")
    return load_spec(spec).scenarios[0]


def predicted(asked: Scenario) -> Record:
    *_, last = run(asked, work_dir=Path("work"), predict_only=True)
    assert isinstance(last, ScenarioFinished)
    return last.record


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_is_that_of_the_checkpoint_in_record_key_and_text() -> None:
    save_checkpoint(copied(dense_digits()), Path("best.pt"), imgsz=96)
    asked, named = scenario("best.pt"), scenario("best.pt", "imgsz: 96\n")
    record = predicted(asked)
    assert record.imgsz == 96
    assert record.metrics.macs_before == predicted(named).metrics.macs_before
    assert record.metrics.macs_before < predicted(scenario("best.pt", "imgsz: 128\n")).metrics.macs_before
    assert "model best.pt, 96 px, execution group" in scenario_failure_text(record, "")
    keys = [content_key(sized(one), predict_only=False) for one in (asked, named)]
    assert keys[0] == keys[1] != content_key(scenario("best.pt", "imgsz: 128\n"), predict_only=False)


def test_another_model_in_the_place_of_the_first_has_its_own() -> None:
    save_checkpoint(copied(dense_digits()), Path("best.pt"), imgsz=96)
    asked = scenario("best.pt")
    assert sized(asked).imgsz == 96
    save_checkpoint(copied(dense_digits()), Path("best.pt"), imgsz=1280)
    assert sized(asked).imgsz == 1280


@pytest.mark.parametrize(("model", "size"), [("yolov8n.yaml", 640), ("yolov8n-cls.yaml", 224)])
def test_an_untrained_model_has_that_of_its_task(model: str, size: int) -> None:
    assert sized(scenario(model)).imgsz == size


def test_a_model_that_cannot_be_loaded_has_none() -> None:
    Path("best.pt").write_bytes(b"no checkpoint")
    record = predicted(scenario("best.pt", expect="expect: {error: not a checkpoint},"))
    assert (record.verdict, record.passed, record.imgsz) == ("refused", True, None)
    assert " px" not in scenario_failure_text(record, "")
