"""``--imgsz``, under the same rule as in specs."""

from __future__ import annotations

from typing import Final

import typer

from yolo_prune_check.spec.fields import LARGEST_IMAGE, SMALLEST_IMAGE, STRIDE

OWN_SIZE: Final = (
    f"Image size in pixels, a multiple of {STRIDE} from {SMALLEST_IMAGE} to {LARGEST_IMAGE}; by default what the model "
    "was trained at, else 640, for a classifier 224."
)
"""What commands say of the option whose default is the model's own size."""


def is_image_size(imgsz: int | None) -> int | None:
    """The size itself, if one is given and a detector takes images of it.

    Raises:
        typer.BadParameter: It does not.
    """
    if imgsz is not None and (imgsz % STRIDE or not SMALLEST_IMAGE <= imgsz <= LARGEST_IMAGE):
        raise typer.BadParameter(
            f"{imgsz} is not a multiple of {STRIDE} from {SMALLEST_IMAGE} to {LARGEST_IMAGE}.", param_hint="'--imgsz'"
        )
    return imgsz
