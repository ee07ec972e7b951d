"""Making one file: by one process at a time, which goes on from what a killed one has left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from yolo_prune_check.atomic import sweep
from yolo_prune_check.progress import Progress
from yolo_prune_check.run.folder import only_here
from yolo_prune_check.run.keyed import UNFINISHED, KeyedFolder
from yolo_prune_check.run.sidecar import sidecar_path


@contextmanager
def making(out: Path, key: str, shown: Progress) -> Iterator[KeyedFolder]:
    """Be the only process that makes a file and its sidecar, once any other is done with them.

    Args:
        out: The file.
        key: What was kept under another is removed.
        shown: Told if there is another process to wait for.

    Yields:
        A folder for what is to be kept if this process is killed, below ``.yolo-prune-check`` beside the file. Whoever
        has written the file lets it be forgotten.

    Raises:
        UserError: The folder cannot be made or written to.
    """
    place = out.parent.resolve() / ".yolo-prune-check" / "compact" / out.name
    with only_here(place, shown, f"`compact` for {out}"):
        for file in (out, sidecar_path(out)):
            sweep(file)
        kept = KeyedFolder(place / UNFINISHED, key)
        kept.claim()
        try:
            yield kept
        finally:
            if kept.is_empty():
                kept.forget()
