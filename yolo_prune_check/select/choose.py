"""Which channels of a layer to keep: one entrance for all criteria."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from torch import nn

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.layers import Layer
from yolo_prune_check.progress import Progress
from yolo_prune_check.select import criteria
from yolo_prune_check.select.activations import collect
from yolo_prune_check.select.survivors import find_survivors

if TYPE_CHECKING:
    from yolo_prune_check.spec.schema import Select


@dataclass(frozen=True)
class Choice:
    """The channels of one layer to keep.

    Attributes:
        keep: Ascending.
        scores: One per channel, in the criterion's own unit; None if there are none.
        details: How the choice came about, JSON-able.
    """

    keep: tuple[int, ...]
    scores: tuple[float, ...] | None
    details: dict[str, Any] = field(default_factory=dict)


def select_channels(
    model: nn.Module,
    layer: Layer,
    select: Select,
    *,
    activations: Literal["hooked", "sliced"],
    data: str,
    imgsz: int,
    seed: int,
    progress: Progress | None = None,
) -> Choice:
    """Choose the channels of a layer to keep.

    A channel that was masked before is never chosen over one that is alive.

    Args:
        model: An Ultralytics detector as it is at this step; left as it is.
        layer: The layer.
        select: Criterion and its settings: `criterion`, `ratio`, `seed`, `max_images`, `perplexity`.
        activations: For `separability`: read from the model (`hooked`), or from the notes' `nn.Sequential` (`sliced`).
        data: For `separability`: a shipped data set or an Ultralytics dataset YAML.
        imgsz: For `separability`: image size, px.
        seed: The scenario's; used where `select` was given none.
        progress: Told of long work.

    Raises:
        UserError: The criterion is unknown or does not apply to this layer, needs a ratio or data that are not given,
            or found no activations.
        SlicedMismatch: With `sliced`, the sequence does not fit together.
    """
    seed = select.seed if "seed" in select.model_fields_set else seed
    if select.criterion == "separability":
        return _by_separability(model, layer, select, activations, data, imgsz, seed, progress)
    rules: dict[str, Callable[[], criteria.Scores]] = {
        "l1": lambda: criteria.l1(model, layer),
        "gamma": lambda: criteria.gamma(model, layer),
        "random": lambda: criteria.random(layer, seed),
    }
    rule = rules.get(select.criterion)
    if rule is None:
        known = ", ".join(["separability", *rules])
        raise UserError("no such criterion", value=select.criterion, hint=f"There are {known}.")
    if select.ratio is None:
        raise UserError(f"the criterion {select.criterion} needs a ratio", where=layer.name, hint="Give select.ratio.")
    count = criteria.keep_count(layer.out_channels, select.ratio)
    scores = rule()
    silent = criteria.silent_channels(model, layer)
    keep = criteria.best(scores, count, last=silent)
    return Choice(keep, tuple(scores.tolist()), {"k": count, "silent": int(silent.sum())})


def _by_separability(
    model: nn.Module,
    layer: Layer,
    select: Select,
    activations: str,
    data: str,
    imgsz: int,
    seed: int,
    progress: Progress | None,
) -> Choice:
    if not data:
        raise UserError("the criterion separability needs data", where=layer.name, hint="Name a data set under `data`.")
    found = collect(model, [layer], data, imgsz, select.max_images, sliced=activations == "sliced", progress=progress)
    survivors = find_survivors(
        found.values[layer.name],
        found.labels,
        ratio=select.ratio,
        perplexity=select.perplexity,
        seed=seed,
        silent=criteria.silent_channels(model, layer),
    )
    details = {
        **survivors.details,
        "objects": len(found.labels),
        "ground_truth": found.objects,
        "images": found.images,
        "activations": activations,
    }
    return Choice(survivors.keep, tuple(survivors.scores.tolist()), details)
