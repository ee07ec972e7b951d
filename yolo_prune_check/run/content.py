"""What the outcome of a scenario depends on, as one hash: results are kept under it."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import torch

from yolo_prune_check.data import SHIPPED_DATA, SHIPPED_MODELS, shipped_model
from yolo_prune_check.data.digits import VERSION
from yolo_prune_check.data.resolve import array_file, label_file, read_data
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.architecture import read_architecture
from yolo_prune_check.run.timed import is_timed, processor
from yolo_prune_check.spec.schema import Scenario
from yolo_prune_check.train.devices import names_of, workers_of
from yolo_prune_check.versions import source_hash, versions


def content_key(scenario: Scenario, *, predict_only: bool) -> str:
    """A SHA-256, in hexadecimal, of all that decides what comes out of a scenario.

    That is what the scenario says (not where it is written), and what ``key_of`` adds; where its record is to hold a
    latency, the processor, too.
    """
    training = scenario.fine_tune
    asked = {
        "scenario": scenario.model_dump(mode="json", exclude={"source"}),
        "predict_only": predict_only,
        "workers": None if training is None else workers_of(training.workers, scenario.device),
    }
    if not predict_only and is_timed(scenario):
        asked["processor"] = processor()
    return key_of(asked, model=scenario.model, data=scenario.data, device=scenario.device)


def key_of(asked: Mapping[str, object], *, model: str, data: str | None, device: str) -> str:
    """A SHA-256, in hexadecimal, of what is asked for and of all else that decides what comes out.

    That is the content of the model, the data (images, labels and arrays that are read in the place of images by path,
    size and time of change; a shipped set by its version), the source of this package, the versions of the libraries
    and of Python, the kind of each GPU that is named, and the number of threads, on which sums depend in the last
    digits.

    What is not there, or cannot be read, is part of the key as such: whoever loads it says what is wrong.

    Args:
        asked: Every argument, as JSON knows it.
        model: As ``load_model`` takes it.
        data: A shipped data set an Ultralytics dataset YAML or a folder of classes; None for none.
        device: `cpu`, or GPUs such as `0,1`.
    """
    parts = {
        "asked": dict(asked),
        "model": _model(model),
        "data": None if data is None else _data(data),
        "package": source_hash(),
        "versions": versions(),
        "machine": platform.machine(),
        "gpus": names_of(device),
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
            "yaml": [str(data.yaml), list(data.names.values())] if data.by_folder else file_hash(data.yaml),
            **{split: [list(_state(path)) for path in data.images(split)] for split in data.places},
        }
    except (UserError, OSError) as error:
        return f"not read: {error}"


def _state(image: Path) -> Iterator[object]:
    for path in (image, label_file(image), array_file(image)):
        yield str(path)
        if path.is_file():
            state = path.stat()
            yield from (state.st_size, state.st_mtime_ns)
