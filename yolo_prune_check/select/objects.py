"""Labelled training images as a detector sees them: letterboxed, with their objects in network pixels.

Imports Ultralytics inside functions, after `prepare_ultralytics`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from yolo_prune_check.data.resolve import DataSet, label_file, read_data
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.quiet import prepare_ultralytics

_PIXELS = 32 * 128 * 128  # in a batch: bounds memory whatever the image size
_LARGEST_BATCH = 32

_T = TypeVar("_T")


@dataclass(frozen=True)
class Objects:
    """The ground truth of one image.

    Attributes:
        boxes: [n, 4] float32, left, top, right, bottom in network pixels.
        classes: [n] int64.
    """

    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """Images of one size and their objects.

    Attributes:
        images: [n, channels, height, width] float32, RGB, between 0 and 1.
        objects: Of each image.
    """

    images: torch.Tensor
    objects: tuple[Objects, ...]


@dataclass(frozen=True)
class ObjectImages:
    """Labelled images of a data set, read when iterated over.

    Attributes:
        data: The data set.
        files: The images.
        size: Side of the square network input, px.
        labels: Of each image, [n, 5] float32: class, then centre x, y, width, height as fractions of the image.
        left_out: What is wrong with the images that cannot be used.
    """

    data: DataSet
    files: tuple[Path, ...]
    size: int
    labels: tuple[NDArray[np.float32], ...]
    left_out: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.files)

    @property
    def count(self) -> int:
        """Objects in all images."""
        return sum(len(rows) for rows in self.labels)

    def spread(self, count: int) -> ObjectImages:
        """Only so many of the images, evenly spread."""
        chosen = evenly(range(len(self)), count)
        files, labels = tuple(self.files[n] for n in chosen), tuple(self.labels[n] for n in chosen)
        return replace(self, files=files, labels=labels)

    def batches(self) -> Iterator[Batch]:
        """All images in order, as many at a time as memory should hold."""
        step = max(1, min(_LARGEST_BATCH, _PIXELS // self.size**2))
        for start in range(0, len(self), step):
            pairs = [
                _load(file, rows, self.size, self.data.channels)
                for file, rows in zip(self.files[start : start + step], self.labels[start : start + step], strict=True)
            ]
            images = torch.from_numpy(np.stack([image for image, _ in pairs])).float() / 255
            yield Batch(images, tuple(objects for _, objects in pairs))


def read_objects(data: str, imgsz: int, max_images: int, *, stride: int = 32, task: str = "detect") -> ObjectImages:
    """Find the training images of a data set, and read their labels.

    Args:
        data: A shipped data set or an Ultralytics dataset YAML; its `train` split is used.
        imgsz: Longer side of the images, px; rounded up to a multiple of `stride`.
        max_images: At most so many, evenly spread over the sorted files.
        stride: Largest stride of the network, px.
        task: `pose` where labels have keypoints; polygons of the other tasks are known by themselves.

    Raises:
        UserError: The data set cannot be used, or none of its images can.
    """
    prepare_ultralytics()
    from ultralytics.data.utils import verify_image_label

    if imgsz < 1 or max_images < 1:
        raise UserError("image size and number of images must be positive", value=(imgsz, max_images))
    data_set = read_data(data)
    files: list[Path] = []
    labels: list[NDArray[np.float32]] = []
    complaints: list[str] = []
    points, numbers = (data_set.kpt_shape or (0, 0)) if task == "pose" else (0, 0)
    for file in evenly(data_set.images("train"), max_images):
        # (image, label file, prefix, keypoints?, classes, keypoints, their dimensions, single class?)
        named = str(file), str(label_file(file))
        found = verify_image_label((*named, "", task == "pose", len(data_set.names), points, numbers, False))
        if found[0] is None:
            complaints.append(str(found[-1]))
            continue
        files.append(file)
        labels.append(found[1])
    if not files:
        raise UserError("no image of the data set can be used", where=str(data_set.yaml), value=complaints[0])
    return ObjectImages(data_set, tuple(files), -(-imgsz // stride) * stride, tuple(labels), tuple(complaints))


def evenly(images: Sequence[_T], count: int) -> list[_T]:
    """At most so many, evenly spread over their order."""
    count = min(count, len(images))
    return [images[number * len(images) // count] for number in range(count)]


def _load(file: Path, rows: NDArray[np.float32], size: int, channels: int) -> tuple[NDArray[np.uint8], Objects]:
    """One image as Ultralytics' validation loads it (longer side to `size`, the rest padded), and its objects."""
    import cv2
    from ultralytics.data.augment import LetterBox
    from ultralytics.utils.instance import Instances
    from ultralytics.utils.patches import imread

    flag = {1: cv2.IMREAD_GRAYSCALE, 3: cv2.IMREAD_COLOR}.get(channels, cv2.IMREAD_UNCHANGED)
    pixels: Any = imread(file, flag)
    if pixels is None:
        raise UserError("the image cannot be read", where=str(file))
    height, width = pixels.shape[:2]
    ratio = size / max(height, width)
    if ratio != 1:
        shape = min(math.ceil(width * ratio), size), min(math.ceil(height * ratio), size)
        pixels = cv2.resize(pixels, shape, interpolation=cv2.INTER_LINEAR)
    boxes = Instances(rows[:, 1:].copy(), np.zeros((0, 1000, 2), np.float32), bbox_format="xywh", normalized=True)
    labels = {"img": pixels, "cls": rows[:, :1], "instances": boxes}
    framed: Any = LetterBox((size, size), scaleup=False)(labels)
    pixels = framed["img"] if framed["img"].ndim == 3 else framed["img"][..., None]
    planes = pixels.transpose(2, 0, 1)
    if len(planes) == 3:
        planes = planes[::-1]  # OpenCV reads blue first
    instances = framed["instances"]
    instances.convert_bbox("xyxy")
    objects = Objects(np.asarray(instances.bboxes, dtype=np.float32), rows[:, 0].astype(np.int64))
    return np.ascontiguousarray(planes), objects
