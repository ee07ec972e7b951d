"""What the channels of layers say about each object. One pass over the images serves all layers that are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.layers import Layer
from yolo_prune_check.model.tasks import require_boxes
from yolo_prune_check.select.detected import detected
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.select.objects import Batch, ObjectImages, read_objects
from yolo_prune_check.select.reading import Reading
from yolo_prune_check.select.sliced import run_sliced
from yolo_prune_check.select.watching import evaluating, watched

_BYTES = 4  # of a float32


@dataclass(frozen=True)
class Activations:
    """One vector per layer and object that counts.

    Attributes:
        values: By layer name, [objects, channels] float32.
        labels: [objects] int64, the class of each.
        images: Images looked at.
        objects: Ground-truth objects in them, whether they count or not.
    """

    values: Mapping[str, NDArray[np.float32]]
    labels: NDArray[np.int64]
    images: int
    objects: int

    @property
    def counts(self) -> dict[str, int]:
        """How many there are, for the record."""
        return {"objects": len(self.labels), "ground_truth": self.objects, "images": self.images}


def collect(evidence: Evidence, layers: Sequence[Layer], *, sliced: bool = False, every: bool = True) -> Activations:
    """Run a model over training images and read its layers at their objects.

    With `objects: matched` an object counts if a prediction of its class, confidence above 0.25, overlaps it with an
    IoU of at least 0.5; with `all` each counts. A layer is read from its emitter's output (after BatchNorm and
    activation), in the cell that holds the centre of the object's box, or with `place: box` as the mean over its cells.

    What is collected takes 4 bytes for each object and channel of a layer, allocated before the first image is read.
    Where that would be more than `memory_mb`, fewer images are read, and a line says so. Beside it there are one batch
    (32 images of 128 px, or as many pixels) and its pass through the model.

    Args:
        evidence: The model, run in eval mode on its own device and left as it was, and its images.
        layers: The layers to read.
        sliced: Read each layer from the field notes' `nn.Sequential` instead of from the model.
        every: Whether each layer must have activations; else those that do not run, or make no map of the image, are
            left out.

    Raises:
        UserError: The model is no YOLO that answers with boxes, the data set cannot be used, no object counts, a layer
            has no activations, or a single image would exceed the memory.
        SlicedMismatch: With `sliced`, a sequence does not fit together.
    """
    model, shown = evidence.model, evidence.progress
    task = require_boxes(model, hint="Choose channels by l1, gamma, random or another criterion that needs no boxes.")
    stride = int(torch.as_tensor(getattr(model, "stride", 32)).max())
    data = evidence.require_data("separability")
    images = read_objects(data, evidence.imgsz, evidence.max_images, stride=max(stride, 32), task=task)
    if images.left_out:
        shown.line(f"{images.data.yaml}: {len(images.left_out)} images left out; the first: {images.left_out[0]}")
    images = _that_fit(images, layers, evidence)
    readings = {layer: Reading(layer, evidence.place, images.count) for layer in layers}
    labels: list[NDArray[np.int64]] = []
    title = f"collect activations of {len(layers)} layer{'s' if len(layers) != 1 else ''}"
    with ExitStack() as stack:
        stack.enter_context(evaluating(model))
        stack.enter_context(torch.no_grad())
        advance = stack.enter_context(shown.task(title, len(images)))
        if not sliced:
            stack.enter_context(watched(model, {layer: reading.take for layer, reading in readings.items()}))
        for batch in images.batches():
            counted = _run(evidence, task, batch, readings, sliced=sliced)
            labels += [objects.classes[hit] for objects, hit in zip(batch.objects, counted, strict=True)]
            hits = np.concatenate(counted)
            for reading in readings.values():
                reading.keep(hits)
                if every and reading.refused is not None:
                    raise reading.refused
            advance(len(batch.images))
    return _gathered(evidence, images, readings, labels)


def _run(
    evidence: Evidence, task: str, batch: Batch, readings: Mapping[Layer, Reading], *, sliced: bool
) -> list[NDArray[np.bool_]]:
    """Run one batch; for each image, which of its objects count."""
    model = evidence.model
    images = batch.images.to(next(model.parameters()))  # where it is, in its precision
    for reading in readings.values():
        reading.aim(batch)
    output = model(images)
    if sliced:
        for layer, reading in readings.items():
            reading.take(run_sliced(model, layer, images))
    if evidence.objects == "all":
        return [np.ones(len(objects.classes), dtype=np.bool_) for objects in batch.objects]
    return detected(model, task, output, batch.objects)


def _that_fit(images: ObjectImages, layers: Sequence[Layer], evidence: Evidence) -> ObjectImages:
    """As many of the images, evenly spread, as the memory has room for."""
    each = sum(layer.out_channels for layer in layers) * _BYTES
    room = int(evidence.memory_mb * 1e6) // max(each, 1)
    fewer, count = images, len(images)
    while fewer.count > room and count > 1:
        count = min(count - 1, max(1, count * room // fewer.count))
        fewer = images.spread(count)
    if fewer.count > room:
        raise UserError(
            f"activations of {len(layers)} layers at {fewer.count} objects take {fewer.count * each / 1e6:.1f} MB",
            where=str(images.data.yaml),
            value=f"a limit of {evidence.memory_mb:g} MB",
            hint="Allow more (a spec's select.memory_mb), or choose fewer layers at a time.",
        )
    if count < len(images):
        evidence.progress.line(
            f"activations of {len(images)} images exceed {evidence.memory_mb:g} MB: {count} of them are read"
        )
    return fewer


def _gathered(
    evidence: Evidence,
    images: ObjectImages,
    readings: Mapping[Layer, Reading],
    labels: Sequence[NDArray[np.int64]],
) -> Activations:
    counted = np.concatenate(labels)
    if not len(counted):
        raise _nothing(evidence, images)
    values = {layer.name: reading.values for layer, reading in readings.items() if reading.refused is None}
    for name, read in values.items():
        if not np.isfinite(read).all():
            hint = "The model is damaged, or its training diverged: use an earlier checkpoint."
            raise UserError("activations are not finite", where=name, hint=hint)
    return Activations(values, counted, len(images), images.count)


def _nothing(evidence: Evidence, images: ObjectImages) -> UserError:
    where = str(images.data.yaml)
    if evidence.objects == "all" or not images.count:
        what = f"no activations found: {len(images)} training images hold no labelled object"
        return UserError(what, where=where, hint="Use more images (a spec's select.max_images), or the l1 criterion.")
    return UserError(
        f"no activations found: none of the {images.count} ground-truth objects in {len(images)} training images "
        "was matched by a prediction of its class with confidence above 0.25 and IoU of at least 0.5",
        where=where,
        hint="Use a model that was trained on this data set, more images or all objects "
        "(a spec's select.max_images, and objects: all), or the l1 criterion.",
    )
