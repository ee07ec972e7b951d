"""A training that was killed goes on as if it had not been: the weights are the same, bit for bit."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.test_atomic import small_files
from tests.train.tasks import build, write_task_data
from tests.train.tiny import SIZE, Recorder, same, state
from yolo_prune_check.data.resolve import read_data
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.network import as_network
from yolo_prune_check.progress import Progress, progress
from yolo_prune_check.prune.mask import LayerMask, MaskSet
from yolo_prune_check.spec.schema import FineTune
from yolo_prune_check.train.finetune import fine_tune
from yolo_prune_check.train.resume import NAME, fingerprint_of

MASKS = MaskSet((LayerMask("model.1.conv", tuple(range(0, 32, 2)), "silent", "model.1.bn"),))
BATCHES = 3  # of an epoch: ten images in batches of four


class Killed(BaseException):
    """Nothing in the package may catch it."""


class Killer(Recorder):
    """Stops the training when so many batches are done."""

    def __init__(self, batch: int, stop: Callable[[], None]) -> None:
        super().__init__()
        self._batch, self._stop = batch, stop

    def task(self, title: str, total: int | None = None) -> Any:
        self.steps = _Steps(self._batch, self._stop)
        return super().task(title, total)


class _Steps(list[int]):
    def __init__(self, batch: int, stop: Callable[[], None]) -> None:
        super().__init__()
        self._batch, self._stop = batch, stop

    def append(self, units: int) -> None:
        super().append(units)
        if sum(self) == self._batch:
            self._stop()


def killed() -> None:
    raise Killed


def tune(model: Any, data: str, work: Path, report: Progress | None = None, **more: Any) -> dict[str, torch.Tensor]:
    settings = FineTune(**{"epochs": 3, "batch": 4, "lr": 1e-3, **more.pop("settings", {})})
    arguments = {"imgsz": SIZE, "seed": 0, "masks": None, "resume_dir": work / "kept", **more}
    report = report or progress(quiet=True)
    result = fine_tune(model, data=data, settings=settings, work_dir=work / "work", progress=report, **arguments)
    return state(result.model)


def kept(work: Path) -> list[str]:
    return sorted(file.name for file in (work / "kept").iterdir())


@pytest.fixture(scope="module")
def undisturbed(_network: Any, tiny: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    return tune(_network, tiny, tmp_path_factory.mktemp("undisturbed"), masks=MASKS, resume_dir=None)


@pytest.mark.parametrize("batch", [BATCHES + 1, 2 * BATCHES, 2 * BATCHES + 2], ids=["2nd", "2nd-end", "3rd"])
def test_it_goes_on_after_the_last_whole_epoch(
    network: Any, tiny: str, tmp_path: Path, undisturbed: dict[str, torch.Tensor], batch: int
) -> None:
    with pytest.raises(Killed):
        tune(network, tiny, tmp_path, Killer(batch, killed), masks=MASKS)
    assert kept(tmp_path) == [NAME]
    whole = (batch - 1) // BATCHES
    recorder = Recorder()
    resumed = tune(network, tiny, tmp_path, recorder, masks=MASKS)
    assert same(resumed, undisturbed)
    assert recorder.lines == [f"fine-tuning goes on after epoch {whole} of 3"]
    assert recorder.steps == [whole * BATCHES] + [1] * ((3 - whole) * BATCHES)  # nothing is trained twice
    assert kept(tmp_path) == []


def test_a_process_that_is_killed_outright_leaves_a_whole_state(
    network: Any, tiny: str, tmp_path: Path, undisturbed: dict[str, torch.Tensor]
) -> None:
    torch.save(network, tmp_path / "network.pt")
    code = (
        "import os, signal, sys, torch; from pathlib import Path; from tests.train.test_resume import *; "
        "torch.set_num_threads(int(sys.argv[4])); "
        "model = torch.load(sys.argv[1], weights_only=False); "
        f"stop = Killer({BATCHES + 2}, lambda: os.kill(os.getpid(), signal.SIGKILL)); "
        "tune(model, sys.argv[2], Path(sys.argv[3]), stop, masks=MASKS)"
    )
    arguments = [str(tmp_path / "network.pt"), tiny, str(tmp_path), str(torch.get_num_threads())]
    here = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([sys.executable, "-c", code, *arguments], env=environment, cwd=here, check=False)
    assert done.returncode == -signal.SIGKILL
    recorder = Recorder()
    assert same(tune(network, tiny, tmp_path, recorder, masks=MASKS), undisturbed)
    assert recorder.lines == ["fine-tuning goes on after epoch 1 of 3"]


@pytest.mark.parametrize(("task", "cfg"), [("detect", "yolo26n.yaml"), ("pose", None), ("classify", None)])
def test_every_loss_and_every_kind_of_data_goes_on(task: str, cfg: str | None, tmp_path: Path) -> None:
    """YOLO26 weighs its two heads by the epoch; classifiers draw their augmentations from another generator."""
    data = str(write_task_data(tmp_path / "set", task))
    model = build(task, cfg)
    expected = tune(model, data, tmp_path, settings={"epochs": 3, "batch": 3}, resume_dir=None)
    with pytest.raises(Killed):
        tune(model, data, tmp_path, Killer(5, killed), settings={"epochs": 3, "batch": 3})
    recorder = Recorder()
    assert same(tune(model, data, tmp_path, recorder, settings={"epochs": 3, "batch": 3}), expected)
    assert recorder.lines == ["fine-tuning goes on after epoch 2 of 3"]


def test_the_learning_rate_goes_on_rising(
    network: Any, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from yolo_prune_check.train import job
    from yolo_prune_check.train.trainer import GivenModelTrainer

    rates: list[float] = []
    step = GivenModelTrainer.optimizer_step

    def watched(trainer: Any) -> None:
        rates.append(trainer.optimizer.param_groups[0]["lr"])
        step(trainer)

    monkeypatch.setattr(job, "WARMUP_SHARE", 0.7)  # four of six batches: it ends in the second epoch
    monkeypatch.setattr(GivenModelTrainer, "optimizer_step", watched)
    expected = tune(network, tiny, tmp_path, settings={"epochs": 2}, resume_dir=None)
    undisturbed = list(rates)
    assert undisturbed == pytest.approx([1e-3 * share for share in (0.2, 0.4, 0.6, 0.8, 1.0, 1.0)])
    rates.clear()
    with pytest.raises(Killed):
        tune(network, tiny, tmp_path, Killer(BATCHES + 1, killed), settings={"epochs": 2})
    assert rates == undisturbed[: BATCHES + 1]
    rates.clear()
    assert same(tune(network, tiny, tmp_path, settings={"epochs": 2}), expected)
    assert rates == undisturbed[BATCHES:]


@pytest.fixture(scope="module")
def interrupted(_network: Any, tiny: str, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The state after the first of two epochs."""
    work = tmp_path_factory.mktemp("interrupted")
    with pytest.raises(Killed):
        tune(_network, tiny, work, Killer(BATCHES + 1, killed), settings={"epochs": 2})
    return (work / "kept" / NAME).read_bytes()


def put(work: Path, content: bytes) -> None:
    (work / "kept").mkdir()
    (work / "kept" / NAME).write_bytes(content)


def _truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def _signed(body: bytes) -> bytes:
    return hashlib.sha256(body).digest() + body


def _hostile(content: bytes) -> bytes:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, ("trace-of-code",))

    buffer = io.BytesIO()
    torch.save({"model": Trap()}, buffer, pickle_module=pickle)
    return _signed(buffer.getvalue())


@pytest.mark.parametrize("damage", [_truncated, _flipped, _hostile, lambda _: b"", lambda _: _signed(b"no archive")])
def test_a_damaged_state_is_reported_and_training_starts_anew(
    network: Any,
    tiny: str,
    tmp_path: Path,
    interrupted: bytes,
    damage: Callable[[bytes], bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path, damage(interrupted))
    recorder = Recorder()
    tune(network, tiny, tmp_path, recorder, settings={"epochs": 1})
    (line,) = recorder.lines
    assert line.startswith(f"{tmp_path / 'kept' / NAME}: the state of a fine-tuning cannot be used (")
    assert line.endswith("); it starts anew")
    assert recorder.steps == [1] * BATCHES
    assert not (tmp_path / "trace-of-code").exists()
    assert kept(tmp_path) == []


def test_the_state_of_this_very_training_is_taken(network: Any, tiny: str, tmp_path: Path, interrupted: bytes) -> None:
    put(tmp_path, interrupted)
    recorder = Recorder()
    tune(network, tiny, tmp_path, recorder, settings={"epochs": 2})
    assert recorder.lines == ["fine-tuning goes on after epoch 1 of 2"]


def test_the_state_of_another_training_is_passed_over_and_replaced(
    network: Any, tmp_path: Path, interrupted: bytes, tiny: str
) -> None:
    put(tmp_path, interrupted)
    killer = Killer(BATCHES + 1, killed)
    with pytest.raises(Killed):
        tune(network, tiny, tmp_path, killer, settings={"epochs": 2}, seed=1)
    assert killer.lines == []  # it did not go on
    assert kept(tmp_path) == [NAME]
    assert (tmp_path / "kept" / NAME).read_bytes() != interrupted


def fingerprint(model: Any, data: Path, **more: Any) -> str:
    from yolo_prune_check.train.job import Job

    data_set = read_data(str(data))
    arguments = {"imgsz": SIZE, "seed": 0, "masks": MASKS, "device": "cpu", "save": False, **more}
    settings = FineTune(**{"epochs": 2, "batch": 4, **arguments.pop("settings", {})})
    job = Job(data=str(data), settings=settings, **arguments)
    assert Job.read(json.loads(json.dumps(job.told()))) == job  # as the processes of several devices read it
    return fingerprint_of(model, job.images(data_set, as_network(model, data_set)), data_set, job.told())


@pytest.mark.parametrize(
    "other",
    [{"seed": 1}, {"imgsz": 96}, {"masks": MaskSet()}, {"device": "0,1"}]
    + [{"settings": {key: value}} for key, value in {"epochs": 3, "lr": 0.1, "amp": True, "fraction": 0.5}.items()],
    ids=str,
)
def test_every_argument_makes_another_training(network: Any, tiny: str, other: dict[str, Any]) -> None:
    assert fingerprint(network, Path(tiny)) == fingerprint(network, Path(tiny))
    assert fingerprint(network, Path(tiny), **other) != fingerprint(network, Path(tiny))


def test_other_weights_layers_and_names_make_another_training(network: Any, tiny: str) -> None:
    before = fingerprint(network, Path(tiny))
    network.model[1].act = nn.ReLU()
    between = fingerprint(network, Path(tiny))
    with torch.no_grad():
        network.model[0].conv.weight[0, 0, 0, 0] += 1e-3
    after = fingerprint(network, Path(tiny))
    network.names = {0: "dark", 1: "bright"}  # a classifier's folders are classes by these
    assert len({before, between, after, fingerprint(network, Path(tiny))}) == 4


@pytest.mark.parametrize("file", ["images/train/03.png", "labels/train/03.txt", "tiny.yaml"])
def test_other_data_make_another_training(network: Any, fresh_data: Callable[[], Path], file: str) -> None:
    data = fresh_data()
    before = fingerprint(network, data)
    path = data.parent / file
    path.write_bytes(path.read_bytes().replace(b"dark", b"gray"))
    assert fingerprint(network, data) != before


def test_an_array_that_is_read_in_the_place_of_an_image_makes_another_training(
    network: Any, fresh_data: Callable[[], Path]
) -> None:
    data = fresh_data()
    before = fingerprint(network, data)
    np.save(data.parent / "images/train/03.npy", np.zeros((SIZE, SIZE, 3), np.uint8))
    assert fingerprint(network, data) != before


def test_a_state_that_cannot_be_kept_is_told_once_and_ends_no_training(
    network: Any, tiny: str, tmp_path: Path, undisturbed: dict[str, torch.Tensor]
) -> None:
    recorder = Recorder()
    with small_files(100_000):
        trained = tune(network, tiny, tmp_path, recorder, masks=MASKS)
    assert same(trained, undisturbed)
    (told,) = recorder.lines
    assert told.startswith(f"{tmp_path / 'kept' / NAME}: the file cannot be written (File too large). ")
    assert told.endswith("The training goes on; if it is interrupted, it cannot go on from here.")
    assert kept(tmp_path) == []


def test_a_training_that_cannot_end_well_leaves_no_state(
    network: Any, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from yolo_prune_check.train.trainer import GivenModelTrainer

    check, seen = GivenModelTrainer._check_loss, []

    def in_the_second_epoch(trainer: Any) -> None:
        if trainer.epoch == 1:
            seen.append(kept(tmp_path))
            trainer.loss = torch.tensor(torch.nan)
        check(trainer)

    monkeypatch.setattr(GivenModelTrainer, "_check_loss", in_the_second_epoch)
    with pytest.raises(UserError, match="diverged in batch 4"):
        tune(network, tiny, tmp_path, settings={"epochs": 2})
    assert seen == [[NAME]]
    assert kept(tmp_path) == []
