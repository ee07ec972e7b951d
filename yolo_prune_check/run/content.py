"""What the outcome of a scenario depends on, as one hash: results are kept under it."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import torch

from yolo_prune_check.data import SHIPPED_DATA, SHIPPED_MODELS, shipped_model
from yolo_prune_check.data.digits import VERSION
from yolo_prune_check.data.resolve import label_file, read_data
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.architecture import read_architecture
from yolo_prune_check.spec.schema import Scenario
from yolo_prune_check.train.devices import names_of

LIBRARIES: Final = (
    *("torch", "torchvision", "ultralytics", "torchinfo", "numpy", "scipy", "scikit-learn", "kmedoids", "kneed"),
    *("opencv-python", "pillow", "onnx", "onnxruntime"),
)
"""Libraries whose numbers, or words, are part of a record; some may not be installed."""

_PACKAGE = Path(__file__).parents[1]


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def content_key(scenario: Scenario, *, predict_only: bool) -> str:
    """A SHA-256, in hexadecimal, of all that decides what comes out of a scenario.

    That is what the scenario says (not where it is written), the content of its model, its data (images and labels by
    path, size and time of change; a shipped set by its version), the source of this package, the versions of the
    libraries and of Python, the kind of each GPU that it names, and the number of threads, on which sums depend in the
    last digits.

    What is not there, or cannot be read, is part of the key as such: whoever loads it says what is wrong.
    """
    parts = {
        "scenario": scenario.model_dump(mode="json", exclude={"source"}),
        "predict_only": predict_only,
        "model": _model(scenario.model),
        "data": None if scenario.data is None else _data(scenario.data),
        "package": _package(),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in LIBRARIES}},
        "machine": platform.machine(),
        "gpus": names_of(scenario.device),
        "threads": torch.get_num_threads(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def file_hash(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal; computed once for each state of the file.

    Raises:
        OSError: It cannot be read.
    """
    state = path.stat()
    return _hashed(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=64)
def _hashed(path: Path, _changed: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _model(name: str) -> object:
    try:
        if name in SHIPPED_MODELS:
            return file_hash(shipped_model(name))
        if name.lower().endswith((".yaml", ".yml")):
            return repr(read_architecture(name))
        return file_hash(Path(name).expanduser())
    except (UserError, OSError) as error:
        return f"not read: {error}"


def _data(name: str) -> object:
    if name in SHIPPED_DATA:
        return VERSION
    try:
        data = read_data(name)
        return {
            "yaml": file_hash(data.yaml) if data.yaml.is_file() else str(data.yaml),
            **{split: [list(_state(path)) for path in data.images(split)] for split in data.places},
        }
    except (UserError, OSError) as error:
        return f"not read: {error}"


def _state(image: Path) -> Iterator[object]:
    for path in (image, label_file(image)):
        yield str(path)
        if path.is_file():
            state = path.stat()
            yield from (state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1)
def _package() -> str:
    """A hash of the package's source as it is installed: of a wheel or of a working copy alike."""
    content = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        content.update(f"{path.relative_to(_PACKAGE).as_posix()}\0{path.stat().st_size}\0".encode())
        content.update(path.read_bytes())
    return content.hexdigest()
