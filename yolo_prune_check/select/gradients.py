"""A criterion by the loss: how much it changes, to first order, when a channel is silenced."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.layers import Layer
from yolo_prune_check.model.quiet import quietly
from yolo_prune_check.model.tasks import require_trainable
from yolo_prune_check.select.batches import training_batches
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.select.ranking import Scores
from yolo_prune_check.select.watching import as_map, watched


def taylor(evidence: Evidence, layers: Sequence[Layer]) -> dict[str, Scores]:
    """First-order Taylor expansion of the loss: ``|sum of a · dL/da|`` of a channel's map, averaged over images.

    Molchanov, Tyree, Karras, Aila, Kautz, "Pruning convolutional neural networks for resource efficient inference",
    ICLR 2017; at the activation, because to silence a channel is to set that to zero. Unlike there the map is summed
    up, not averaged, and layers are not brought to one norm: what is compared is the loss itself. The model is in eval
    mode, since that is how it is used, and its own loss is taken, on training images that are not augmented. A detector
    weighs the objects of a batch together, so that its scores depend a little on which images share one.

    Returns:
        By layer, [channels], in units of the loss per image, so that layers can be compared; zeros for a layer on
        which the loss does not depend.

    Raises:
        UserError: The model cannot be trained on the data set, or its loss is not finite.
    """
    task = require_trainable(evidence.model, hint="Choose by a criterion that needs no labels, such as l1.")
    count, batches = training_batches(evidence, "taylor")
    model = _with_loss(evidence.model)
    outputs: dict[str, list[torch.Tensor]] = {layer.name: [] for layer in layers}
    sums = {layer.name: torch.zeros(layer.out_channels, dtype=torch.float64) for layer in layers}

    def reader(layer: Layer) -> Callable[[object], None]:
        def read(output: object) -> None:
            seen = as_map(output)
            if seen is not None and seen.requires_grad:
                seen.retain_grad()
                outputs[layer.name].append(seen)

        return read

    with (
        quietly(),
        torch.enable_grad(),
        watched(model, {layer: reader(layer) for layer in layers}),
        evidence.progress.task(f"differentiate the loss on {count} images", count) as advance,
    ):
        for batch in batches:
            batch["img"].requires_grad_()  # the parameters' own gradients are not needed
            loss: torch.Tensor = model.loss(batch)[0].sum()
            if task == "classify":
                loss = loss * len(batch["img"])  # a mean over the images; that of other tasks grows with the batch
            if not bool(torch.isfinite(loss)):
                raise UserError(
                    "the model's loss on its training images is not finite", where=evidence.data, value=loss.item()
                )
            loss.backward()  # type: ignore[no-untyped-call]  # of PyTorch
            for name, tensors in outputs.items():
                sums[name] += _effects(tensors)
                tensors.clear()
            advance(len(batch["img"]))
    return {name: total.numpy() / count for name, total in sums.items()}


def _effects(tensors: Sequence[torch.Tensor]) -> torch.Tensor | int:
    """[channels]: of every image the magnitude of the summed effect, over places and over the runs of a layer."""
    effects = [
        (output.detach() * output.grad).double().sum(dim=(2, 3)) for output in tensors if output.grad is not None
    ]
    return sum(effects[1:], effects[0]).abs().sum(dim=0).cpu() if effects else 0


def _with_loss(model: Any) -> Any:
    """A copy in eval mode, with the settings that its loss reads and no parameter that wants a gradient."""
    from ultralytics.cfg import get_cfg

    copied = copy.deepcopy(model).float().eval().requires_grad_(False)
    copied.args = get_cfg()
    copied.criterion = None  # of an earlier training
    return copied
