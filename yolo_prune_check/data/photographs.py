"""Real images for the proof: those of a data set, or the two photographs that Ultralytics brings along."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import torch

from yolo_prune_check.data.resolve import read_data

COUNT = 2
"""How many are shown to a model."""


def photographs(data: str | None, size: int) -> torch.Tensor:
    """The first images of a data set's val split that can be read, stretched to a square; else Ultralytics' own.

    What cannot be read is left out, as it is where mAP is measured.

    Args:
        data: A shipped data set or an Ultralytics dataset YAML; None for none.
        size: Side in pixels.

    Returns:
        ``(COUNT, 3, size, size)``, RGB in [0, 1]; fewer where the data set has fewer.

    Raises:
        UserError: There is no such data set.
    """
    own = () if data is None else read_data(data).images("val")
    found = list(islice(_readable(own, size), COUNT)) or list(islice(_readable(_sample(), size), COUNT))
    return torch.stack(found)


def _sample() -> Sequence[Path]:
    from ultralytics.utils import ASSETS

    return [Path(ASSETS) / name for name in ("bus.jpg", "zidane.jpg")]


def _readable(files: Iterable[Path], size: int) -> Iterator[torch.Tensor]:
    import cv2

    for file in files:
        image = cv2.imread(str(file))
        if image is not None:
            square = cv2.cvtColor(cv2.resize(image, (size, size)), cv2.COLOR_BGR2RGB)
            yield torch.from_numpy(square).permute(2, 0, 1).float() / 255
