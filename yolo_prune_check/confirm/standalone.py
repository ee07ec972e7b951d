"""Use a saved model with plain Ultralytics: a script for a Python in which this package cannot be imported.

It is run by its path (see ``elsewhere``) and imports nothing of this package.

    python -P standalone.py CHECKPOINT FOLDER THREADS PARENT [onnx]

It takes ``FOLDER/image.pt`` and leaves ``FOLDER/seen.pt`` (what ``seen`` gives), ``FOLDER/told.json`` (what ``told``
gives), ``FOLDER/model.onnx`` if asked for, and ``FOLDER/said.json``: for each thing it did null, or the first line of
the error that stopped it. It ends at once when its parent, process PARENT, has ended.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import torch
from torch import nn

ABSENT: Final = "yolo_prune_check"
IMAGE, SEEN, TOLD, ONNX, SAID = "image.pt", "seen.pt", "told.json", "model.onnx", "said.json"
_PASSING: Final = frozenset(
    {
        *("training", "inplace", "recompute_scale_factor"),  # how it is used, which loading sets anew
        *("args", "pt_path", "task", "criterion"),  # of the file, and of a training
    }
)
"""Attributes that say nothing of what a network is."""
_OF_THE_LAST_IMAGE: Final = frozenset({"shape", "anchors", "strides"})
"""The same of a head."""
_HEADS: Final = "ultralytics.nn.modules.head"
_DEEPEST: Final = 8
"""Levels of nested values that are looked at."""


class Absent(MetaPathFinder):
    """Lets this package appear not to be installed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] == ABSENT:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


def seen(network: Any, image: torch.Tensor) -> dict[str, torch.Tensor]:
    """Run an Ultralytics network on an image.

    Args:
        network: With its blocks in ``network.model``, the last one the head.
        image: ``(N, C, H, W)``, in the network's dtype.

    Returns:
        The head's inputs, then all floating-point outputs, by name.
    """
    found: dict[str, torch.Tensor] = {}

    def note(_module: nn.Module, args: Any) -> None:
        for number, tensor in enumerate(_floating(args)):
            found.setdefault(f"input {number} of the head", tensor.clone())

    handle = network.model[-1].register_forward_pre_hook(note)
    try:
        with torch.no_grad():
            outputs = network(image)
    finally:
        handle.remove()
    return found | {f"output {number}": tensor for number, tensor in enumerate(_floating(outputs))}


def told(network: nn.Module) -> dict[str, dict[str, Any]]:
    """What a network says of itself beside its weights: class and plain attributes of every module, by its name.

    Among them the names of the classes, strides, and all by which a head decodes.
    """
    found = {}
    for name, module in network.named_modules():
        kind = type(module)
        passing = _PASSING | _OF_THE_LAST_IMAGE if kind.__module__ == _HEADS else _PASSING
        found[name] = {"class": f"{kind.__module__}.{kind.__qualname__}"} | {
            key: plain[0]
            for key, value in vars(module).items()
            if not key.startswith("_") and key not in passing and (plain := _plain(value))
        }
    return found


def _plain(value: Any, depth: int = _DEEPEST) -> list[Any]:
    """The value alone in a list if it is a number, text or nothing, or holds such; else an empty list.

    In Python's own types: a number of NumPy's may be a float as well, and is none that everybody can read.
    """
    if value is None or isinstance(value, bool):
        return [value]
    for kind in (int, float, str):
        if isinstance(value, kind):
            return [kind(value)]
    if isinstance(value, torch.Tensor):
        return [value.tolist()]
    if not depth:
        return []
    if isinstance(value, (list, tuple)):
        items = [_plain(item, depth - 1) for item in value]
        return [[item[0] for item in items]] if all(items) else []
    if isinstance(value, dict):
        items = [_plain(item, depth - 1) for item in value.values()]
        return [dict(zip(map(str, value), (item[0] for item in items), strict=True))] if all(items) else []
    return []


def first_line(error: BaseException) -> str:
    """What an exception says, in a line that fits into a table."""
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return text if len(text) <= 300 else f"{text[:299]}…"


def _floating(tree: Any) -> list[torch.Tensor]:
    if isinstance(tree, torch.Tensor):
        return [tree] if tree.is_floating_point() else []
    if isinstance(tree, dict):
        return [tensor for item in tree.values() for tensor in _floating(item)]
    if isinstance(tree, (list, tuple)):
        return [tensor for item in tree for tensor in _floating(item)]
    return []


def _load(checkpoint: Path, folder: Path) -> None:
    from ultralytics import YOLO

    network = YOLO(checkpoint).model
    (folder / TOLD).write_text(json.dumps(told(network)), encoding="utf-8")
    torch.save(seen(network, torch.load(folder / IMAGE, weights_only=True)), folder / SEEN)


def _predict(checkpoint: Path, folder: Path) -> None:
    from ultralytics import YOLO

    image = torch.load(folder / IMAGE, weights_only=True)
    YOLO(checkpoint).predict(image, imgsz=image.shape[-1], device="cpu", save=False, verbose=False)


def _export(checkpoint: Path, folder: Path) -> None:
    from ultralytics import YOLO

    # Ultralytics writes beside the checkpoint.
    copy = shutil.copyfile(checkpoint, folder / f"{Path(ONNX).stem}.pt")
    size = torch.load(folder / IMAGE, weights_only=True).shape[-1]
    YOLO(copy).export(format="onnx", imgsz=size, simplify=False, device="cpu", verbose=False)


def _main(checkpoint: Path, folder: Path, threads: int, *, onnx: bool) -> None:
    torch.set_num_threads(threads)  # sums depend on it in the last digits
    deeds: dict[str, Callable[[Path, Path], None]] = {"load": _load, "predict": _predict}
    if onnx:
        deeds["onnx"] = _export
    said: dict[str, str | None] = {}
    for name, deed in deeds.items():
        try:
            deed(checkpoint, folder)
        except Exception as error:  # noqa: BLE001  # whatever Ultralytics raises is what the caller asked to know
            said[name] = first_line(error)
        else:
            said[name] = None
        # At once: what comes next may crash, and must not take this with it.
        written = folder / f"{SAID}.tmp"
        written.write_text(json.dumps(said), encoding="utf-8")
        written.replace(folder / SAID)


def _end_with(parent: int) -> None:
    """End this process soon after the one that started it: if that was killed, nobody waits for an answer."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with, args=(int(sys.argv[4]),), daemon=True).start()
    sys.meta_path.insert(0, Absent())
    _main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), onnx="onnx" in sys.argv[5:])
