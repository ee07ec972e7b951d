"""What a plan was tried on: model, data, image size, device. No path that differs between machines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath, PureWindowsPath

from yolo_prune_check.report.markdown import code
from yolo_prune_check.run.record import Record


def setting(record: Record) -> str:
    """Model, data, image size and device in one cell. Markdown."""
    data = code(shown_path(record.data)) if record.data else "no data"
    return " · ".join([shown_model(record), data, *part(record), *pixels(record), *gpus(record)])


def part(record: Record) -> list[str]:
    """The part of the val images that was measured on, in words; of all nothing is said."""
    return [] if record.val_part is None else [f"part {record.val_part} of the val images"]


def pixels(record: Record) -> list[str]:
    """The image size in words; nothing where none was named and the model, whose own it is, was never loaded."""
    return [] if record.imgsz is None else [f"{record.imgsz} px"]


def gpus(record: Record) -> list[str]:
    """The GPUs that computed, in words; of the CPU, which computes else, nothing is said."""
    return [] if record.device == "cpu" else [f"GPU {record.device}"]


def settings(records: Sequence[Record]) -> str:
    """All that occur among the records, each once."""
    return "; ".join(sorted({setting(record) for record in records}))


def shown_model(record: Record) -> str:
    """The model, with a word if it is built from a description, so that its weights are random. Markdown."""
    name = code(shown_path(record.model))
    return f"{name} (untrained)" if record.model.endswith((".yaml", ".yml")) else name


def shown_path(path: str) -> str:
    """A path without the part that differs between machines."""
    return PureWindowsPath(path).name if absolute(path) else path


def absolute(path: str) -> bool:
    """Whether a path is absolute on any system."""
    return PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute()
