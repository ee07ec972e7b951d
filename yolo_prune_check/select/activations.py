"""What the channels of a layer say about each object: their values at the object's centre.

One pass over the images serves all layers that are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.layers import Layer
from yolo_prune_check.model.quiet import prepare_ultralytics
from yolo_prune_check.model.sequence import sliced_module
from yolo_prune_check.model.tasks import require_detector
from yolo_prune_check.progress import Progress
from yolo_prune_check.progress import progress as make_progress
from yolo_prune_check.select.matching import MIN_CONFIDENCE, found_objects
from yolo_prune_check.select.objects import Batch, ObjectImages, read_objects

_NMS_IOU = 0.7  # Ultralytics' default for validation


@dataclass(frozen=True)
class Activations:
    """One vector per layer and object that the model found.

    Attributes:
        values: By layer name, [objects, channels] float32.
        labels: [objects] int64, the class of each.
        images: Images looked at.
        objects: Ground-truth objects in them, found or not.
    """

    values: Mapping[str, NDArray[np.float32]]
    labels: NDArray[np.int64]
    images: int
    objects: int


class SlicedMismatch(RuntimeError):  # what the notes call it; an outcome to record, not a defect
    """The notes' `nn.Sequential` does not fit together.

    Attributes:
        module: Qualified name, in the model, of the innermost module that was running.
        message: First line of PyTorch's error, to the letter.
    """

    def __init__(self, module: str, message: str) -> None:
        super().__init__(module, message)
        self.module = module
        self.message = message

    def __str__(self) -> str:
        return f"{self.module}: {self.message}"


def collect(
    model: nn.Module,
    layers: Sequence[Layer],
    data: str,
    imgsz: int,
    max_images: int,
    *,
    sliced: bool = False,
    progress: Progress | None = None,
) -> Activations:
    """Run a detector over training images and read its layers at the centres of the objects it finds.

    An object counts as found if a prediction of its class, confidence above 0.25, overlaps it with an IoU of at least
    0.5. A layer is read from its emitter's output (after BatchNorm and activation), in the cell that holds the centre
    of the object's box.

    Args:
        model: An Ultralytics detector, as it is at this step; run in eval mode on its own device and left as it was.
        layers: The layers to read.
        data: A shipped data set or an Ultralytics dataset YAML; its `train` split is used.
        imgsz: Image size, px, rounded up to a multiple of the model's stride.
        max_images: At most so many images.
        sliced: Read each layer from the field notes' `nn.Sequential` instead of from the model.
        progress: Told of every image.

    Raises:
        UserError: The model is no YOLO detector, the data set cannot be used, no object was found, or a layer's output
            is no map of the image.
        SlicedMismatch: With `sliced`, a sequence does not fit together.
    """
    require_detector(model, hint="Choose channels by l1, gamma or random.")
    shown = progress or make_progress(quiet=True)
    stride = int(torch.as_tensor(getattr(model, "stride", 32)).max())
    images = read_objects(data, imgsz, max_images, stride=max(stride, 32))
    if images.left_out:
        shown.line(f"{images.data.yaml}: {len(images.left_out)} images left out; the first: {images.left_out[0]}")
    readings = {layer.name: _Reading(layer) for layer in layers}
    labels: list[NDArray[np.int64]] = []
    title = f"collect activations of {len(layers)} layer{'s' if len(layers) != 1 else ''}"
    with ExitStack() as stack:
        stack.enter_context(evaluating(model))
        stack.enter_context(torch.no_grad())
        advance = stack.enter_context(shown.task(title, len(images)))
        if not sliced:
            stack.enter_context(_hooked(model, readings.values()))
        for batch in images.batches():
            found = _run(model, batch, readings, sliced=sliced)
            labels += [objects.classes[hit] for objects, hit in zip(batch.objects, found, strict=True)]
            hits = np.concatenate(found)
            for reading in readings.values():
                reading.keep(hits)
            advance(len(batch.images))
    return _gathered(images, readings, labels)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into eval mode; afterwards every module is in the mode it was in."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


class _Reading:
    """Reads one layer at the centres of a batch's objects, and collects those of the objects that were found."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.kept: list[NDArray[np.float32]] = []
        self._aim: tuple[tuple[int, int], torch.Tensor, torch.Tensor] | None = None
        self._current: NDArray[np.float32] | None = None

    def aim(self, batch: Batch) -> None:
        """Look at the centres of this batch's objects next."""
        owners = [number for number, objects in enumerate(batch.objects) for _ in objects.classes]
        boxes = np.concatenate([objects.boxes for objects in batch.objects])
        centres = torch.from_numpy((boxes[:, :2] + boxes[:, 2:]) / 2)
        height, width = batch.images.shape[2:]
        self._aim = (height, width), torch.tensor(owners, dtype=torch.long), centres
        self._current = None

    def take(self, output: object) -> None:
        """Read the values now: a later module may overwrite the output in place."""
        if self._aim is None:
            raise RuntimeError("aim() comes before take()")
        (height, width), owners, centres = self._aim
        if not isinstance(output, torch.Tensor) or output.ndim != 4:
            raise self._no_map(type(output).__name__ if not isinstance(output, torch.Tensor) else tuple(output.shape))
        rows, columns = output.shape[2:]
        if rows * width != columns * height:
            raise self._no_map(tuple(output.shape))
        # A box that reaches the image's border may have its centre on it.
        row = (centres[:, 1] * rows / height).long().clamp(0, rows - 1)
        column = (centres[:, 0] * columns / width).long().clamp(0, columns - 1)
        values = output.detach()[owners.to(output.device), :, row.to(output.device), column.to(output.device)]
        self._current = values.float().cpu().numpy()

    def keep(self, found: NDArray[np.bool_]) -> None:
        """Of the values read last, collect those of the objects that were found."""
        if self._current is None:
            raise UserError(
                "the layer does not run when the model detects, so it has no activations",
                where=self.layer.name,
                hint="Leave it out, or choose by l1.",
            )
        self.kept.append(self._current[found])

    def _no_map(self, got: object) -> UserError:
        return UserError(
            "the layer's output is no map of the image, so it has no value at an object's centre",
            where=self.layer.name,
            value=got,
            hint="Leave it out, or choose by l1.",
        )


@contextmanager
def _hooked(model: nn.Module, readings: Any) -> Iterator[None]:
    handles = []
    try:
        for reading in readings:
            emitter = model.get_submodule(reading.layer.emitter)
            handles.append(emitter.register_forward_hook(_hook(reading)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hook(reading: _Reading) -> Callable[[nn.Module, Any, Any], None]:
    def read(_module: nn.Module, _given: Any, output: Any) -> None:
        reading.take(output)

    return read


def _run(model: nn.Module, batch: Batch, readings: Mapping[str, _Reading], *, sliced: bool) -> list[NDArray[np.bool_]]:
    """Run one batch; for each image, which of its objects were found."""
    prepare_ultralytics()
    from ultralytics.utils.nms import non_max_suppression

    images = batch.images.to(next(model.parameters()).device)
    for reading in readings.values():
        reading.aim(batch)
    output = model(images)
    if sliced:
        for reading in readings.values():
            reading.take(_run_sliced(model, reading.layer, images))
    predictions = non_max_suppression(
        output,
        MIN_CONFIDENCE,
        _NMS_IOU,
        end2end=bool(getattr(model, "end2end", False)),
        max_time_img=float("inf"),  # a slow machine must find the same objects
    )
    return [
        found_objects(objects.boxes, objects.classes, predicted.cpu().numpy())
        for objects, predicted in zip(batch.objects, predictions, strict=True)
    ]


def _run_sliced(model: nn.Module, layer: Layer, images: torch.Tensor) -> object:
    sequence = sliced_module(model, layer)
    with _running(model) as names:
        try:
            return sequence(images)
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            # Not only PyTorch's own: a Concat or Detect that is handed one tensor instead of a list fails in Python.
            raise SlicedMismatch(names[-1] if names else "", str(error).splitlines()[0]) from error


@contextmanager
def _running(model: nn.Module) -> Iterator[list[str]]:
    """Names of the modules whose forward is running, outermost first. One that raises stays on the list."""
    names: list[str] = []
    handles = []

    def enter(name: str) -> Callable[[nn.Module, Any], None]:
        return lambda _module, _given: names.append(name)

    def leave(_module: nn.Module, _given: Any, _output: Any) -> None:
        names.pop()

    try:
        for name, module in model.named_modules():
            handles.append(module.register_forward_pre_hook(enter(name)))
            handles.append(module.register_forward_hook(leave))
        yield names
    finally:
        for handle in handles:
            handle.remove()


def _gathered(
    images: ObjectImages, readings: Mapping[str, _Reading], labels: Sequence[NDArray[np.int64]]
) -> Activations:
    found = np.concatenate(labels)
    if not len(found):
        raise UserError(
            f"no activations found: none of the {images.count} ground-truth objects in {len(images)} training images "
            "was matched by a prediction of its class with confidence above 0.25 and IoU of at least 0.5",
            where=str(images.data.yaml),
            hint="Use a model that was trained on this data set, more images (select.max_images), or the l1 criterion.",
        )
    values = {name: np.concatenate(reading.kept) for name, reading in readings.items()}
    return Activations(values, found, len(images), images.count)
