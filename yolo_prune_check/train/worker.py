"""One of several processes that train together, each on a device of its own: `python -m` this module, with a folder.

`launch.train_together` writes the folder and starts the processes with PyTorch's launcher. Ultralytics' own launcher
would pickle the trainer's class and hand back weights rounded to half precision; here the network is read by the safe
loader, with the widths it has, and the weights come back as they are.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
from torch import distributed

from yolo_prune_check.atomic import written_whole
from yolo_prune_check.errors import UNSET, UserError
from yolo_prune_check.model.checkpoint import read_checkpoint
from yolo_prune_check.model.quiet import prepare_ultralytics, quietly
from yolo_prune_check.train.resume import KeptState
from yolo_prune_check.train.widths import require_widths, widths_of

MODEL, JOB, EVENTS, AVERAGE, ERROR = "model.pt", "job.json", "events.jsonl", "average.pt", "error.json"
"""Files of the folder: what to train and how; then what happens, and the weights or the error that come of it."""
FAILED: Final = 2
"""Exit code with a `UserError`."""


def main(folder: Path) -> int:
    """Do this process' share of the training that a folder describes.

    The first process writes what happens, a line each: a number of batches, or a text; and the weights at the end.

    Returns:
        0, or `FAILED` if the error file says why.
    """
    prepare_ultralytics()
    from yolo_prune_check.train.job import Job, carry_out

    leads = int(os.environ.get("RANK", "0")) == 0
    told = json.loads((folder / JOB).read_text(encoding="utf-8"))
    tell = _writer(folder / EVENTS) if leads else _unheard
    try:
        model = read_checkpoint(folder / MODEL)
        meant = {name: tuple(shape) for name, shape in told["widths"].items()}
        require_widths(meant, widths_of(model), "the process that trains")
        kept = told["kept"] and KeptState(Path(told["kept"]["file"]), told["kept"]["fingerprint"], tell)
        with quietly():
            average = carry_out(
                Job.read(told["job"]), model, Path(told["folder"]), kept=kept, advance=tell, report=tell
            )
        if leads:
            torch.save(average, folder / AVERAGE)
    except UserError as error:
        _write_error(error, folder / ERROR)
        return FAILED
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()
    return 0


def end_with_starter() -> None:
    """End this process when the one that started the training is no more, such as after ``kill -9``.

    Else it would go on to the last epoch, beside the process that takes up where that one was killed. Standard input,
    which PyTorch's launcher passes on, stays open as long as that one lives.
    """
    threading.Thread(target=_wait_for_end, daemon=True).start()


def _wait_for_end() -> None:
    os.read(sys.stdin.fileno(), 1)  # unbuffered: a buffer's lock, held by this thread, would be in the way of exiting
    os._exit(1)


def _writer(file: Path) -> Callable[[int | str], None]:
    def tell(what: int | str) -> None:
        with file.open("a", encoding="utf-8") as events:
            events.write(json.dumps(what) + "\n")

    return tell


def _unheard(what: int | str) -> None:
    """The first process says it for all."""


def _write_error(error: UserError, file: Path) -> None:
    told: dict[str, Any] = {"kind": type(error).__name__, "what": error.what, "where": error.where, "hint": error.hint}
    if error.value is not UNSET:
        told["value"] = error.value
    with written_whole(file) as stream:
        stream.write(json.dumps(told, default=str).encode())


if __name__ == "__main__":
    end_with_starter()
    sys.exit(main(Path(sys.argv[1])))
