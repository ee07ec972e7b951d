"""Finished records, kept in their scenarios' folders under the key of all that they depend on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from yolo_prune_check.progress import Progress
from yolo_prune_check.run.content import file_hash
from yolo_prune_check.run.plain import from_plain, to_plain
from yolo_prune_check.run.record import Record, write_atomically

_SAYS_SOMETHING = frozenset({"safe", "unsafe", "partial"})
"""Verdicts of scenarios that ran to their end; the others take no time, or may end otherwise next time."""


def keep_record(record: Record, folder: Path, key: str, *, predict_only: bool) -> None:
    """Keep a record with the hashes of the checkpoints that it names, unless it is one to be tried again.

    That is one that did not run to its end, or of which a prediction was refuted: a defect should not look old; or one
    whose file could not be used elsewhere: that other process may have run out of time.
    """
    unusable = any(row.passed is False for row in record.deploy)
    if record.verdict not in _SAYS_SOMETHING or record.agrees is False or unusable:
        return
    content = {
        "key": key,
        "files": {name: file_hash(Path(name)) for name in _checkpoints(record)},
        "record": to_plain(record),
    }
    write_atomically(_path(folder, predict_only), json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")


def kept_record(folder: Path, key: str, shown: Progress, *, predict_only: bool) -> Record | None:
    """The record that is kept under this key; None if there is none, or its checkpoints are not what they were."""
    path = _path(folder, predict_only)
    if not path.is_file():
        return None
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if content["key"] != key or not all(_is_so(Path(name), it) for name, it in content["files"].items()):
            return None
        record: Record = from_plain(Record, content["record"])
    except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        shown.line(f"    the kept result cannot be read ({path}: {error}), the scenario runs again")
        return None
    return record


def forget_record(folder: Path, *, predict_only: bool) -> None:
    """Keep no record of a scenario any more."""
    _path(folder, predict_only).unlink(missing_ok=True)


def _path(folder: Path, predict_only: bool) -> Path:
    return folder / ("prediction.json" if predict_only else "record.json")


def _checkpoints(record: Record) -> list[str]:
    named = [record.checkpoint, *(step.checkpoint for step in record.steps)]
    return list(dict.fromkeys(name for name in named if name is not None))


def _is_so(path: Path, content: str) -> bool:
    return path.is_file() and file_hash(path) == content
