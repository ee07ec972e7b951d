"""One value for each channel of a layer and each object of a batch: at its centre, or the mean over its box."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.layers import Layer
from yolo_prune_check.select.objects import Batch
from yolo_prune_check.select.watching import as_map, never_ran, no_map
from yolo_prune_check.spec.fields import ReadAt


class Reading:
    """Reads one layer at the objects of one batch after another, and collects what is read of those that count.

    Args:
        layer: The layer.
        place: Where it is read for an object.
        capacity: Most objects that are collected: memory for them is taken at once.
    """

    def __init__(self, layer: Layer, place: ReadAt, capacity: int) -> None:
        self.layer = layer
        self._read = {"centre": at_centres, "box": over_boxes}[place]
        self._store = np.empty((capacity, layer.out_channels), dtype=np.float32)
        self._filled = 0
        self._aim: tuple[tuple[int, int], torch.Tensor, torch.Tensor] | None = None
        self._current: NDArray[np.float32] | None = None
        self.refused: UserError | None = None
        """Why the layer has no activations."""

    @property
    def values(self) -> NDArray[np.float32]:
        """[objects collected, channels]."""
        return self._store[: self._filled]

    def aim(self, batch: Batch) -> None:
        """Look at the objects of this batch next."""
        owners = [number for number, objects in enumerate(batch.objects) for _ in objects.classes]
        boxes = np.concatenate([objects.boxes for objects in batch.objects])
        height, width = batch.images.shape[2:]
        self._aim = (height, width), torch.tensor(owners, dtype=torch.long), torch.from_numpy(boxes)
        self._current = None

    def take(self, output: object) -> None:
        """Read the values now: a later module may overwrite the output in place.

        Args:
            output: [n, channels, rows, columns] of the layer. What is no map of the image is told by ``keep``.
        """
        if self._aim is None:
            raise RuntimeError("aim() comes before take()")
        (height, width), owners, boxes = self._aim
        seen = as_map(output)
        if seen is None or seen.shape[2] * width != seen.shape[3] * height:
            self.refused = no_map(self.layer, output)
            return
        rows, columns = seen.shape[2:]
        scale = torch.tensor([columns / width, rows / height] * 2)
        values = self._read(seen.detach(), owners.to(seen.device), (boxes * scale).to(seen.device))
        self._current = values.float().cpu().numpy()

    def keep(self, counted: NDArray[np.bool_]) -> None:
        """Of the values read last, collect those of the objects that count; nothing of a layer that is ``refused``."""
        if self._current is None:
            self.refused = self.refused or never_ran(self.layer)
            return
        values = self._current[counted]
        self._store[self._filled : self._filled + len(values)] = values
        self._filled += len(values)


def at_centres(output: torch.Tensor, owners: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """The cell that holds the centre of a box.

    Args:
        output: [n, channels, rows, columns].
        owners: [objects], the image of each.
        boxes: [objects, 4], left, top, right, bottom in cells.

    Returns:
        [objects, channels].
    """
    rows, columns = output.shape[2:]
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    # A box that reaches the image's border may have its centre on it.
    column, row = centres[:, 0].long().clamp(0, columns - 1), centres[:, 1].long().clamp(0, rows - 1)
    return output[owners, :, row, column]


def over_boxes(output: torch.Tensor, owners: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """The mean over all cells that a box touches, at least one.

    Args:
        output: [n, channels, rows, columns].
        owners: [objects], the image of each.
        boxes: [objects, 4], left, top, right, bottom in cells.

    Returns:
        [objects, channels] float64.
    """
    rows, columns = output.shape[2:]
    last = torch.tensor([columns, rows], device=output.device)
    low = boxes[:, :2].floor().long().clamp(min=0).minimum(last - 1)
    high = boxes[:, 2:].ceil().long().minimum(last).maximum(low + 1)
    # Of each corner the sum of all cells before it, so that a box of any size takes four of them.
    sums = torch.nn.functional.pad(output.double().cumsum(2).cumsum(3), (1, 0, 1, 0))
    left, top, right, bottom = low[:, 0], low[:, 1], high[:, 0], high[:, 1]
    total = sums[owners, :, bottom, right] - sums[owners, :, top, right]
    total = total - sums[owners, :, bottom, left] + sums[owners, :, top, left]
    return total / ((right - left) * (bottom - top))[:, None]
