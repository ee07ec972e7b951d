"""The state of a training between two epochs, on disk, so that one that was killed goes on as if it had not been."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final

import torch
from torch import nn

from yolo_prune_check import __version__
from yolo_prune_check.atomic import written_whole
from yolo_prune_check.data.resolve import DataSet, array_file, label_file
from yolo_prune_check.errors import UserError
from yolo_prune_check.versions import versions

NAME: Final = "fine-tune.state"
"""The one file that a folder for such states holds."""


@dataclass
class KeptState:
    """Where the state of one training is kept.

    The file is a SHA-256 digest, 32 bytes, and what it is the digest of: a dict saved by PyTorch, which is read without
    running anything it might contain.

    Attributes:
        file: The file.
        fingerprint: Of everything that decides what comes of the training; see `fingerprint_of`.
        report: Told, in a sentence, what was found.
    """

    file: Path
    fingerprint: str
    report: Callable[[str], None]
    _told: bool = field(default=False, init=False)

    def write(self, state: Mapping[str, Any]) -> None:
        """Keep a state in the place of the last one, whole or not at all.

        Where it cannot be written, that is reported, the first time, and the training goes on: it may well be that
        nothing ever interrupts it.

        Args:
            state: Tensors, numbers and texts, in dicts and lists.
        """
        buffer = io.BytesIO()
        torch.save({**state, "fingerprint": self.fingerprint}, buffer)
        try:
            with written_whole(self.file) as file:
                file.write(hashlib.sha256(buffer.getbuffer()).digest())
                file.write(buffer.getbuffer())
        except UserError as error:
            if not self._told:
                self.report(f"{error} The training goes on; if it is interrupted, it cannot go on from here.")
            self._told = True

    def read(self) -> dict[str, Any] | None:
        """The state of this very training, on the CPU; None if there is none, or only that of another one."""
        try:
            content = self.file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._damaged(str(error.strerror))
            return None
        digest, body = content[:32], content[32:]
        if hashlib.sha256(body).digest() != digest:
            self._damaged("it is not what was written")
            return None
        try:
            state = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
        except (RuntimeError, UnpicklingError, EOFError) as error:
            self._damaged(str(error).splitlines()[0])
            return None
        if not isinstance(state, dict) or state.get("fingerprint") != self.fingerprint:
            return None
        return state

    def remove(self) -> None:
        """The training is over."""
        with suppress(OSError):  # from a state that stays, this very training ends as it did
            self.file.unlink(missing_ok=True)

    def _damaged(self, why: str) -> None:
        self.report(f"{self.file}: the state of a fine-tuning cannot be used ({why}); it starts anew")


def fingerprint_of(model: nn.Module, images: Sequence[Path], data: DataSet, arguments: Mapping[str, Any]) -> str:
    """A digest of everything that decides what comes of a training.

    Args:
        model: With the weights it starts from.
        images: The images it is trained on, in order; they, their labels, and the arrays that Ultralytics reads in
            their place count by size and time of change.
        data: Their data set.
        arguments: Every other argument, as JSON knows it; the machine's GPU and the number of threads count, too.
    """
    names = getattr(model, "names", None)  # which folder is which class of a classifier
    digest = hashlib.sha256(f"{model!r} {names}".encode())
    for name, value in model.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    beside = () if data.by_folder else tuple(of(image) for of in (label_file, array_file) for image in images)
    told = {
        "arguments": dict(arguments),
        "data": [str(data.yaml), list(data.names.items()), data.channels, data.kpt_shape, data.kpt_oks_sigmas],
        "files": [_listed(file) for file in (*images, *beside)],
        # Another version of one of these may compute, or draw, something else.
        "versions": {"yolo-prune-check": __version__, **versions()},
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "threads": torch.get_num_threads(),
    }
    digest.update(json.dumps(told, sort_keys=True).encode())
    return digest.hexdigest()


def _listed(file: Path) -> tuple[str, int, int] | None:
    try:
        status = file.stat()
    except FileNotFoundError:  # an image without objects needs no label, and hardly any has an array
        return None
    return str(file), status.st_size, status.st_mtime_ns
