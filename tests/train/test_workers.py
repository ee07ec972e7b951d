"""Images that other processes read: the same weights again, interrupted or not, and the same mAP as without."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.tasks import build, write_task_data
from tests.train.test_resume import BATCHES, Killed, Killer, fingerprint, killed, tune
from tests.train.tiny import SIZE, Recorder, same
from yolo_prune_check.progress import progress
from yolo_prune_check.train import devices
from yolo_prune_check.train.devices import workers_of
from yolo_prune_check.train.evaluate import evaluate
from yolo_prune_check.train.trainer import GivenModelTrainer

TWO = {"epochs": 2, "workers": 2}


@pytest.fixture(autouse=True)
def cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 16)


@pytest.fixture
def loaders(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many processes read, batch by batch."""
    seen: list[int] = []
    check = GivenModelTrainer._check_loss

    def watched(trainer: Any) -> None:
        seen.append(len(trainer.train_loader.iterator._workers))
        check(trainer)

    monkeypatch.setattr(GivenModelTrainer, "_check_loss", watched)
    return seen


def test_the_weights_are_the_same_again_also_after_an_interruption(
    network: Any, tiny: str, tmp_path: Path, loaders: list[int]
) -> None:
    undisturbed = tune(network, tiny, tmp_path, settings=TWO, resume_dir=None)
    assert loaders == [2] * 2 * BATCHES
    with pytest.raises(Killed):
        tune(network, tiny, tmp_path, Killer(BATCHES + 1, killed), settings=TWO)
    recorder = Recorder()
    assert same(tune(network, tiny, tmp_path, recorder, settings=TWO), undisturbed)
    assert recorder.lines == ["fine-tuning goes on after epoch 1 of 2"]


def test_the_seed_counts_and_a_classifier_is_read_for_as_well(tmp_path: Path) -> None:
    data, model = str(write_task_data(tmp_path / "set", "classify")), build("classify")
    settings = {"epochs": 1, "batch": 3, "workers": 2}
    first, second, other = (
        tune(model, data, tmp_path, settings=settings, resume_dir=None, seed=seed) for seed in (0, 0, 1)
    )
    assert same(first, second)
    assert not same(first, other)


def test_map_does_not_depend_on_them(digits_model: Any, tiny: str) -> None:
    two, none = (
        evaluate(digits_model, data=tiny, imgsz=SIZE, progress=progress(quiet=True), batch=2, workers=workers)
        for workers in (2, 0)
    )
    assert two == none


@pytest.mark.parametrize(
    ("asked", "device", "gpus", "workers"),
    [
        (None, "cpu", 0, 0),
        (None, "cpu", 4, 0),
        (3, "cpu", 0, 3),
        (64, "cpu", 2, 16),
        (None, "0", 1, 8),
        (0, "0", 1, 0),
        (None, "0", 4, 4),
        (None, "0,1", 2, 8),
    ],
)
def test_how_many_there_are(
    asked: int | None, device: str, gpus: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "_count", lambda: gpus)
    assert workers_of(asked, device) == workers


def test_their_number_makes_another_training(network: Any, tiny: str) -> None:
    none, two = (fingerprint(network, Path(tiny), settings={"workers": workers}) for workers in (None, 2))
    assert none != two


def test_images_can_be_sent_to_a_process_that_is_not_forked(tiny: str) -> None:
    from ultralytics.cfg import get_cfg

    from yolo_prune_check.data.labelled import LabelledImages
    from yolo_prune_check.data.resolve import read_data

    data = read_data(tiny)
    lines: list[str] = []
    arguments: Any = get_cfg(overrides={"imgsz": SIZE})
    images = LabelledImages(
        data.images("val"), data, task="detect", hyp=arguments, augment=False, batch=2, stride=32,
        report=lambda line: lines.append(line),
    )  # fmt: skip
    again = pickle.loads(pickle.dumps(images))
    assert torch.equal(again[0]["img"], images[0]["img"])
