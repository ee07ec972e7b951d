"""Batches of labelled training images, not augmented, as Ultralytics' losses take them: of any task that it trains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from yolo_prune_check.data.resolve import read_data
from yolo_prune_check.model.network import as_network
from yolo_prune_check.model.quiet import prepare_ultralytics, quietly
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.select.objects import evenly

_PIXELS = 16 * 128 * 128  # in a batch: bounds the memory of a backward pass whatever the image size
_LARGEST_BATCH = 16


def training_batches(evidence: Evidence, criterion: str) -> tuple[int, Iterator[dict[str, Any]]]:
    """How many images there are, and batches of them on the model's device: `img` in float32 between 0 and 1.

    Args:
        evidence: At most `max_images` of its images are read.
        criterion: Who wants to know, for messages.

    Raises:
        UserError: The data set cannot be used, or not with this model.
    """
    prepare_ultralytics()
    data_set = read_data(evidence.require_data(criterion))
    network = as_network(evidence.model, data_set)
    size = -(-evidence.imgsz // network.stride) * network.stride
    step = max(1, min(_LARGEST_BATCH, _PIXELS // size**2))
    files = evenly(data_set.images("train"), evidence.max_images)
    with quietly():
        images = _images(evidence, files, network, size, step)

    def batches() -> Iterator[dict[str, Any]]:
        for start in range(0, len(images), step):
            batch = images.collate_fn([images[index] for index in range(start, min(start + step, len(images)))])
            moved = {key: value.to(network.device) if torch.is_tensor(value) else value for key, value in batch.items()}
            moved["img"] = moved["img"].float() / (255 if moved["img"].dtype == torch.uint8 else 1)
            yield moved

    return len(images), batches()


def _images(evidence: Evidence, files: Sequence[Any], network: Any, size: int, batch: int) -> Any:
    from ultralytics.cfg import get_cfg
    from ultralytics.utils import DEFAULT_CFG

    from yolo_prune_check.data.folders import FolderImages
    from yolo_prune_check.data.labelled import LabelledImages

    hyp = get_cfg(DEFAULT_CFG, {"task": network.task, "imgsz": size})
    data_set, report = read_data(evidence.data or ""), evidence.progress.line
    if network.task == "classify":
        images = FolderImages(
            files, data_set, split="train", augment=False, names=network.names, hyp=hyp, report=report
        )
        images.collate_fn = _classified  # Ultralytics' trainer collates them itself
        return images
    return LabelledImages(
        files, data_set, task=network.task, hyp=hyp, augment=False, batch=batch, stride=network.stride, report=report
    )


def _classified(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "img": torch.stack([sample["img"] for sample in samples]),
        "cls": torch.tensor([sample["cls"] for sample in samples]),
    }
