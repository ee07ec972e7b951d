"""Every task is trained as detection is: the module that is given, masks and widths kept, no trace left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.tasks import MODELS, build, write_task_data
from tests.train.tiny import SIZE, Recorder, files, narrow, same, state
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.load import load_model
from yolo_prune_check.progress import progress
from yolo_prune_check.prune.mask import LayerMask, MaskSet
from yolo_prune_check.spec.schema import FineTune
from yolo_prune_check.train.finetune import FineTuneResult, fine_tune

MASKS = MaskSet((LayerMask("model.3.conv", tuple(range(0, 64, 2)), "silent", "model.3.bn"),))


@pytest.fixture(scope="session")
def data_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    written: dict[str, str] = {}

    def of(task: str) -> str:
        if task not in written:
            written[task] = str(write_task_data(tmp_path_factory.mktemp(task), task))
        return written[task]

    return of


def tune(model: Any, data: str, work: Path, masks: MaskSet | None = None, report: Any = None) -> FineTuneResult:
    return fine_tune(
        model,
        data=data,
        imgsz=SIZE,
        settings=FineTune(epochs=1, batch=3, lr=1e-3),
        seed=0,
        masks=masks,
        work_dir=work,
        progress=report or progress(quiet=True),
    )


@pytest.mark.parametrize("task", MODELS)
def test_a_pruned_and_masked_model_learns_and_stays_what_it_is(
    task: str, data_of: Callable[[str], str], tmp_path: Path
) -> None:
    model, data = build(task), data_of(task)
    narrow(model, 20)
    before = files(Path(data) if task == "classify" else Path(data).parent)
    result = tune(model, data, tmp_path / "work", MASKS)
    old, new = state(model), state(result.model)
    assert {name: value.shape for name, value in new.items()} == {name: value.shape for name, value in old.items()}
    assert new["model.1.conv.weight"].shape[0] == 20
    assert result.regrown == MASKS.regrown(result.model) == {"model.3.conv": 0}
    head = f"model.{len(model.model) - 1}."
    learned = [name for name in new if name.startswith(head) and not torch.equal(new[name], old[name])]
    assert learned  # its own loss reached its own head
    assert files(Path(data) if task == "classify" else Path(data).parent) == before
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize(("task", "part"), [("segment", "cv4"), ("pose", "cv4"), ("obb", "cv4"), ("segment", "proto")])
def test_the_loss_of_the_task_reaches_the_branch_that_only_it_has(
    task: str, part: str, data_of: Callable[[str], str], tmp_path: Path
) -> None:
    model = build(task)
    result = tune(model, data_of(task), tmp_path)
    before, after = (head.get_submodule(part).parameters() for head in (model.model[-1], _head(result)))
    assert not any(torch.equal(old, new) for old, new in zip(before, after, strict=True))


def _head(result: FineTuneResult) -> Any:
    model: Any = result.model
    return model.model[-1]


def test_a_classifier_keeps_its_outputs_where_the_data_has_fewer_classes(
    data_of: Callable[[str], str], tmp_path: Path
) -> None:
    """The stock trainer replaces the last layer by one of the data set's size."""
    model = load_model("yolov8n-cls.yaml")
    assert _head(tune(model, data_of("classify"), tmp_path)).linear.out_features == 1000


def test_classification_twice_is_the_same(data_of: Callable[[str], str], tmp_path: Path) -> None:
    model = build("classify")
    first, second = (tune(model, data_of("classify"), tmp_path) for _ in range(2))
    assert same(state(first.model), state(second.model))


def test_unreadable_pictures_of_a_class_are_reported_and_left_out(tmp_path: Path) -> None:
    data = write_task_data(tmp_path / "set", "classify")
    (data / "train/dark/01.png").write_bytes(b"no image")
    recorder = Recorder()
    tune(build("classify"), str(data), tmp_path, report=recorder)
    (line,) = recorder.lines
    assert line.startswith(f"{data}: 1 of 6 images left out; the first: ")
    assert "01.png" in line


def test_boxes_are_not_enough_for_segmentation(tmp_path: Path) -> None:
    data = write_task_data(tmp_path / "set", "detect")
    with pytest.raises(
        UserError, match=r"no image .* can be used: got '.*00.txt: a box stands where a polygon should'"
    ):
        tune(build("segment"), str(data), tmp_path)


@pytest.mark.parametrize(
    ("task", "given", "says"),
    [
        ("classify", "detect", "a model for classify needs another kind of data set. Give a folder with train/CLASS/"),
        ("detect", "classify", "a model for detect needs another kind of data set. Give a dataset YAML"),
        ("pose", "detect", r"the model finds keypoints of shape \[4, 3\], the data set has others: got None"),
    ],
)
def test_data_of_another_task_is_refused(
    task: str, given: str, says: str, data_of: Callable[[str], str], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=says):
        tune(build(task), data_of(given), tmp_path)


@pytest.mark.parametrize("name", ["yolov8n-rtdetr.yaml", "yolo26n-sem.yaml"])
def test_what_ultralytics_trains_in_another_way_is_refused(name: str, tiny: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"only YOLO models that detect, .* or fine-tuned: got '"):
        tune(load_model(name), tiny, tmp_path)
