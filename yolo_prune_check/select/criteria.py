"""All criteria behind one interface: a model and layers in, a score for each channel of each layer out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from torch import nn

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.layers import Layer
from yolo_prune_check.select import features, weights
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.select.gradients import taylor
from yolo_prune_check.select.ranking import Scores
from yolo_prune_check.select.survivors import separation

Needs = Literal["weights", "images", "labels", "boxes"]
"""What a criterion looks at: weights alone; training images; those and what the model's loss takes; those and boxes."""


@dataclass(frozen=True)
class Criterion:
    """A way to score channels.

    Attributes:
        name: As specs and the command line name it.
        needs: What it looks at.
        source: Where it comes from.
        score: By layer, [channels], larger is more important; layers to which it does not apply are left out.
        comparable: Whether scores of different layers are in one unit. Others are compared as shares of the largest.
    """

    name: str
    needs: Needs
    source: str
    score: Callable[[Evidence, Sequence[Layer]], dict[str, Scores]]
    comparable: bool = False


def score(name: str, evidence: Evidence, layers: Sequence[Layer]) -> dict[str, Scores]:
    """Score the channels of layers by a criterion.

    Args:
        name: One of `CRITERIA`.
        evidence: The model, and the images for criteria that need any.
        layers: All that are to be compared: one pass over the images serves them all.

    Returns:
        By layer, [channels], larger is more important.

    Raises:
        UserError: As ``score_any``, or the criterion applies to none of the layers.
    """
    found = score_any(name, evidence, layers)
    if not found and layers:
        raise UserError(
            f"the criterion {name} applies to no layer of this model",
            hint="A fused model has no BatchNorm. Choose by l1, or load the unfused model.",
        )
    return found


def score_any(name: str, evidence: Evidence, layers: Sequence[Layer]) -> dict[str, Scores]:
    """As ``score``, of layers to none of which the criterion need apply.

    Raises:
        UserError: There is no such criterion, or it needs data that are not given or cannot be used with this model.
    """
    criterion = criterion_named(name)
    found = criterion.score(evidence, layers)
    for layer, scores in found.items():
        if not np.isfinite(scores).all():
            raise UserError(
                f"the criterion {name} gives no numbers, since weights or activations are not finite",
                where=layer,
                hint="The model is damaged, or its training diverged: use an earlier checkpoint.",
            )
    return found


def criterion_named(name: str) -> Criterion:
    """The criterion of this name.

    Raises:
        UserError: There is none.
    """
    if name not in CRITERIA:
        raise UserError("no such criterion", value=name, hint=f"There are {', '.join(CRITERIA)}.")
    return CRITERIA[name]


def _each(one: Callable[[nn.Module, Layer], Scores]) -> Callable[[Evidence, Sequence[Layer]], dict[str, Scores]]:
    return lambda evidence, layers: {layer.name: one(evidence.model, layer) for layer in layers}


def _gamma(evidence: Evidence, layers: Sequence[Layer]) -> dict[str, Scores]:
    return {layer.name: weights.gamma(evidence.model, layer) for layer in layers if layer.norm is not None}


def _random(evidence: Evidence, layers: Sequence[Layer]) -> dict[str, Scores]:
    return {layer.name: weights.random(layer, evidence.seed) for layer in layers}


_ALL: Final = (
    Criterion("taylor", "labels", "Molchanov et al., ICLR 2017", taylor, comparable=True),
    Criterion("separability", "boxes", "Levin, Singer, Journal of Big Data 11:79, 2024", separation, comparable=True),
    Criterion("l1", "weights", "Li et al., ICLR 2017", _each(weights.l1)),
    Criterion("l2", "weights", "He et al., IJCAI 2018", _each(weights.l2)),
    Criterion("gamma", "weights", "Liu et al., ICCV 2017", _gamma),
    Criterion("fpgm", "weights", "He et al., CVPR 2019", _each(weights.fpgm)),
    Criterion("mean-activation", "images", "Molchanov et al., ICLR 2017", features.mean_activation),
    Criterion("apoz", "images", "Hu et al., 2016", features.apoz, comparable=True),
    Criterion("random", "weights", "the baseline that every criterion must beat", _random, comparable=True),
)
CRITERIA: Final[Mapping[str, Criterion]] = {criterion.name: criterion for criterion in _ALL}
"""All criteria by name."""
