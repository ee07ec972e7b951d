"""Files that are written whole or not at all."""

from __future__ import annotations

import glob
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from yolo_prune_check.errors import UserError

_RANDOM: Final = "[!.]" * 8
"""What is put into the names of the files that are written to."""


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write to that takes the place of ``path`` at the end.

    A process that is killed, or an exception, leaves what was there before.

    Raises:
        UserError: It cannot be written: the disk is full, the folder is none or not to be written to.
    """
    try:
        with _aside(path) as file:
            yield file
    except OSError as error:
        what = f"the file cannot be written ({error.strerror or error})"
        raise UserError(what, where=str(path), hint="Make room, or see to it that it may be written there.") from error


@contextmanager
def _aside(path: Path) -> Iterator[BinaryIO]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)  # mkstemp makes it private to the user; what is kept is to be read by others
        Path(name).replace(path)
    except BaseException:  # Ctrl-C too must leave no half-written file; it is raised on
        Path(name).unlink(missing_ok=True)
        raise


def sweep(path: Path) -> None:
    """Remove what a killed process was writing in a file's place; no other may be writing there now."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.{_RANDOM}.tmp"):
        left.unlink()
