"""Labelled images as Ultralytics' data loader wants them, without its cache files.

Ultralytics keeps `labels.cache` beside the labels: a pickle, which runs code when read; which two processes may write
at once; which a read-only folder cannot hold. Scanning the labels takes well under a millisecond an image instead.

Imports Ultralytics: call `prepare_ultralytics` first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ultralytics.data.dataset import YOLODataset
from ultralytics.data.utils import verify_image_label

from yolo_prune_check.data.resolve import DataSet, label_file
from yolo_prune_check.errors import UserError


def spread(images: Sequence[Path], fraction: float) -> tuple[Path, ...]:
    """A share of the images, evenly spread over their order, so that every folder and class keeps its share.

    (Ultralytics' own `fraction` takes the first images.)

    Args:
        images: n of them.
        fraction: above 0, at most 1; at least one image remains.
    """
    count = max(1, round(len(images) * fraction))
    return tuple(images[number * len(images) // count] for number in range(count))


class LabelledImages(YOLODataset):
    """Given images with their YOLO label files.

    Args:
        images: Files to read.
        data: The set they belong to.
        task: `detect` (a polygon counts as its bounding box), `segment`, `pose` or `obb`: what the labels must hold.
        hyp: Ultralytics' arguments, a namespace: image size and augmentation are read.
        augment: For training: augmented. Otherwise letterboxed, batches as rectangular as their images allow.
        batch: Images in a batch.
        stride: The model's largest stride, px.
        report: Told, in a sentence, when unreadable images are left out.

    Raises:
        UserError: No image can be used, or none has a label.
    """

    im_files: list[str]

    def __init__(
        self,
        images: Sequence[Path],
        data: DataSet,
        *,
        task: str,
        hyp: Any,
        augment: bool,
        batch: int,
        stride: int,
        report: Callable[[str], None],
    ) -> None:
        self._images = [str(image) for image in images]
        self._data_set = data
        self._task = task
        self._report = report
        super().__init__(
            img_path=str(data.root),
            imgsz=hyp.imgsz,
            augment=augment,
            hyp=hyp,
            rect=not augment,
            batch_size=batch,
            stride=stride,
            pad=0.0 if augment else 0.5,
            data=as_ultralytics(data),
            task=task,
        )
        del self._report  # workers that are not forked are sent what is left, and no stream can be

    def get_img_files(self, img_path: str | list[str]) -> list[str]:
        """The given images, whatever lies in the folder."""
        return list(self._images)

    def get_labels(self) -> list[dict[str, Any]]:
        """Scan the labels; images that cannot be used are left out of `im_files`, too."""
        self.label_files = [str(label_file(Path(image))) for image in self.im_files]
        labels: list[dict[str, Any]] = []
        complaints: list[str] = []
        points, numbers = self._data_set.kpt_shape or (0, 0)
        for image, file in zip(self.im_files, self.label_files, strict=True):
            # (image, label file, prefix, keypoints?, classes, keypoints, their dimensions, single class?)
            found = verify_image_label(
                (image, file, "", self._task == "pose", len(self._data_set.names), points, numbers, False)
            )
            name, rows, shape, segments, keypoints = found[:5]
            if name is None:
                complaints.append(str(found[-1]))
                continue
            if self._task in ("segment", "obb") and len(segments) != len(rows):
                wanted = "a polygon" if self._task == "segment" else "four corners"
                complaints.append(f"{file}: a box stands where {wanted} should")
                continue
            labels.append(
                {
                    "im_file": image,
                    "shape": shape,
                    "cls": rows[:, 0:1],
                    "bboxes": rows[:, 1:],
                    "segments": segments if self._task in ("segment", "obb") else [],
                    "keypoints": keypoints,
                    "normalized": True,
                    "bbox_format": "xywh",
                }
            )
        self._judge(labels, complaints)
        self.im_files = [label["im_file"] for label in labels]
        return labels

    def _judge(self, labels: Sequence[dict[str, Any]], complaints: Sequence[str]) -> None:
        where = str(self._data_set.yaml)
        if not labels:
            raise UserError("no image of the data set can be used", where=where, value=complaints[0])
        if not any(len(label["cls"]) for label in labels):
            expected = label_file(Path(labels[0]["im_file"]))
            raise UserError("no image has a label", where=where, hint=f"The first one's is looked for in {expected}.")
        if complaints:
            total = len(labels) + len(complaints)
            self._report(f"{where}: {len(complaints)} of {total} images left out; the first: {complaints[0]}")


def as_ultralytics(data: DataSet) -> dict[str, Any]:
    """The mapping that Ultralytics makes of a dataset YAML."""
    return {
        "yaml_file": str(data.yaml),
        "path": data.root,
        **{split: [str(place) for place in places] for split, places in data.places.items()},
        "names": dict(data.names),
        "nc": len(data.names),
        "channels": data.channels,
        **({"kpt_shape": list(data.kpt_shape)} if data.kpt_shape else {}),
        **({"kpt_oks_sigmas": list(data.kpt_oks_sigmas)} if data.kpt_oks_sigmas else {}),
    }
