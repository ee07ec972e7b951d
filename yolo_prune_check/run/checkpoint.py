"""Save a model between sessions and at the end, in the form that Ultralytics loads."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import torch
from torch import nn

from yolo_prune_check.atomic import written_whole


def save_checkpoint(model: nn.Module, path: Path) -> None:
    """Save a model as an Ultralytics checkpoint, in float32, atomically.

    Ultralytics itself saves float16, which would add its rounding to what a session shows.
    """
    args = getattr(model, "args", {})
    content = {
        "model": deepcopy(model).cpu().eval(),
        "ema": None,
        "train_args": dict(args) if isinstance(args, dict) else dict(vars(args)),
    }
    with written_whole(path) as file:
        torch.save(content, file)


def display_path(path: Path) -> str:
    """A path as records name it: relative to the working directory where it lies below it."""
    resolved, here = path.resolve(), Path.cwd().resolve()
    return resolved.relative_to(here).as_posix() if resolved.is_relative_to(here) else str(resolved)
