"""What choosing takes: activations of 13 layers in one pass against the field notes' way, distances against a loop.

Run with ``python -m benchmarks.select [--images 20] [--write docs/selection.md]``. The notes run, for every layer and
image, the whole model to see which objects it finds, and then a network of the blocks up to the layer. Theirs is an
``nn.Sequential`` that does not fit most of these layers; the one here runs the blocks as the model does. Ratios are of
one process on one thread, fastest of several rounds for what is quick.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tabulate import tabulate

from benchmarks.setting import one_thread, sentence
from benchmarks.timing import seconds
from yolo_prune_check.model.layers import Layer, layers_of
from yolo_prune_check.model.load import load_model
from yolo_prune_check.select.activations import Activations, collect
from yolo_prune_check.select.detected import detected
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.select.objects import read_objects
from yolo_prune_check.select.separability import class_statistics, jeffries_matusita

MODEL, DATA, IMGSZ = "yolov8n-digits", "digits", 128
BLOCKS = range(1, 6)
ROUNDS = 5
OBJECTS = 600
"""Of the ten classes, drawn for the distances: about as many as 200 training images hold."""


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        what: Is compared.
        slow: Seconds of the plain way.
        fast: Seconds of this package's.
        error: Largest difference between their values, in float64.
        said: The same in words.
    """

    what: str
    slow: float
    fast: float
    error: float
    said: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare both, write the page."""
    options = _parser().parse_args(arguments)
    one_thread()
    rows = [activations(options.images), distances()]
    text = _page(rows, options.images)
    print(text)
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")
    return 0


def activations(images: int, rounds: int = ROUNDS) -> Row:
    """Collect both ways, fastest of several rounds.

    Values are compared once more in float64, on fewer images: there a difference is one of method. In float32 sums of a
    convolution depend on how many images are in a batch.
    """
    model = load_model(MODEL)
    layers = [layer for layer in layers_of(model) if layer.block in BLOCKS]
    evidence = Evidence(model, DATA, IMGSZ, max_images=images)
    collect(evidence, layers)  # both find the images in memory
    fast = min(seconds(lambda: collect(evidence, layers)) for _ in range(rounds))
    slow = min(seconds(lambda: _as_the_notes(model, layers, images)) for _ in range(min(rounds, 2)))
    exact, few = load_model(MODEL).double(), max(1, images // 4)
    error = _difference(
        collect(Evidence(exact, DATA, IMGSZ, max_images=few), layers), _as_the_notes(exact, layers, few)
    )
    single = _difference(collect(evidence, layers), _as_the_notes(model, layers, images))
    said = f"{error:.0e} in float64 ({few} images), {single:.0e} in float32"
    return Row(f"activations of {len(layers)} layers, {images} images", slow, fast, error, said)


def _as_the_notes(model: Any, layers: Sequence[Layer], images: int) -> Activations:
    """Layer by layer and image by image: the whole model, then the blocks up to the layer."""
    values: dict[str, NDArray[np.float32]] = {}
    data = read_objects(DATA, IMGSZ, images)
    precision = next(model.parameters()).dtype
    for layer in layers:
        rows, labels = [], []
        for batch in data.batches():
            for image, objects in zip(batch.images.to(precision), batch.objects, strict=True):
                with torch.no_grad():
                    (hits,) = detected(model, "detect", model(image[None]), [objects])
                    output = _mini_net(model, layer, image[None])
                for hit, box, label in zip(hits, objects.boxes, objects.classes, strict=True):
                    if hit:
                        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
                        cell = IMGSZ / output.shape[2]
                        rows.append(output[0, :, int(y // cell), int(x // cell)].float().numpy())
                        labels.append(label)
        values[layer.name] = np.stack(rows)
    return Activations(values, np.array(labels), len(data), data.count)


class _ReachedError(Exception):
    """The layer has its output."""


def _mini_net(model: Any, layer: Layer, image: torch.Tensor) -> torch.Tensor:
    """The output of a layer, of no more of the model than it takes."""
    outputs: list[torch.Tensor] = []

    def stop(_module: Any, _given: Any, output: torch.Tensor) -> None:
        outputs.append(output)
        raise _ReachedError

    handle = model.get_submodule(layer.emitter).register_forward_hook(stop)
    try:
        for block in model.model:
            image = block(image)  # blocks before the sixth take the one before
    except _ReachedError:
        return outputs[0]
    finally:
        handle.remove()
    raise RuntimeError(f"{layer.name} did not run")


def _difference(one: Activations, other: Activations) -> float:
    if not np.array_equal(one.labels, other.labels):
        return math.inf
    return max(float(np.abs(values - other.values[name]).max()) for name, values in one.values.items())


def distances() -> Row:
    """The Jeffries-Matusita distances of all channels of the 13 layers, 45 pairs of classes."""
    widths = [layer.out_channels for layer in layers_of(load_model(MODEL)) if layer.block in BLOCKS]
    random = np.random.default_rng(0)
    labels = np.arange(OBJECTS) % 10
    layers = [random.normal(labels[:, None] / 10, 1, (OBJECTS, width)).astype(np.float32) for width in widths]
    slow = min(seconds(lambda: [double_loop(values, labels) for values in layers]) for _ in range(2))
    fast = min(seconds(lambda: [vectorised(values, labels) for values in layers]) for _ in range(ROUNDS))
    pairs = ((vectorised(values, labels), double_loop(values, labels)) for values in layers)
    error = max(float(np.abs(one - other).max()) for one, other in pairs)
    what = f"distances of {sum(widths)} channels, 45 pairs of classes, {OBJECTS} objects"
    return Row(what, slow, fast, error, f"{error:.0e} in float64")


def vectorised(values: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    statistics = class_statistics(values, labels)
    return jeffries_matusita(statistics.means, statistics.variances)


def double_loop(values: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Channel by channel and pair by pair, as the formula is written down."""
    classes = sorted(set(labels.tolist()))
    rows = []
    for channel in range(values.shape[1]):
        row = []
        for index, first in enumerate(classes):
            for second in classes[index + 1 :]:
                one = values[labels == first, channel].astype(np.float64)
                other = values[labels == second, channel].astype(np.float64)
                v1, v2 = one.var(ddof=1), other.var(ddof=1)
                b = (one.mean() - other.mean()) ** 2 / (4 * (v1 + v2))
                b += math.log((v1 + v2) / (2 * math.sqrt(v1 * v2))) / 2
                row.append(2 * (1 - math.exp(-b)))
        rows.append(row)
    return np.array(rows)


def _page(rows: Sequence[Row], images: int) -> str:
    cells = [
        [row.what, f"{row.slow:.2f} s", f"{row.fast:.4f} s", f"{row.slow / row.fast:.0f}", row.said] for row in rows
    ]
    heads = ["what", "plain way", "this package", "times faster", "largest difference"]
    return "\n".join(
        [
            "# What choosing channels takes",
            "",
            f"`{MODEL}`, the 13 convolutions of blocks 1 to 5. The plain way to activations is the field notes': for "
            "each layer and image the whole model, then the blocks up to the layer. The plain way to distances is a "
            "double loop over channels and pairs of classes. In float64 a difference is one of method; in float32, in "
            "which both are timed, the sums of a convolution depend on how many images are in a batch.",
            "",
            tabulate(cells, heads, tablefmt="github"),
            "",
            f"{sentence()} Again: `python -m benchmarks.select --images {images} --write docs/selection.md`.",
        ]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--write", type=Path)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
