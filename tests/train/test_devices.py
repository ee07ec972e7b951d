"""Several devices: every process trains the network that was given, and what comes back has its widths and masks."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from torch import nn

from tests.gpus import StandIn, no_gpu
from tests.train.test_resume import tune
from tests.train.tiny import SIZE, Recorder, narrow, same, state
from yolo_prune_check.errors import UserError
from yolo_prune_check.progress import progress
from yolo_prune_check.prune.mask import LayerMask, MaskSet
from yolo_prune_check.spec.schema import FineTune
from yolo_prune_check.train import finetune, worker
from yolo_prune_check.train.devices import placed, require_devices
from yolo_prune_check.train.failure import TrainingError
from yolo_prune_check.train.finetune import fine_tune
from yolo_prune_check.train.isolation import isolated
from yolo_prune_check.train.widths import RebuiltError, widths_of


@pytest.fixture
def two_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    from yolo_prune_check.train import launch

    monkeypatch.setattr(finetune, "require_devices", lambda *_, **__: None)
    monkeypatch.setattr(launch, "WORKER", "tests.train.cpu_worker")


@pytest.mark.usefixtures("two_cpus")
def test_two_processes_train_the_pruned_network_together(network: Any, tiny: str, tmp_path: Path) -> None:
    narrow(network, 20)
    recorder = Recorder()
    masks = MaskSet((LayerMask("model.3.conv", tuple(range(32)), "silent", "model.3.bn"),))
    result = fine_tune(
        network,
        data=tiny,
        imgsz=SIZE,
        settings=FineTune(epochs=2, batch=4, lr=1e-3),
        seed=0,
        masks=masks,
        work_dir=tmp_path,
        progress=recorder,
        devices=[0, 1],
    )
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["seen-0.json", "seen-1.json"]  # the test's own
    first, second = (json.loads(file.read_text()) for file in files)
    for seen in (first, second):
        assert seen["wrapped"] == "OnCpu"
        assert seen["width"] == 20
        assert seen["regrown"] == {"model.3.conv": 0}
        assert seen["threads"] == torch.get_num_threads()
        assert len(seen["images"]) == 2 * 4  # half of them, twice
    # Of ten images two are left out, since the last batch of each process would be a single one.
    assert set(first["images"]) | set(second["images"]) == {f"{number:02d}.png" for number in range(8)}
    assert first["parameters"] == second["parameters"]  # gradients were averaged
    assert widths_of(result.model) == widths_of(network)
    assert result.regrown == masks.regrown(result.model) == {"model.3.conv": 0}
    assert not same(state(result.model), state(network))
    assert recorder.tasks == [("fine-tune 2 epochs on 8 images", 2 * 2)]
    assert recorder.steps == [1] * 4


LONG = """\
import sys
from pathlib import Path
from tests.train.tiny import SIZE
from yolo_prune_check.model.load import load_model
from yolo_prune_check.progress import progress
from yolo_prune_check.spec.schema import FineTune
from yolo_prune_check.train import finetune, launch

finetune.require_devices = lambda *_, **__: None
launch.WORKER = "tests.train.cpu_worker"
finetune.fine_tune(
    load_model("yolov8n.yaml"), data=sys.argv[1], imgsz=SIZE, settings=FineTune(epochs=1000, batch=4), seed=0,
    masks=None, work_dir=Path(sys.argv[2]), progress=progress(quiet=True), devices=[0, 1],
)
"""


@pytest.mark.stress
def test_processes_end_when_the_one_that_started_them_is_killed(tiny: str, tmp_path: Path) -> None:
    """Else they train to the last epoch, and write over what the next run goes on from."""
    command = [sys.executable, "-c", LONG, tiny, str(tmp_path / "work")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as starter:
        try:
            started = _training(starter.pid)
        finally:
            starter.kill()
    _, alive = psutil.wait_procs(started, timeout=60)
    assert not alive


def _training(starter: int) -> list[psutil.Process]:
    """The launcher and its two workers, once these train."""
    for _ in range(1200):
        time.sleep(0.1)
        found = psutil.Process(starter).children(recursive=True)
        if len(found) == 3 and sum(_seconds(process) > 6 for process in found) == 2:
            return found
    raise AssertionError("they never began")


def _seconds(process: psutil.Process) -> float:
    """What it has computed."""
    try:
        return float(process.cpu_times().user)
    except psutil.Error:
        return 0.0


@pytest.fixture
def job_folder(network: Any, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the launcher writes for its processes; it starts none."""
    from yolo_prune_check.train import launch
    from yolo_prune_check.train.job import Job

    folder = tmp_path / "job"
    folder.mkdir()
    monkeypatch.setattr(launch.tempfile, "TemporaryDirectory", lambda **_: _Kept(folder))
    monkeypatch.setattr(launch, "_follow", lambda *_: 1)
    narrow(network, 20)
    job = Job(tiny, SIZE, FineTune(epochs=1, batch=4), 3, MaskSet(), "cpu", False)
    with pytest.raises(RuntimeError):
        launch.train_together(job, network, tmp_path, kept=None, advance=lambda _: None, report=lambda _: None)
    return folder


class _Kept:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> str:
        return str(self._folder)

    def __exit__(self, *_: Any) -> None:
        return None


def test_a_process_finds_the_network_as_it_was_given(network: Any, tiny: str, tmp_path: Path, job_folder: Path) -> None:
    assert worker.main(job_folder) == 0
    average = torch.load(job_folder / worker.AVERAGE, weights_only=True)
    settings = {"epochs": 1, "batch": 4}
    assert same(average, tune(network, tiny, tmp_path, settings=settings, seed=3, resume_dir=None))
    assert (job_folder / worker.EVENTS).read_text() == "1\n" * 3


def test_a_process_that_finds_another_network_says_so(job_folder: Path) -> None:
    from yolo_prune_check.train.launch import _failure

    content = torch.load(job_folder / worker.MODEL, weights_only=False)  # ours: written a moment ago
    narrow(content["model"], 12)
    torch.save(content, job_folder / worker.MODEL)
    assert worker.main(job_folder) == worker.FAILED
    error = _failure(job_folder / worker.ERROR, 1, io.StringIO())
    assert type(error) is RebuiltError
    assert str(error).startswith("model.1.conv: training rebuilt the network: in the process that trains, weight is 12")


def test_what_a_user_did_wrong_comes_back_from_a_process(network: Any, job_folder: Path) -> None:
    from yolo_prune_check.train.launch import _failure

    nn.init.constant_(network.model[5].conv.weight, torch.nan)
    torch.save({"model": network}, job_folder / worker.MODEL)
    assert worker.main(job_folder) == worker.FAILED
    error = _failure(job_folder / worker.ERROR, 1, io.StringIO())
    assert type(error) is TrainingError
    assert str(error).startswith("fine-tuning diverged in batch 1: the loss is nan. Choose a smaller learning rate")


def test_a_process_that_breaks_otherwise_is_quoted(tmp_path: Path) -> None:
    from yolo_prune_check.train.launch import _failure

    error = _failure(tmp_path / worker.ERROR, 7, io.StringIO("one\nNCCL is unhappy\n"))
    assert type(error) is RuntimeError
    assert str(error) == "a training on several devices ended with exit code 7:\none\nNCCL is unhappy\n"


@no_gpu
@pytest.mark.parametrize("devices", [[0], [0, 1]])
def test_devices_that_are_not_there_are_refused(network: Any, tiny: str, tmp_path: Path, devices: list[int]) -> None:
    asked = ",".join(map(str, devices))
    with pytest.raises(UserError) as caught:
        tune(network, tiny, tmp_path, devices=devices)
    assert str(caught.value) == f"devices: there is no such GPU: got '{asked}'. This machine has cpu alone."


@pytest.mark.parametrize("devices", [[], [-1], [True]])
def test_what_names_no_device_is_refused(network: Any, tiny: str, tmp_path: Path, devices: list[int]) -> None:
    with pytest.raises(UserError, match=r"^devices: not a device: got \[.*\]\. Write cpu, the number of a GPU"):
        tune(network, tiny, tmp_path, devices=devices)


def test_a_batch_is_shared_equally(network: Any, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    StandIn(monkeypatch, "H200", "H200", "H200")
    with pytest.raises(UserError, match="3 devices cannot share a batch equally: got 4"):
        tune(network, tiny, tmp_path, devices=[0, 1, 2])


def test_one_gpu_is_used_and_pytorchs_own_choice_stays(
    network: Any, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = tune(network, tiny, tmp_path, settings={"epochs": 1}, resume_dir=None)
    gpus = StandIn(monkeypatch, "H200", "H200")
    tuned = tune(network, tiny, tmp_path, settings={"epochs": 1, "workers": 0}, resume_dir=None, devices=[1])
    assert gpus.trained == ["1"]
    assert gpus.current == 0
    assert same(tuned, expected)


@pytest.mark.parametrize("before", ["0,1", None])
def test_gpus_that_a_training_hid_are_seen_again(monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if before is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", before)
    with isolated():
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_model_comes_back_to_the_cpu(network: Any, tiny: str, tmp_path: Path) -> None:
    tuned = tune(network, tiny, tmp_path, settings={"epochs": 1, "amp": True}, devices=[0])
    assert {value.device.type for value in tuned.values()} == {"cpu"}
    assert not same(tuned, state(network))


@pytest.mark.parametrize(("device", "where"), [("0", "cuda:0"), ("1,0", "cuda:1")])
def test_a_model_is_placed_on_the_first_gpu(
    network: Any, monkeypatch: pytest.MonkeyPatch, device: str, where: str
) -> None:
    gpus = StandIn(monkeypatch, "H200", "H200")
    copy = placed(network, device)
    assert gpus.moved == [where]
    assert copy is not network
    assert same(state(copy), state(network))


def test_on_the_cpu_a_model_stays_itself(network: Any) -> None:
    assert placed(network, "cpu") is network


def test_gpus_that_are_not_there_are_told_with_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    StandIn(monkeypatch, "H200", "T4")
    require_devices("1,0", where="--device")
    with pytest.raises(UserError) as caught:
        require_devices("0,2", where="--device")
    assert str(caught.value) == ("--device: there is no such GPU: got '0,2'. This machine has cpu, 0 (H200), 1 (T4).")


def test_gpus_without_a_driver_that_fits_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus = StandIn(monkeypatch, "H200")
    gpus.usable = False
    with pytest.raises(UserError, match=r"there is no such GPU: got '0'\. This machine has cpu alone\."):
        require_devices("0", where="--device")


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_on_two_gpus(network: Any, tiny: str, tmp_path: Path) -> None:
    narrow(network, 20)
    settings = FineTune(epochs=2, batch=4, lr=1e-3, amp=True)
    quiet = progress(quiet=True)
    result = fine_tune(
        network,
        data=tiny,
        imgsz=SIZE,
        settings=settings,
        seed=0,
        masks=None,
        work_dir=tmp_path,
        progress=quiet,
        devices=[0, 1],
    )
    assert widths_of(result.model) == widths_of(network)
    assert not same(state(result.model), state(network))
