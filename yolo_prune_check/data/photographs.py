"""Real images for the proof: those of a data set, or the two photographs that Ultralytics brings along."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from yolo_prune_check.data.resolve import read_data
from yolo_prune_check.errors import UserError

COUNT = 2
"""How many are shown to a model."""


def photographs(data: str | None, size: int) -> torch.Tensor:
    """The first images of a data set's val split, stretched to a square; Ultralytics' own where no data are named.

    Args:
        data: A shipped data set or an Ultralytics dataset YAML; None for none.
        size: Side in pixels.

    Returns:
        ``(COUNT, 3, size, size)``, RGB in [0, 1]; fewer where the data set has fewer.

    Raises:
        UserError: An image cannot be read.
    """
    files = _sample() if data is None else read_data(data).images("val")[:COUNT]
    return torch.stack([_read(file, size) for file in files])


def _sample() -> Sequence[Path]:
    from ultralytics.utils import ASSETS

    return [Path(ASSETS) / name for name in ("bus.jpg", "zidane.jpg")]


def _read(file: Path, size: int) -> torch.Tensor:
    import cv2

    image = cv2.imread(str(file))
    if image is None:
        raise UserError("the image cannot be read", where=str(file))
    square = cv2.cvtColor(cv2.resize(image, (size, size)), cv2.COLOR_BGR2RGB)
    return torch.from_numpy(square).permute(2, 0, 1).float() / 255
