"""A fine-tuning scenario in a process that is killed, and how what it leaves differs from what another leaves."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from yolo_prune_check.data import shipped_data
from yolo_prune_check.model.load import load_model
from yolo_prune_check.run.sidecar import sidecar_path

STEPS = 3
SPEC = """\
model: yolov8n-digits
data: few.yaml
imgsz: 32
scenarios:
  - id: tuned
    layers: [1.0, 2.0, 4.0]
    select: {criterion: l1, ratio: 0.5}
    fine_tune: {epochs: EPOCHS, batch: 4, lr: 0.0005, workers: WORKERS}
    execution: EXECUTION
    schedule: SCHEDULE
"""
LIMITS = "    limits: {seconds: 3600, memory_mb: 16000}\n"
"""Far from what a scenario takes: with them it runs in a process of its own, in a group of its own."""
START = "start"
FILE = "file"
LINES = {
    START: "",
    **{f"step {k}": f"    step {k} of {STEPS}:" for k in range(1, STEPS + 1)},
    FILE: "use the saved file",
}
"""What a process says when it has come to a place."""
LONGEST_S = {START: 8.0, FILE: 6.0}
WORKING_S = 3.0
"""Longest time after a place until a process is killed; after a step, where it is not named."""
_TIMES = re.compile(r'"(dense_ms|pruned_ms)": [0-9.e+-]+')


@dataclass(frozen=True)
class Moment:
    """When a process is killed: so long after it has come to a place; and whether alone, without what it started."""

    place: str
    seconds: float
    alone: bool = False

    @classmethod
    def draw(cls, source: random.Random, execution: str) -> Moment:
        """A random one; only of models by `group` the file is used elsewhere."""
        place = source.choice([place for place in LINES if place != FILE or execution == "group"])
        return cls(place, source.uniform(0, LONGEST_S.get(place, WORKING_S)), alone=source.random() < 0.5)


@dataclass(frozen=True)
class Ran:
    """What came of a process: whether it came to its end, what it said, and the groups of what outlived it."""

    done: bool
    said: list[str]
    outlived_by: tuple[int, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What a run leaves: record and sidecar without measured times, the final model's weights, names of all files."""

    record: str
    sidecar: str
    weights: dict[str, torch.Tensor]
    files: set[str]


def write_few(folder: Path, images: int) -> Path:
    """A data set of so many images of the shipped one in each split; returns its YAML."""
    folder.mkdir(parents=True, exist_ok=True)
    root = shipped_data("digits").parent
    for split in ("train", "val"):
        chosen = sorted((root / "images" / split).glob("*.png"))[:images]
        (folder / f"{split}.txt").write_text("".join(f"{path}\n" for path in chosen), encoding="utf-8")
    names = ", ".join(f"'{digit}'" for digit in range(10))
    yaml = folder / "few.yaml"
    yaml.write_text(f"train: train.txt\nval: val.txt\nnames: [{names}]\n", encoding="utf-8")
    return yaml


def write_scenario(
    folder: Path,
    *,
    execution: str = "mask",
    schedule: str = "sequential",
    workers: int = 0,
    limited: bool = False,
    images: int = 8,
    epochs: int = 2,
) -> None:
    """A spec of three steps, each with fine-tuning on a few images of the shipped data set."""
    write_few(folder, images)
    spec = SPEC.replace("EXECUTION", execution).replace("SCHEDULE", schedule)
    spec = spec.replace("EPOCHS", str(epochs)).replace("WORKERS", str(workers))
    (folder / "x.prune.yaml").write_text(spec + (LIMITS if limited else ""), encoding="utf-8")


def ran_until(folder: Path, moment: Moment | None, start: Sequence[str] = ("-m", "yolo_prune_check")) -> Ran:
    """Run the scenario, until the moment or its end. Temporary files go beside its folder.

    Args:
        folder: Of ``write_scenario``.
        moment: When it is killed.
        start: What makes a Python the command line.
    """
    command = [sys.executable, *start, "run", "x.prune.yaml", "--report-dir", "out"]
    temporary = folder.parent / "temporary"
    temporary.mkdir(exist_ok=True)
    started = set[int]()
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as errors,
        subprocess.Popen(
            command,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env={**os.environ, "TMPDIR": str(temporary)},
            start_new_session=True,
        ) as process,
    ):
        if moment is not None:
            _wait_for(process, errors.fileno(), LINES[moment.place])
            try:
                process.wait(moment.seconds)
            except subprocess.TimeoutExpired:
                started = kill(process.pid, alone=moment.alone)
        process.wait()
        errors.seek(0)
        said = errors.read().splitlines()
    if process.returncode not in (0, 1, -signal.SIGKILL):
        raise RuntimeError("\n".join(["the run failed", *said]))
    outlived = moment is not None and moment.alone
    return Ran(process.returncode >= 0, said, tuple(group for group in sorted(started) if outlived and lives(group)))


def kill(leader: int, *, alone: bool) -> set[int]:
    """Kill the leader of a group, alone or with all that it has started; returns the groups of all of these."""
    os.kill(leader, signal.SIGSTOP)  # so that it starts nothing while it is asked what it has started
    groups = {leader}
    for child in psutil.Process(leader).children(recursive=True):
        with suppress(ProcessLookupError):
            groups.add(os.getpgid(child.pid))
    if alone:
        os.kill(leader, signal.SIGKILL)
    else:
        for group in groups:
            end_group(group)
    return groups


def end_group(group: int) -> None:
    """End what is left of a process group."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def lives(group: int) -> bool:
    """Whether a process of this group has not ended; one that has, and nobody asks how, is no process any more."""
    for process in psutil.process_iter(["status"]):
        with suppress(ProcessLookupError):
            if os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                return True
    return False


def _wait_for(process: subprocess.Popen[bytes], errors: int, line: str) -> None:
    while line.encode() not in os.pread(errors, 1_000_000, 0) and process.poll() is None:
        time.sleep(0.02)


def sidecar_of(checkpoint: Path) -> dict[str, Any]:
    """What the sidecar of a saved model says.

    Raises:
        OSError: One of the two is not there.
        ValueError: It is the sidecar of another file.
    """
    content: dict[str, Any] = json.loads(sidecar_path(checkpoint).read_text("utf-8"))
    if hashlib.sha256(checkpoint.read_bytes()).hexdigest() != content["sha256"]:
        raise ValueError(f"{sidecar_path(checkpoint)} speaks of another file than {checkpoint}")
    return content


def finals(folder: Path) -> list[Path]:
    """The final models that are in their places."""
    return [path for path in folder.rglob("final.pt") if not path.parent.name.startswith("deploy-")]


def is_torn(folder: Path) -> bool:
    """Whether a final model is in its place of which its sidecar does not speak."""
    for final in finals(folder):
        try:
            sidecar_of(final)
        except (OSError, ValueError):
            return True
    return False


def outcome(folder: Path) -> Outcome:
    """What a run has left.

    Raises:
        OSError: The sidecar is not there.
        ValueError: It is not that of the final model, or not that of the record.
    """
    (path,) = (folder / "out/records").rglob("*.json")
    (final,) = finals(folder)
    record = path.read_text("utf-8")
    if sidecar_of(final)["record"] != json.loads(record):
        raise ValueError(f"{sidecar_path(final)} holds another record than {path}")
    files = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    return Outcome(
        _untimed(record), _untimed(sidecar_path(final).read_text("utf-8")), load_model(final).state_dict(), files
    )


def _untimed(text: str) -> str:
    return _TIMES.sub(r'"\1": "measured"', text)


def differences(folder: Path, undisturbed: Path) -> Iterator[str]:
    """How the outcome of a run differs from that of another."""
    try:
        left, wanted = outcome(folder), outcome(undisturbed)
    except (OSError, ValueError) as error:
        yield str(error)
        return
    for name in ("record", "sidecar"):
        text, text2 = getattr(left, name), getattr(wanted, name)
        if text != text2:
            lines = zip(text.splitlines(), text2.splitlines(), strict=False)
            yield f"{name}s differ, first in {next((pair for pair in lines if pair[0] != pair[1]), 'their length')}"
    unequal = [name for name, value in left.weights.items() if not torch.equal(value, wanted.weights[name])]
    if unequal:
        yield f"{len(unequal)} tensors of the final model differ, first {unequal[0]}"
    for name in sorted(left.files ^ wanted.files):
        yield f"{name}: {'left over' if name in left.files else 'not there'}"
