"""``--imgsz``, under the same rule as in specs."""

from __future__ import annotations

import typer

from yolo_prune_check.spec.fields import LARGEST_IMAGE, SMALLEST_IMAGE, STRIDE


def is_image_size(imgsz: int) -> int:
    """The size itself, if a detector takes images of it.

    Raises:
        typer.BadParameter: It does not.
    """
    if imgsz % STRIDE or not SMALLEST_IMAGE <= imgsz <= LARGEST_IMAGE:
        raise typer.BadParameter(
            f"{imgsz} is not a multiple of {STRIDE} from {SMALLEST_IMAGE} to {LARGEST_IMAGE}.", param_hint="'--imgsz'"
        )
    return imgsz
