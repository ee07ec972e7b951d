"""``--step LAYER=CHANNELS``: a step of a plan on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import ValidationError

from yolo_prune_check.errors import UserError
from yolo_prune_check.spec.fields import NEED_DATA
from yolo_prune_check.spec.problems import suggestion

if TYPE_CHECKING:
    from torch import nn

    from yolo_prune_check.channels.plan import Step

CRITERIA = ("l1", "l2", "gamma", "fpgm", "random")
"""Criteria that need no data."""

SYNTAX = "Write LAYER=CHANNELS such as 2.0=0-15,20, or LAYER=CRITERION:RATIO such as 2.0=l1:0.5."


@dataclass(frozen=True)
class Wanted:
    """A step as it was written: the channels to keep, or a criterion and the share of channels to remove."""

    layer: str
    keep: tuple[int, ...] | None = None
    criterion: str | None = None
    ratio: float | None = None
    text: str = field(default="", repr=False, compare=False)
    """All of it, as it was written."""


def parse_step(text: str) -> Wanted:
    """Read one step.

    Raises:
        UserError: It is none.

    >>> parse_step("2.0=0-3,9")
    Wanted(layer='2.0', keep=(0, 1, 2, 3, 9), criterion=None, ratio=None)
    >>> parse_step("model.1.conv=l1:0.5")
    Wanted(layer='model.1.conv', keep=None, criterion='l1', ratio=0.5)
    """
    layer, equals, rest = (part.strip() for part in text.partition("="))
    if layer and equals and not rest:
        raise UserError("no channel is kept", where="--step", value=text, hint=f"At least one must stay. {SYNTAX}")
    if not (layer and equals and rest):
        raise UserError("not a step", where="--step", value=text, hint=SYNTAX)
    criterion, colon, ratio = rest.partition(":")
    if not colon:
        return Wanted(layer, keep=_channels(layer, rest, text), text=text)
    if criterion.strip("[ ").isdigit():
        raise UserError(
            "channels are written 0-15, both ends included", where="--step", value=text, hint=f"Not 0:16. {SYNTAX}"
        )
    if criterion in NEED_DATA:
        hint = (
            f"Use one of {', '.join(CRITERIA)}, which need none; `run` chooses by {criterion}, in a spec with `data`."
        )
        raise UserError(f"{criterion} looks at images, and there are none here", where="--step", value=text, hint=hint)
    if criterion not in CRITERIA:
        hint = suggestion(criterion, CRITERIA, title="Known")
        raise UserError("unknown criterion", where="--step", value=text, hint=hint)
    return Wanted(layer, criterion=criterion, ratio=_ratio(ratio, text), text=text)


def _channels(layer: str, keep: str, text: str) -> tuple[int, ...]:
    from yolo_prune_check.spec.schema import StepSpec

    try:
        return StepSpec(layer=layer, keep=keep).keep  # type: ignore[arg-type]  # the model turns ranges into numbers
    except ValidationError as error:
        context = error.errors()[0].get("ctx", {})
        what = str(context.get("what", error.errors()[0]["msg"]))
        raise UserError(what, where="--step", value=text, hint=SYNTAX) from error


def _ratio(ratio: str, text: str) -> float:
    try:
        value = float(ratio)
    except ValueError:
        value = float("nan")
    if not 0 < value < 1:
        raise UserError("the ratio of channels to remove must lie between 0 and 1", where="--step", value=text)
    return value


def resolve_steps(wanted: Sequence[Wanted], model: nn.Module, *, seed: int) -> list[Step]:
    """The steps on a model: their layers by qualified name, their channels by number.

    Raises:
        UserError: A layer does not exist or is named twice, or the criterion does not apply to it.
    """
    first: dict[str, Wanted] = {}
    steps = []
    for each in wanted:
        step = _resolved(each, model, seed=seed)
        before = first.setdefault(step.layer, each)
        if before is not each:
            what = f"{step.layer} is named twice ({before.text}, {each.text})"
            raise UserError(what, where="--step", hint="Make one step of the two.")
        steps.append(step)
    return steps


def _resolved(wanted: Wanted, model: nn.Module, *, seed: int) -> Step:
    from yolo_prune_check.channels.plan import Step
    from yolo_prune_check.model.addresses import find_layer
    from yolo_prune_check.select.choose import evidence_of, select_channels
    from yolo_prune_check.spec.schema import Select

    layer = find_layer(model, wanted.layer)
    if wanted.keep is not None:
        return Step(layer.name, wanted.keep)
    select = Select.model_validate({"criterion": wanted.criterion, "ratio": wanted.ratio, "seed": seed})
    choice = select_channels(evidence_of(model, select, data=None, imgsz=0, seed=seed), layer, select)
    return Step(layer.name, choice.keep, choice.scores)
