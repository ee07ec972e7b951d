"""Finished records, kept in their scenarios' folders under the key of all that they depend on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from yolo_prune_check.progress import Progress
from yolo_prune_check.run.content import file_hash
from yolo_prune_check.run.plain import from_plain, to_plain
from yolo_prune_check.run.record import Record, write_atomically
from yolo_prune_check.run.sidecar import sidecar_path
from yolo_prune_check.spec.schema import Expect

_SAYS_SOMETHING = frozenset({"safe", "unsafe", "partial"})
"""Verdicts of scenarios that ran to their end; the others take no time, or may end otherwise next time."""


def keep_record(record: Record, folder: Path, key: str, *, predict_only: bool) -> None:
    """Keep a record with the hashes of the files that it vouches for, unless it is one to be tried again.

    That is one that did not run to its end, or of which a prediction was refuted: a defect should not look old.
    """
    if record.verdict not in _SAYS_SOMETHING or record.agrees is False:
        return
    content = {
        "key": key,
        "files": {name: file_hash(Path(name)) for name in _files(record)},
        "record": to_plain(record),
    }
    write_atomically(_path(folder, predict_only), json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")


def kept_record(folder: Path, key: str, shown: Progress, *, predict_only: bool) -> Record | None:
    """The record that is kept under this key; None if there is none, or its files are not what they were."""
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


def may_end_otherwise(record: Record, expect: Expect) -> bool:
    """Whether the same steps may come to another end the next time: then they are kept, and the record is not.

    A latency that was judged is another each time, and a budget must neither be missed nor met for ever by chance. A
    training may have run out of memory, and the other process that could not use the file out of time.
    """
    judged = expect.max_latency_ratio is not None and record.metrics.latency is not None
    unusable = any(row.passed is False for row in record.deploy)
    return record.agrees is True and (judged or unusable or any(step.untrained for step in record.steps))


def _files(record: Record) -> list[str]:
    """Its checkpoints, and the final one's sidecar."""
    final = [] if record.checkpoint is None else [record.checkpoint, str(sidecar_path(Path(record.checkpoint)))]
    return list(dict.fromkeys([*final, *(step.checkpoint for step in record.steps if step.checkpoint is not None)]))


def _is_so(path: Path, content: str) -> bool:
    return path.is_file() and file_hash(path) == content
