"""A classifier is pruned, measured by its accuracy, and trained, as specs ask and reports tell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.train.tasks import write_classifier, write_task_data
from tests.train.tiny import write_data
from yolo_prune_check.errors import UserError
from yolo_prune_check.report import write_reports
from yolo_prune_check.run import run
from yolo_prune_check.run.events import BaselineMeasured, Event, ScenarioFinished
from yolo_prune_check.run.record import read_record, write_record
from yolo_prune_check.scores import Accuracy
from yolo_prune_check.spec import load_spec

PLAN = "model: cls.pt\ndata: squares\nimgsz: 64\nscenarios:\n  - id: x\n    steps: [{layer: 1.0, keep: 0-15}]\n"
DETECTOR = PLAN.replace("cls.pt", "yolov8n.yaml").replace("squares", "tiny/tiny.yaml")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a trained classifier, its data, and a data set for detectors; not the working directory."""
    folder = tmp_path_factory.mktemp("classifier")
    write_classifier(folder)
    write_data(folder / "tiny")
    return folder


def events_of(folder: Path, text: str) -> list[Event]:
    (folder / "x.prune.yaml").write_text(text, encoding="utf-8")
    (scenario,) = load_spec(folder / "x.prune.yaml").scenarios
    return list(run(scenario, work_dir=folder / "work", keep=False))


def test_it_is_measured_and_trained_and_pages_say_so(folder: Path, tmp_path: Path) -> None:
    text = PLAN + "    fine_tune: {epochs: 2, batch: 4}\n    expect: {max_accuracy_drop: 1.0}\n"
    events = events_of(folder, text)
    last = events[-1]
    assert isinstance(last, ScenarioFinished)
    record, untouched = last.record, Accuracy(1.0, 1.0, 0.5)
    assert (record.verdict, record.passed, record.agrees) == ("safe", True, True)
    assert [event.scores for event in events if isinstance(event, BaselineMeasured)] == [untouched]
    (step,) = record.steps
    assert record.metrics.scores_before == untouched
    assert isinstance(step.scores_pruned, Accuracy)
    assert isinstance(step.scores_tuned, Accuracy)
    assert record.metrics.scores_after == step.scores_tuned
    assert step.regrown == 0
    write_record(record, tmp_path / "record.json")
    assert read_record(tmp_path / "record.json") == record
    write_reports([record], tmp_path / "pages")
    pages = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "pages").rglob("*.md")}
    assert not any("mAP" in page for page in pages.values())
    after = step.scores_tuned.top1
    words = re.sub(" +", " ", pages["x.md"])
    assert f"| top-1 accuracy | 1.000 | {after:.3f} |" in words
    assert "| top-5 accuracy | 1.000 | 1.000 |" in words
    assert "top-1 / top-5 accuracy after fine-tuning" in pages["x.md"]
    assert f"op-1 accuracy went from 1.000 to {after:.3f}" in pages["x.md"]
    assert "safe, top-1 accuracy measured" in pages["index.md"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            PLAN + "    expect: {max_map_drop: 0.1}\n",
            "7:28: a classifier has no mAP: got 'ClassificationModel'. "
            "Limit its loss by `max_accuracy_drop` instead of `max_map_drop`.",
        ),
        (
            DETECTOR + "    expect: {max_accuracy_drop: 0.1}\n",
            "7:33: only a classifier has an accuracy: got 'DetectionModel for detect'. "
            "Limit its loss by `max_map_drop` instead of `max_accuracy_drop`.",
        ),
        (
            PLAN.replace("steps: [{layer: 1.0, keep: 0-15}]", "layers: [1.0]\n    select: {criterion: separability}"),
            "7:25: a classifier has no mAP: got 'ClassificationModel'. "
            "Choose channels by another criterion, such as l1.",
        ),
        (
            PLAN.replace("squares", "tiny/tiny.yaml"),
            "2:7: {folder}/tiny/tiny.yaml: a model for classify needs another kind of data set",
        ),
        (PLAN.replace("squares", "three"), "2:7: {folder}/three: the data set has 3 classes, the model only 2"),
        (PLAN.replace("squares", "one"), "2:7: {folder}/one: 1 class, but {model} was trained for 2"),
        (PLAN.replace("squares", "other"), "2:7: {folder}/other: the model knows no class 'grey'"),
    ],
)
def test_what_does_not_go_with_it_is_refused_before_anything_runs(text: str, says: str, folder: Path) -> None:
    for name, classes in (("three", ("bright", "dark", "grey")), ("one", ("dark",)), ("other", ("bright", "grey"))):
        for split in ("train", "val"):
            for kind in classes:
                (folder / name / split / kind).mkdir(parents=True, exist_ok=True)
                (folder / name / split / kind / "0.png").touch()
    with pytest.raises(UserError) as refused:
        events_of(folder, text)
    message = says.format(folder=folder, model=folder / "cls.pt")
    assert str(refused.value).startswith(f"{folder}/x.prune.yaml:{message}")


def test_a_classifier_that_has_learned_nothing_says_so(folder: Path) -> None:
    """A stock YAML: the loss of what is no better than naming one class always cannot be judged."""
    write_task_data(folder / "few", "classify", train=2, val=5)
    text = PLAN.replace("cls.pt", "yolov8n-cls.yaml").replace("squares", "few")
    last = events_of(folder, text + "    expect: {max_accuracy_drop: 0.1}\n")[-1]
    assert isinstance(last, ScenarioFinished)
    (failure,) = last.record.failures
    assert failure.startswith("max_accuracy_drop 0.1 could not be judged, because the untouched model is hardly better")
    assert any("(top-1 accuracy 0.000, of one class 0.600)" in note for note in last.record.notes)
