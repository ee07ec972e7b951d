"""Which pages of a report directory are its own: a list beside them, by which a stale one may be deleted."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from yolo_prune_check.errors import UserError
from yolo_prune_check.report.markdown import MARKER
from yolo_prune_check.report.site import INDEX
from yolo_prune_check.run.record import write_atomically

OWNED = ".pages.json"
"""The list: names of the pages that the records of this directory gave, relative to it."""


def remove_stale(out: Path, current: set[str]) -> tuple[str, ...]:
    """Delete the pages that were written here before and are not among the current ones; then note the current ones.

    A page that was never noted is not ours to delete, nor one that was edited, nor any in a report directory of its
    own that lies below this one.
    """
    removed = tuple(sorted(name for name in _noted(out) - current if _is_ours(out, name)))
    for name in removed:
        (out / name).unlink(missing_ok=True)  # another run may have been quicker
        _remove_empty(out, (out / name).parent)
    write_atomically(out / OWNED, json.dumps(sorted(current), indent=1, ensure_ascii=False) + "\n")
    return removed


def _noted(out: Path) -> set[str]:
    """The list; empty if it is missing or damaged, for then nothing may be deleted."""
    try:
        names = json.loads((out / OWNED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def _is_ours(out: Path, name: str) -> bool:
    parts = PurePosixPath(name).parts
    path = out / name
    if PurePosixPath(name).is_absolute() or ".." in parts or not path.is_file():
        return False
    folders = [out.joinpath(*parts[:depth]) for depth in range(1, len(parts))]
    if any((folder / mark).exists() for folder in folders for mark in (OWNED, INDEX, "records")):
        return False
    return _has_marker(path)


def refuse_foreign(paths: Iterable[Path]) -> None:
    """See that no page would take the place of a file that somebody else wrote.

    Raises:
        UserError: It would.
    """
    for path in paths:
        if path.is_file() and not _has_marker(path):
            hint = "Name another folder for the report, or move the file."
            raise UserError("a page would overwrite a file that is no report of ours", where=str(path), hint=hint)


def _has_marker(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline().rstrip("\n") == MARKER


def _remove_empty(out: Path, folder: Path) -> None:
    while folder != out and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
