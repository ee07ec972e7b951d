"""``compact --fine-tune`` that is killed outright, and what the same command makes of what is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from benchmarks.killed_run import sidecar_of, write_scenario
from yolo_prune_check.model.load import load_model

ROOT = Path(__file__).parents[2]
COMPACT = [*("compact", "yolov8n-digits", "--ratio", "0.5", "--imgsz", "32", "--data", "few.yaml")]
COMPACT += [*("--fine-tune", "2", "-o", "small.pt")]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
STATE = ".yolo-prune-check/compact/small.pt/unfinished/fine-tune.state"
BETWEEN = """\
import os, signal
from yolo_prune_check.cli import main
from yolo_prune_check.run import compact
compact.write_sidecar = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
main()
"""
"""The command line, killed when the small model is written and its sidecar is not."""

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Outcome:
    """The weights in the file, its SHA-256, and all files that lie around."""

    weights: dict[str, torch.Tensor]
    sha256: str
    files: set[str]


def outcome(folder: Path) -> Outcome:
    sidecar = sidecar_of(folder / "small.pt")
    return Outcome(load_model(folder / "small.pt").state_dict(), sidecar["sha256"], files(folder))


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def run(folder: Path, *how: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *(how or ("-m", "yolo_prune_check")), *COMPACT]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def killed_in_second_epoch(folder: Path) -> None:
    command = [sys.executable, "-m", "yolo_prune_check", *COMPACT]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, start_new_session=True, **quiet) as process:
        while not (folder / STATE).is_file() and process.poll() is None:  # written when the first one ends
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def few_images(folder: Path) -> Path:
    write_scenario(folder, images=64)
    (folder / "x.prune.yaml").unlink()
    return folder


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = few_images(tmp_path_factory.mktemp("undisturbed"))
    ran = run(folder)
    assert ran.returncode == 0, ran.stderr
    assert "goes on" not in ran.stderr
    return outcome(folder)


def assert_same(found: Outcome, undisturbed: Outcome) -> None:
    assert found.files == undisturbed.files
    assert found.weights.keys() == undisturbed.weights.keys()
    assert all(torch.equal(tensor, undisturbed.weights[name]) for name, tensor in found.weights.items())
    assert found.sha256 == undisturbed.sha256


@pytest.mark.stress
def test_a_training_goes_on_after_its_last_whole_epoch(tmp_path: Path, undisturbed: Outcome) -> None:
    few_images(tmp_path)
    killed_in_second_epoch(tmp_path)
    assert not list(tmp_path.glob("small.*"))
    ran = run(tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "fine-tuning goes on after epoch 1 of 2\n" in ran.stderr
    assert_same(outcome(tmp_path), undisturbed)


@pytest.mark.stress
def test_a_kill_between_the_model_and_its_sidecar_heals_without_training_again(
    tmp_path: Path, undisturbed: Outcome
) -> None:
    few_images(tmp_path)
    (tmp_path / ".small.pt.a1b2c3d4.tmp").write_bytes(b"what a process was writing when it was killed")
    assert run(tmp_path, "-c", BETWEEN).returncode == -signal.SIGKILL
    assert (tmp_path / "small.pt").exists()
    assert not (tmp_path / "small.json").exists()
    ran = run(tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "goes on after the training, where it was interrupted\n" in ran.stderr
    assert "fine-tune" not in ran.stderr
    assert_same(outcome(tmp_path), undisturbed)
    assert undisturbed.files == {
        *("few.yaml", "train.txt", "val.txt", "small.pt", "small.json"),
        ".yolo-prune-check/compact/small.pt/.lock",
    }
