"""Options by which ``compact`` chooses channels, and what is best where they are left out; see docs/choosing.md."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from yolo_prune_check.cli.output import complain
from yolo_prune_check.errors import UserError
from yolo_prune_check.spec.fields import NEED_DATA

if TYPE_CHECKING:
    from torch import nn


class Criterion(StrEnum):
    """How channels are chosen, as specs name it."""

    TAYLOR = "taylor"
    SEPARABILITY = "separability"
    L1 = "l1"
    L2 = "l2"
    GAMMA = "gamma"
    FPGM = "fpgm"
    MEAN_ACTIVATION = "mean-activation"
    APOZ = "apoz"
    RANDOM = "random"


class Scope(StrEnum):
    """Where channels are removed."""

    GROUP = "group"
    GLOBAL = "global"


def check_choice(
    criterion: Criterion | None,
    scope: Scope | None,
    ratio: float | None,
    cut_macs: float | None,
    data: str | None,
    *,
    planned: bool,
) -> None:
    """Tell mistakes before anything is loaded.

    Raises:
        UserError: What is to go is not said once, is no share, or the criterion needs data that are not named; or a
            plan says it, beside which a criterion or a scope would say nothing.
    """
    if [ratio is not None, cut_macs is not None, planned].count(True) != 1:
        hint = "Give `--plan FILE`, `--ratio 0.5` or `--cut-macs 0.5`."
        raise UserError("what to remove must be said once", hint=hint)
    if ratio is not None and not 0 < ratio < 1:
        raise UserError("the share of channels to remove must lie between 0 and 1", where="--ratio", value=ratio)
    if cut_macs is not None and not 0 < cut_macs < 1:
        raise UserError("the share of MACs to save must lie between 0 and 1", where="--cut-macs", value=cut_macs)
    for option, chosen in (("--criterion", criterion), ("--scope", scope)):
        if planned and chosen is not None:
            what = "a plan names the channels that stay, so nothing is chosen"
            raise UserError(what, where=option, value=chosen.value, hint=f"Leave out {option}, or --plan.")
    if criterion in NEED_DATA and data is None:
        hint = "Name a data set with `--data`."
        raise UserError("this criterion needs data", where="--criterion", value=criterion.value, hint=hint)


def best_criterion(model: nn.Module, data: str | None) -> Criterion:
    """The best that can be used: ``taylor``, where there are images to train with and a loss, else by weights."""
    if data is None:
        return _by_weights(model)
    from yolo_prune_check.data.resolve import read_data
    from yolo_prune_check.model.tasks import require_trainable

    try:
        require_trainable(model)
        read_data(data).images("train")
    except UserError as error:
        instead = _by_weights(model)
        complain(f"note: channels are chosen by {instead.value}, since taylor cannot be used here: {error.what}")
        return instead
    return Criterion.TAYLOR


def _by_weights(model: nn.Module) -> Criterion:
    """``gamma``, or ``l1`` where no BatchNorm tells channels apart: the model is fused, or was never trained."""
    from torch.nn import BatchNorm2d

    scales = [module.weight for module in model.modules() if isinstance(module, BatchNorm2d) and module.affine]
    return Criterion.GAMMA if any(bool((scale != scale[0]).any()) for scale in scales) else Criterion.L1


def warn_of_ranking(criterion: Criterion, scope: Scope) -> None:
    """Tell that a ranking over the whole model is known to be bad by this criterion; see docs/criteria.md."""
    from yolo_prune_check.select.criteria import criterion_named

    if scope is Scope.GLOBAL and not criterion_named(criterion.value).comparable:
        better = "take --scope group, or taylor with --data"
        complain(f"warning: {criterion.value} ranked over the whole model takes nearly all of some layers: {better}")


def best_scope(criterion: Criterion) -> Scope:
    """How a criterion's scores are used best."""
    return Scope.GLOBAL if criterion is Criterion.TAYLOR else Scope.GROUP
