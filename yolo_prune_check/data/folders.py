"""Images whose folders are their classes, as Ultralytics' classifiers are trained on, without its cache files.

Imports Ultralytics: call `prepare_ultralytics` first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ultralytics.data.dataset import ClassificationDataset
from ultralytics.data.utils import verify_image

from yolo_prune_check.data.resolve import DataSet
from yolo_prune_check.errors import UserError


class FolderImages(ClassificationDataset):
    """Given images below the folders of their classes.

    Args:
        images: Files to read.
        data: The set they belong to.
        split: `train` or `val`: below whose place they lie.
        augment: For training: augmented. Otherwise scaled and cropped as for validation.
        names: What the model calls its classes: a folder of such a name is that class. If there is none, folders are
            numbered in the order of their names. As in Ultralytics' own validation.
        hyp: Ultralytics' arguments, a namespace: image size and augmentation are read.
        report: Told, in a sentence, when images are left out.

    Raises:
        UserError: No image can be used.
    """

    samples: list[Any]

    def __init__(
        self,
        images: Sequence[Path],
        data: DataSet,
        *,
        split: str,
        augment: bool,
        names: Mapping[int, str],
        hyp: Any,
        report: Callable[[str], None],
    ) -> None:
        self._images = frozenset(str(image) for image in images)
        self._data_set = data
        self._report = report
        (root,) = data.places[split]
        super().__init__(str(root), hyp, augment=augment, prefix=split, names=dict(names))
        if not self.samples:
            raise UserError("no image is of a class of the data set", where=str(root))
        del self._report  # workers that are not forked are sent what is left, and no stream can be

    def verify_images(self) -> list[tuple[str, int]]:
        """Those of the given images that can be read, each with the number of its folder."""
        usable: list[tuple[str, int]] = []
        complaints: list[str] = []
        for sample in self.samples:
            if sample[0] not in self._images:
                continue
            checked, readable, _corrupt, message = verify_image((sample, ""))
            if readable:
                usable.append(checked)
            else:
                complaints.append(str(message))
        where = str(self._data_set.yaml)
        if not usable:
            value = complaints[0] if complaints else str(self.root)
            raise UserError("no image of the data set can be used", where=where, value=value)
        if complaints:
            total = len(usable) + len(complaints)
            self._report(f"{where}: {len(complaints)} of {total} images left out; the first: {complaints[0]}")
        return usable
