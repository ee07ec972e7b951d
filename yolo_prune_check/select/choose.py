"""Which channels of a layer to keep: one entrance for all criteria."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.layers import Layer
from yolo_prune_check.progress import Progress
from yolo_prune_check.progress import progress as make_progress
from yolo_prune_check.select.activations import collect
from yolo_prune_check.select.criteria import criterion_named, score
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.select.ranking import Scores, best, keep_count
from yolo_prune_check.select.survivors import PREFERENCES, Grouping, find_survivors, profile
from yolo_prune_check.select.weights import gamma, silent_channels, without_norm
from yolo_prune_check.spec.schema import HALF, Select

if TYPE_CHECKING:
    from torch import nn


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


def evidence_of(
    model: nn.Module, select: Select, *, data: str | None, imgsz: int, seed: int, progress: Progress | None = None
) -> Evidence:
    """What a choice may look at.

    Args:
        model: An Ultralytics model as it is at this step; left as it is.
        select: The settings of the choice.
        data: A data set, for criteria that need one.
        imgsz: Image size, px.
        seed: The scenario's; used where `select` was given none.
        progress: Told of long work.
    """
    return Evidence(
        model,
        data,
        imgsz,
        seed=select.seed if "seed" in select.model_fields_set else seed,
        max_images=select.max_images,
        place=select.place,
        objects=select.objects,
        memory_mb=select.memory_mb,
        progress=progress or make_progress(quiet=True),
    )


def without_data(select: Select) -> tuple[Select, dict[str, str]]:
    """Settings that need no data, and for the record what they stand in for, if for anything."""
    if criterion_named(select.criterion).needs == "weights":
        return select, {}
    ratio = HALF if select.share is None else select.share
    plain = Select(criterion="l1", ratio=ratio, seed=select.seed, scope=select.scope, floor=select.floor)
    ranked = "l1" if select.scope == "layer" else f"l1 by {select.scope}"
    return plain, {"stand_in": f"{ranked}, ratio {ratio:g}"}


def select_channels(
    evidence: Evidence, layer: Layer, select: Select, *, activations: Literal["hooked", "sliced"] = "hooked"
) -> Choice:
    """Choose the channels of a layer to keep, by what is known of this layer; see ``select_each``.

    Args:
        evidence: The model as it is at this step, and its images.
        layer: The layer.
        select: Criterion and its settings.
        activations: For `separability`: read from the model (`hooked`), or from the notes' `nn.Sequential` (`sliced`).

    Raises:
        UserError: As ``select_each``.
        SlicedMismatch: With `sliced`, the sequence does not fit together.
    """
    return select_each(evidence, [layer], select, sliced=activations == "sliced")[layer.name]


def select_each(
    evidence: Evidence, layers: Sequence[Layer], select: Select, *, sliced: bool = False
) -> dict[str, Choice]:
    """Choose the channels of each layer to keep, by what is known of it alone: one pass over the images for all.

    A channel that was masked before is never chosen over one that is alive.

    Args:
        evidence: The model, and its images.
        layers: The layers.
        select: Criterion and its settings.
        sliced: For `separability`: read from the notes' `nn.Sequential` instead of from the model.

    Raises:
        UserError: The criterion is unknown or does not apply to a layer, needs data that are not given, or found no
            activations.
        SlicedMismatch: With `sliced`, a sequence does not fit together.
    """
    if "gamma" in (select.criterion, select.survivor):
        for layer in layers:
            gamma(evidence.model, layer)  # says of which layer there is no BatchNorm
    if select.clusters:
        return _each_clustered(evidence, layers, select, sliced=sliced)
    criterion = criterion_named(select.criterion)
    scores = score(criterion.name, evidence, layers)
    for layer in layers:
        if layer.name not in scores:
            raise not_scored(layer.name, criterion.name)
    return {
        layer.name: ranked_choice(
            scores[layer.name], layer.out_channels, select.share or HALF, silent_channels(evidence.model, layer)
        )
        for layer in layers
    }


def not_scored(layer: str, criterion: str) -> UserError:
    """That a criterion says nothing of a layer."""
    if criterion == "gamma":
        return without_norm(layer)
    what = f"the criterion {criterion} does not apply: the layer does not run, or makes no map of the image"
    return UserError(what, where=layer, hint="Leave it out, or choose by l1.")


def ranked_choice(scores: Scores, channels: int, ratio: float, silent: np.typing.NDArray[np.bool_]) -> Choice:
    """The best of a layer's channels, silent ones last.

    Args:
        scores: [channels].
        channels: Of the layer.
        ratio: Share of them that is removed.
        silent: [channels].
    """
    count = keep_count(channels, ratio)
    keep = best(scores, count, last=silent)
    return Choice(keep, tuple(scores.tolist()), {"k": count, "silent": int(silent.sum())})


def grouping_of(select: Select) -> Grouping:
    """How `separability` clusters."""
    return Grouping(select.distance, select.embedding, select.perplexity, select.survivor)


def _each_clustered(evidence: Evidence, layers: Sequence[Layer], select: Select, *, sliced: bool) -> dict[str, Choice]:
    grouping, found = grouping_of(select), collect(evidence, layers, sliced=sliced)
    preferred = PREFERENCES[grouping.survivor]
    preferences = {} if preferred is None else score(preferred, evidence, layers)
    choices = {}
    for layer in layers:
        survivors = find_survivors(
            profile(
                found.values[layer.name],
                found.labels,
                distance=grouping.distance,
                silent=silent_channels(evidence.model, layer),
            ),
            ratio=select.share,
            grouping=grouping,
            seed=evidence.seed,
            preference=preferences.get(layer.name),
        )
        details = {**survivors.details, **found.counts, "activations": "sliced" if sliced else "hooked"}
        choices[layer.name] = Choice(survivors.keep, tuple(survivors.scores.tolist()), details)
    return choices
