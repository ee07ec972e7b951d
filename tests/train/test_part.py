"""A part of the val images: parts are disjoint, make up the whole, and one that is empty is refused."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.train.tasks import MODELS, build, write_task_data
from tests.train.tiny import SIZE, Recorder, write_data
from yolo_prune_check.data.resolve import read_data
from yolo_prune_check.errors import UserError
from yolo_prune_check.run.baseline import baseline_scores
from yolo_prune_check.spec.part import Part, read_part
from yolo_prune_check.train.evaluate import evaluate, val_images


@given(st.integers(1, 40), st.integers(1, 6), st.integers(1, 5), st.data())
def test_parts_are_disjoint_and_make_up_the_whole(size: int, of: int, count: int, data: st.DataObject) -> None:
    items = range(size)
    parts = [Part(number, of).take(items) for number in range(1, of + 1)]
    assert sorted(chain(*parts)) == list(items)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    part = Part(data.draw(st.integers(1, of)), of)
    folds = [fold.take(items) for fold in part.split(count)]
    assert sorted(chain(*folds)) == list(part.take(items))


@pytest.mark.parametrize("text", ["", "1", "1/", "0/2", "3/2", "1/2/3", "-1/2", "a/b", "1/0", "1/1001", None, 0.5])
def test_what_is_no_part_is_refused(text: object) -> None:
    with pytest.raises(UserError, match=r"part of the val images") as told:
        read_part(text, where="--val-part")
    assert "such as 1/2 and 2/2" in str(told.value)


@pytest.mark.parametrize("task", MODELS)
def test_only_the_images_of_the_part_are_measured_on(task: str, tmp_path: Path) -> None:
    model, whole = build(task), write_task_data(tmp_path / "whole", task, train=1, val=4)
    shown = Recorder()
    by_part = evaluate(model, data=str(whole), imgsz=SIZE, progress=shown, part=Part(2, 2))
    assert shown.tasks == [("evaluate on 2 images", 2)]
    assert sum(shown.steps) == 2
    for image in val_images(read_data(str(whole)), Part(1, 2)):
        image.unlink()
    assert evaluate(model, data=str(whole), imgsz=SIZE, progress=Recorder()) == by_part


def test_the_untouched_models_scores_are_kept_by_part(tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    shown = Recorder()
    for part in (None, Part(1, 3), Part(2, 3), Part(1, 3)):
        baseline_scores("yolov8n.yaml", str(tmp_path / "data" / "tiny.yaml"), 32, shown, part=part)
    assert shown.tasks == [("evaluate on 6 images", 6), ("evaluate on 2 images", 2), ("evaluate on 2 images", 2)]


def test_an_empty_part_is_told(tmp_path: Path) -> None:
    data = str(write_data(tmp_path, train=1, val=2))
    with pytest.raises(UserError, match=r"the part of the val images is empty: got '3/3'\. The data set has 2 val"):
        evaluate(build("detect"), data=data, imgsz=SIZE, progress=Recorder(), part=Part(3, 3))


def test_a_part_without_a_label_is_told(tmp_path: Path) -> None:
    data = str(write_data(tmp_path, train=1, val=3))
    (tmp_path / "labels" / "val" / "01.txt").unlink()
    with pytest.raises(UserError, match=r"part 2/3 of the val images cannot be used: no image has a label"):
        evaluate(build("detect"), data=data, imgsz=SIZE, progress=Recorder(), part=Part(2, 3))
