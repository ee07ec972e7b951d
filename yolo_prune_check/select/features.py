"""Criteria by what a channel emits on training images, whatever is on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from yolo_prune_check.model.layers import Layer
from yolo_prune_check.select.batches import training_batches
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.select.ranking import Scores
from yolo_prune_check.select.watching import as_map, evaluating, watched


def mean_activation(evidence: Evidence, layers: Sequence[Layer]) -> dict[str, Scores]:
    """Mean magnitude of what every channel emits, over images and places.

    Molchanov, Tyree, Karras, Aila, Kautz, "Pruning convolutional neural networks for resource efficient inference",
    ICLR 2017, where it is one of the criteria compared. Magnitude, since SiLU emits negative values.

    Returns:
        By layer, [channels]; larger is more important. Layers that do not run, or make no map, are left out.
    """
    return _means(evidence, layers, "mean-activation", torch.abs)


def apoz(evidence: Evidence, layers: Sequence[Layer]) -> dict[str, Scores]:
    """Share of images and places at which a channel emits more than zero: one minus its average percentage of zeros.

    Hu, Peng, Tai, Tang, "Network trimming: a data-driven neuron pruning approach towards efficient deep architectures",
    2016 (arXiv 1607.03250), counts the zeros of ReLU. SiLU is negative where ReLU is zero, hence "not above zero".

    Returns:
        By layer, [channels]; larger is more important. Layers that do not run, or make no map, are left out.
    """
    return _means(evidence, layers, "apoz", lambda output: output > 0)


def _means(
    evidence: Evidence, layers: Sequence[Layer], criterion: str, of: Callable[[torch.Tensor], torch.Tensor]
) -> dict[str, Scores]:
    """Mean over images and places; each image counts alike, whatever the size of its batch's maps."""
    count, batches = training_batches(evidence, criterion)
    sums: dict[str, torch.Tensor] = {}
    runs: dict[str, int] = {}  # images, once for each time that a layer runs on one

    def reader(layer: Layer) -> Callable[[object], None]:
        def read(output: object) -> None:
            seen = as_map(output)
            if seen is None:
                return
            means = of(seen.detach()).double().mean(dim=(2, 3)).sum(dim=0).cpu()
            sums[layer.name] = sums.get(layer.name, torch.zeros(())) + means
            runs[layer.name] = runs.get(layer.name, 0) + len(seen)

        return read

    with (
        evaluating(evidence.model),
        torch.no_grad(),
        watched(evidence.model, {layer: reader(layer) for layer in layers}),
        evidence.progress.task(f"run {criterion} on {count} images", count) as advance,
    ):
        for batch in batches:
            evidence.model(batch["img"])
            advance(len(batch["img"]))
    return {name: total.numpy() / runs[name] for name, total in sums.items()}
