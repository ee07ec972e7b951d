"""What can be done with the file of a smaller model elsewhere, beside what can with the untouched one's."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Final

from torch import nn

from yolo_prune_check.confirm import onnx_file
from yolo_prune_check.confirm.check import Check
from yolo_prune_check.confirm.deploy import TRACED, deploy_checks
from yolo_prune_check.progress import Progress
from yolo_prune_check.run.checkpoint import save_checkpoint

EXPORTS: Final = frozenset({TRACED, onnx_file.VALID, onnx_file.EQUAL})
"""Rows that speak of other formats, which not every architecture can be brought to. A file must always load."""


def deployed(
    untouched: nn.Module,
    small: nn.Module,
    file: Path,
    *,
    imgsz: int,
    trusted: Collection[str],
    work_dir: Path,
    progress: Progress,
) -> tuple[Check, ...]:
    """Check a smaller model's file; a failed export that the untouched model's file fails as well has no verdict.

    Args:
        untouched: The model before it was pruned; not modified.
        small: The smaller one; not modified.
        file: Its checkpoint.
        imgsz: Image size in pixels.
        trusted: Names beyond stock classes that were accepted, see ``trusted_names``.
        work_dir: An existing folder, for temporary ones.
        progress: Where long work is shown.

    Returns:
        The rows of ``deploy_checks``.
    """
    with progress.task("use the saved file where this package is not"):
        rows = deploy_checks(small, file, imgsz=imgsz, trusted=trusted, work_dir=work_dir)
    if not any(row.passed is False and row.name in EXPORTS for row in rows):
        return rows
    with (
        progress.task("try the same with the untouched model"),
        tempfile.TemporaryDirectory(prefix="deploy-", dir=work_dir) as folder,
    ):
        other = Path(folder) / "untouched.pt"
        save_checkpoint(untouched, other, imgsz=imgsz)
        theirs = deploy_checks(untouched, other, imgsz=imgsz, trusted=trusted, work_dir=work_dir)
    impossible = {row.name for row in theirs if row.passed is False} & EXPORTS
    return tuple(_excused(row) if row.passed is False and row.name in impossible else row for row in rows)


def _excused(row: Check) -> Check:
    return replace(row, passed=None, detail=f"it does not hold of the untouched model either: {row.detail}")
