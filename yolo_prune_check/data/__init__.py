"""What the package ships to work on without a download: the `digits` set and a detector trained on it.

Importing this package loads neither PyTorch nor scikit-learn, nor even NumPy.

>>> shipped_model("yolov8n-digits").name
'yolov8n-digits.pt'
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from yolo_prune_check.errors import UserError

if TYPE_CHECKING:
    from yolo_prune_check.data.digits import content_hash, digits_yaml

__all__ = ["SHIPPED_DATA", "SHIPPED_MODELS", "content_hash", "digits_yaml", "shipped_data", "shipped_model"]

SHIPPED_DATA: tuple[str, ...] = ("digits",)
SHIPPED_MODELS: tuple[str, ...] = ("yolov8n-digits",)


def shipped_data(name: str) -> Path:
    """The Ultralytics YAML file of a shipped data set, which the first use makes (a few seconds).

    Raises:
        UserError: no data set has that name, or the cache folder cannot be written.
    """
    _require(name, SHIPPED_DATA, "data set")
    from yolo_prune_check.data.digits import digits_yaml

    return digits_yaml()


def shipped_model(name: str) -> Path:
    """The checkpoint (.pt) of a shipped model.

    Raises:
        UserError: no model has that name, or its file is missing from the installation.
    """
    _require(name, SHIPPED_MODELS, "model")
    file = Path(__file__).with_name("weights") / f"{name}.pt"
    if not file.is_file():
        raise UserError(
            "a shipped checkpoint is missing from the installation",
            value=name,
            where=str(file),
            hint="Reinstall the package, or run python -m yolo_prune_check.data.train_digits.",
        )
    return file


def _require(name: str, known: tuple[str, ...], kind: str) -> None:
    if name not in known:
        raise UserError(f"no shipped {kind} has this name", value=name, hint=f"Shipped: {', '.join(known)}.")


def __getattr__(name: str) -> Any:
    # Loaded on demand: NumPy costs more than the rest of this package, and `python -m yolo_prune_check.data.digits`
    # must not find its module imported already.
    if name in {"content_hash", "digits_yaml"}:
        from yolo_prune_check.data import digits

        return getattr(digits, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
