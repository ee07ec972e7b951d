"""Have a saved model used by plain Ultralytics in another Python process, which does not have this package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from yolo_prune_check.confirm import standalone
from yolo_prune_check.model.quiet import prepare_ultralytics

_TIMEOUT = 600


@dataclass(frozen=True)
class Elsewhere:
    """What came of it.

    Attributes:
        errors: For each thing that was tried (``load``, ``predict``, ``onnx``) the error that stopped it, or None.
        seen: Head inputs and outputs of the reloaded model, by name; empty if it did not run.
        told: What the reloaded model says of itself; see ``standalone.told``; empty if it did not run.
        onnx: The exported file, if it was asked for and there is one.
    """

    errors: dict[str, str | None]
    seen: dict[str, torch.Tensor]
    told: dict[str, dict[str, Any]]
    onnx: Path | None


def used_elsewhere(checkpoint: Path, image: torch.Tensor, folder: Path, *, onnx: bool) -> Elsewhere:
    """Load, run, predict with and export a checkpoint, as on a machine that has Ultralytics and not this package.

    Args:
        checkpoint: The file.
        image: ``(1, C, H, W)``, float32, on the CPU.
        folder: Empty, for what is handed over.
        onnx: Export as well.
    """
    prepare_ultralytics()  # puts into the environment that nothing is fetched or installed
    torch.save(image, folder / standalone.IMAGE)
    deeds = ["load", "predict", *(["onnx"] if onnx else [])]
    script = str(Path(standalone.__file__).resolve())
    # -P: the folder of the script, which is full of this package's modules, is not to be imported from.
    command = [sys.executable, "-P", script, str(checkpoint.resolve()), str(folder.resolve())]
    command += [str(torch.get_num_threads()), str(os.getpid()), *deeds[2:]]
    # How Ultralytics loads where nobody has told it otherwise.
    environment = {name: value for name, value in os.environ.items() if name != "ULTRALYTICS_SAFE_LOAD"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", env=environment, timeout=_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        ended = f"no answer within {_TIMEOUT} seconds"
    else:
        lines = done.stderr.strip().splitlines()
        ended = lines[-1] if lines else f"it ended with code {done.returncode} and said nothing"
    answer = folder / standalone.SAID
    said: dict[str, str | None] = json.loads(answer.read_text(encoding="utf-8")) if answer.is_file() else {}
    errors = {deed: said.get(deed, ended) for deed in deeds}  # what it did not get to, it did not answer
    loaded = errors["load"] is None
    found = torch.load(folder / standalone.SEEN, weights_only=True) if loaded else {}
    told = json.loads((folder / standalone.TOLD).read_text(encoding="utf-8")) if loaded else {}
    exported = folder / standalone.ONNX
    return Elsewhere(errors, found, told, exported if exported.is_file() else None)
