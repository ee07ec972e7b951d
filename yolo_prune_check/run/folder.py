"""A run's folder: one process at a time works in it, and what killed ones left half-written is cleared away."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from yolo_prune_check.errors import UserError
from yolo_prune_check.progress import Progress

_LOCK: Final = ".lock"
_POLL_S: Final = 0.2


@contextmanager
def only_here(folder: Path, shown: Progress, what: str = "this scenario") -> Iterator[None]:
    """Be the only process that works in a run's folder, once any other is done with it.

    The system lets go of the lock of a process that is killed. What such a process was writing is removed.

    Args:
        folder: The folder; made if it is not there.
        shown: Told if there is another process to wait for.
        what: What is run there, as messages name it.

    Raises:
        UserError: The folder cannot be made or written to, or this thread is running it already.
    """
    lock = FileLock(folder / _LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _acquire(lock, folder, shown, what)
    except RuntimeError as error:  # of filelock: this thread holds it already
        raise UserError(
            f"{what} is being run here already",
            where=str(folder),
            hint="Take all events of the first run, or close it, before the second.",
        ) from error
    except OSError as error:
        what = f"pruned models cannot be saved there ({error.strerror or error})"
        raise UserError(what, where=str(folder), hint="Run in a folder that can be written to.") from error
    try:
        _sweep(folder)
        yield
    finally:
        lock.release()


def _acquire(lock: FileLock, folder: Path, shown: Progress, what: str) -> None:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        shown.line(f"    waiting for another process that runs {what} (it holds {folder / _LOCK})")
        lock.acquire(poll_interval=_POLL_S)


def _sweep(folder: Path) -> None:
    """Remove what killed processes were writing: ``written_whole``'s files, and folders of trainings and checks."""
    for path in folder.rglob(".*.tmp"):
        path.unlink()
    for path in [*folder.rglob("fine-tune-*"), *folder.rglob("deploy-*")]:
        # One may lie in another; and a process that checks a file outlives its starter by a moment, in which it may
        # write: the next start removes that.
        shutil.rmtree(path, ignore_errors=True)
