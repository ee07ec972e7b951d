"""Save a model between sessions and at the end, in the form that Ultralytics loads."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from torch import nn

from yolo_prune_check.atomic import written_whole
from yolo_prune_check.data import SHIPPED_DATA, shipped_data
from yolo_prune_check.model.quiet import prepare_ultralytics
from yolo_prune_check.model.tasks import task_of
from yolo_prune_check.prune.copied import copied
from yolo_prune_check.run import pickled


def save_checkpoint(model: nn.Module, path: Path, *, imgsz: int | None = None, data: str | None = None) -> None:
    """Save a model as an Ultralytics checkpoint, in float32, atomically.

    Ultralytics itself saves float16, which would add its rounding to what a session shows, and the date, by which the
    same model would not give the same file. The module is saved whole,
    with its `yaml` as it is: that of the network before it was pruned. Predicting, validating and exporting never read
    it, but Ultralytics' own training builds what it says, the dense network (see docs/deploy.md).

    Args:
        model: An Ultralytics model; not modified.
        path: Where to, a `.pt`.
        imgsz: Image size in pixels that `YOLO(path)` takes by default; as the model was trained if None.
        data: Data set that `YOLO(path).val()` takes by default: a shipped name or an Ultralytics dataset YAML; as the
            model was trained if None.

    Raises:
        UserError: The file cannot be written.
    """
    prepare_ultralytics()
    from ultralytics import __version__

    saved: Any = copied(model).cpu().float().eval()
    if hasattr(saved, "criterion"):
        saved.criterion = None  # the loss, which training makes anew
    if hasattr(saved, "pt_path"):
        del saved.pt_path  # where the untouched model lay; Ultralytics sets it when it loads
    saved.args = _train_args(model, imgsz, data)
    content = {
        "epoch": -1,  # a finished training, for Ultralytics: nothing to resume
        "optimizer": None,
        "model": saved,
        "ema": None,
        "train_args": saved.args,
        "version": __version__,
    }
    buffer = io.BytesIO()  # on a full disk PyTorch speaks of positions in its archive
    torch.save(content, buffer, pickle_module=pickled)
    with written_whole(path) as file:
        file.write(buffer.getbuffer())


def _train_args(model: nn.Module, imgsz: int | None, data: str | None) -> dict[str, Any]:
    """What the model remembers of its training, under keys that Ultralytics knows, and what is known better."""
    from ultralytics.utils import DEFAULT_CFG_KEYS

    args: Any = getattr(model, "args", {})
    known = dict(args) if isinstance(args, dict) else dict(vars(args))
    known = {key: value for key, value in known.items() if key in DEFAULT_CFG_KEYS}
    task = task_of(model)
    if task is not None:
        known["task"] = task
    if imgsz is not None:
        known["imgsz"] = imgsz
    if data is not None:
        known["data"] = data
    if known.get("data") in SHIPPED_DATA:  # a name that Ultralytics does not know
        known["data"] = str(shipped_data(known["data"]))
    return known


def display_path(path: Path) -> str:
    """A path as records name it: relative to the working directory where it lies below it."""
    resolved, here = path.resolve(), Path.cwd().resolve()
    return resolved.relative_to(here).as_posix() if resolved.is_relative_to(here) else str(resolved)
