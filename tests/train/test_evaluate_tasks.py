"""Each task is measured by its own mAP, a classifier by its accuracy: the numbers of stock validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.tasks import build, sighted, write_task_data
from tests.train.tiny import SIZE, same, state
from yolo_prune_check.data.resolve import read_data
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.load import load_model
from yolo_prune_check.progress import progress
from yolo_prune_check.scores import Accuracy
from yolo_prune_check.train.evaluate import evaluate

QUIET = progress(quiet=True)


def stock(model: Any, task: str, data: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """What plain `YOLO(file).val()` measures."""
    import ultralytics.data.utils
    from ultralytics.models import YOLO

    monkeypatch.setattr(ultralytics.data.utils, "check_font", lambda *_: None)  # it would go online
    file = folder / "model.pt"
    model.task = task
    torch.save({"model": model, "train_args": {"task": task}}, file)
    threads = torch.get_num_threads()
    validated: Any = YOLO(file)
    measured = validated.val(
        data=str(data), imgsz=SIZE, batch=4, device="cpu", plots=False, workers=0, project=str(folder)
    )
    torch.set_num_threads(threads)
    return dict(measured.results_dict)


@pytest.mark.parametrize(("task", "letter"), [("detect", "B"), ("segment", "M"), ("pose", "P"), ("obb", "B")])
def test_the_map_is_that_of_the_task(task: str, letter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_task_data(tmp_path / "set", task, train=1, val=6)
    model = sighted(build(task))
    before = state(model)
    ours = evaluate(model, data=str(data), imgsz=SIZE, progress=QUIET, batch=4)
    assert same(state(model), before)
    theirs = stock(model, task, data, tmp_path, monkeypatch)
    assert ours.map50 == pytest.approx(theirs[f"metrics/mAP50({letter})"], rel=0.02)
    assert ours.map50_95 == pytest.approx(theirs[f"metrics/mAP50-95({letter})"], rel=0.02)
    assert ours.map50 > 0.005  # it finds something, or the comparison would say nothing
    if letter != "B":
        assert ours.map50 != pytest.approx(theirs["metrics/mAP50(B)"], rel=0.05)  # another number than that of boxes


def test_keypoints_are_judged_as_exactly_as_the_data_set_says(tmp_path: Path) -> None:
    data = write_task_data(tmp_path / "set", "pose", train=1, val=6)
    model = sighted(build("pose"))
    lenient = evaluate(model, data=str(data), imgsz=SIZE, progress=QUIET)
    data.write_text(data.read_text() + "kpt_oks_sigmas: [0.01, 0.01, 0.01, 0.01]\n")
    assert evaluate(model, data=str(data), imgsz=SIZE, progress=QUIET).map50 < lenient.map50


@pytest.mark.parametrize("sigmas", ["[0.1]", "[0.1, 0.1, 0.1, 0]", "0.1"])
def test_senseless_exactness_is_refused(tmp_path: Path, sigmas: str) -> None:
    data = write_task_data(tmp_path / "set", "pose", train=1, val=1)
    data.write_text(data.read_text() + f"kpt_oks_sigmas: {sigmas}\n")
    with pytest.raises(UserError, match="the data set's 'kpt_oks_sigmas' must be 4 positive numbers: got"):
        read_data(str(data))


def test_a_classifier_is_measured_by_its_accuracy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_task_data(tmp_path / "set", "classify", train=2, val=5)
    model = build("classify")
    with torch.no_grad():
        model.model[-1].linear.bias.copy_(torch.tensor([0.0, 9.0]))  # all of them are dark
    ours = evaluate(model, data=str(data), imgsz=SIZE, progress=QUIET)
    theirs = stock(model, "classify", data, tmp_path, monkeypatch)
    assert ours == Accuracy(top1=pytest.approx(0.4), top5=1.0, majority=0.6)
    assert ours.top1 == pytest.approx(theirs["metrics/accuracy_top1"])


@pytest.mark.parametrize("names", [("dark", "bright"), ("on", "off"), ("bright", "grey", "dark")])
def test_folders_are_the_classes_that_the_model_calls_so(
    names: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that was trained on folders in another order, on others, or on more, always says "dark" or its like."""
    data = write_task_data(tmp_path / "set", "classify", train=2, val=5)
    model = build("classify", nc=len(names))
    model.names = list(names)  # as old checkpoints have them
    said = names.index("dark") if "dark" in names else 1
    with torch.no_grad():
        model.model[-1].linear.bias[said] = 9.0
    ours = evaluate(model, data=str(data), imgsz=SIZE, progress=QUIET)
    assert ours == Accuracy(top1=pytest.approx(0.4), top5=1.0, majority=0.6)
    model.names = dict(enumerate(names))
    assert ours.top1 == pytest.approx(stock(model, "classify", data, tmp_path, monkeypatch)["metrics/accuracy_top1"])


@pytest.mark.parametrize(("name", "task"), [("yolo26n-seg.yaml", "segment"), ("yolo11n-obb.yaml", "obb")])
def test_heads_of_other_generations_can_be_measured(name: str, task: str, tmp_path: Path) -> None:
    data = write_task_data(tmp_path / "set", task, train=1, val=3)
    measured = evaluate(load_model(name), data=str(data), imgsz=SIZE, progress=QUIET)
    assert 0 <= measured.map50_95 <= measured.map50 < 0.5  # untrained
