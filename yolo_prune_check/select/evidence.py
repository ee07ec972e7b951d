"""What a criterion may look at: a model, and where its images come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from torch import nn

from yolo_prune_check.errors import UserError
from yolo_prune_check.progress import Progress
from yolo_prune_check.progress import progress as make_progress
from yolo_prune_check.spec.fields import ReadAt, WhichObjects

MEMORY_MB: Final = 1000.0
"""What collected activations may take, in megabytes (10^6 bytes), unless told otherwise."""


@dataclass(frozen=True)
class Evidence:
    """A model as it is at this step, and the training images that criteria may run it on.

    Attributes:
        model: An Ultralytics model; read, never changed.
        data: A shipped data set, an Ultralytics dataset YAML or a folder of classes; its `train` split is used. None
            where criteria that need images are not asked for.
        imgsz: Image size, px, rounded up to a multiple of the model's stride.
        seed: Of what is random.
        max_images: At most so many images, evenly spread over the data set.
        place: Where a layer is read for an object.
        objects: Which objects count.
        memory_mb: What collected activations may take, in megabytes; where all images would give more, fewer are read.
        progress: Told of every image.
    """

    model: nn.Module
    data: str | None = None
    imgsz: int = 640
    seed: int = 0
    max_images: int = 200
    place: ReadAt = "centre"
    objects: WhichObjects = "matched"
    memory_mb: float = MEMORY_MB
    progress: Progress = field(default_factory=lambda: make_progress(quiet=True))

    def require_data(self, criterion: str) -> str:
        """The data set.

        Raises:
            UserError: There is none.
        """
        if not self.data:
            raise UserError(f"the criterion {criterion} needs data", hint="Name a data set under `data`.")
        return self.data
