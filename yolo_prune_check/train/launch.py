"""Training on several devices: one process each, started and followed from here.

Imports Ultralytics: call `prepare_ultralytics` first.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

import torch
from torch import nn

from yolo_prune_check.errors import UNSET, UserError
from yolo_prune_check.train import worker
from yolo_prune_check.train.failure import TrainingError
from yolo_prune_check.train.job import Job
from yolo_prune_check.train.resume import KeptState
from yolo_prune_check.train.widths import RebuiltError, widths_of

WORKER = worker.__name__
"""The module that each process runs."""
_TAIL = 20
_KINDS: Final = {kind.__name__: kind for kind in (UserError, TrainingError, RebuiltError)}


def train_together(
    job: Job,
    model: nn.Module,
    folder: Path,
    *,
    kept: KeptState | None,
    advance: Callable[[int], None],
    report: Callable[[str], None],
) -> dict[str, torch.Tensor]:
    """Carry a job out in as many processes as it has devices; as `job.carry_out`, but `model` is not changed.

    The processes are PyTorch's `DistributedDataParallel`: each sees its share of every batch, gradients are averaged,
    and the first one's moving average is what comes back. They end with this call, also when it is interrupted.

    Raises:
        UserError: As `job.carry_out`, from whichever process met it.
        RuntimeError: A process ended for another reason; the message has the last lines that it wrote.
    """
    with tempfile.TemporaryDirectory(prefix="job-", dir=folder) as name:
        shared = Path(name)
        state = {"file": str(kept.file.absolute()), "fingerprint": kept.fingerprint} if kept else None
        told = {
            "job": job.told(),
            "widths": widths_of(model),
            "kept": state,
            "folder": str(folder.absolute()),
        }
        (shared / worker.JOB).write_text(json.dumps(told), encoding="utf-8")
        torch.save({"model": model}, shared / worker.MODEL)
        events = shared / worker.EVENTS
        events.touch()
        with (shared / "stderr").open("w+", encoding="utf-8", errors="replace") as said, events.open() as happened:
            code = _follow(_command(job.processes, shared), said, lambda: _tell(happened, advance, report))
            if code:
                raise _failure(shared / worker.ERROR, code, said)
        average: dict[str, torch.Tensor] = torch.load(shared / worker.AVERAGE, weights_only=True, map_location="cpu")
        return average


def _command(processes: int, folder: Path) -> list[str]:
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return [sys.executable, "-m", *launcher, "-m", WORKER, str(folder)]


def _follow(command: list[str], said: IO[str], tell: Callable[[], None]) -> int:
    """Run the processes to their end, whatever ends this one."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path),
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
    }
    # Nothing is written to its input: that it ends says that this process has, see `worker.end_with_starter`.
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=said, stderr=said)
    try:
        while process.poll() is None:
            time.sleep(0.1)
            tell()
    finally:
        if process.poll() is None:
            process.terminate()  # the launcher ends those it started
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
    tell()
    return process.returncode


def _tell(happened: IO[str], advance: Callable[[int], None], report: Callable[[str], None]) -> None:
    """Pass on what was written since; a line that is not whole yet waits for its end."""
    while True:
        place = happened.tell()
        line = happened.readline()
        if not line.endswith("\n"):
            happened.seek(place)
            return
        what: int | str = json.loads(line)
        if isinstance(what, int):
            advance(what)
        else:
            report(what)


def _failure(file: Path, code: int, said: IO[str]) -> Exception:
    if file.is_file():
        told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        kind = _KINDS[told["kind"]]
        return kind(told["what"], where=told["where"], value=told.get("value", UNSET), hint=told["hint"])
    said.seek(0)
    last = "".join(said.readlines()[-_TAIL:])
    return RuntimeError(f"a training on several devices ended with exit code {code}:\n{last}")
