"""How ``compact`` is told to train: its options are fields of ``fine_tune`` in specs, under the same rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError

from yolo_prune_check.errors import UserError
from yolo_prune_check.spec.schema import FineTune

PANEL: Final = "Training, with --data"
"""Under which title the help lists them."""


def about(field: str) -> str:
    """What the option of a field is for, and what is taken where it is not given."""
    default = FineTune.model_fields[field].default
    return _meaning(field) if default is False else f"{_meaning(field)[:-1]}; by default {default:g}."


def _meaning(field: str) -> str:
    return " ".join((FineTune.model_fields[field].description or "").split())


def read_training(epochs: int, workers: int | None, how: Mapping[str, float | None], device: str) -> FineTune | None:
    """How to train; None for not at all.

    Args:
        epochs: 0 for not at all.
        workers: Processes that read images, to train as to measure.
        how: Other fields, by name; None where the option was not given.
        device: As ``read_device`` gives it.

    Raises:
        UserError: A value is none that a spec may have, the device cannot, or it is said how to train and nothing is
            trained.
    """
    told = {field: value for field, value in how.items() if value is not None}
    if told and not epochs:
        field, value = next(iter(told.items()))
        what, hint = "this says how to train, and nothing is trained", "Add `--fine-tune EPOCHS`, or leave it out."
        raise UserError(what, where="--no-amp" if value is False else f"--{field}", hint=hint)
    try:
        training = FineTune.model_validate({"epochs": epochs or 1, "workers": workers, **told})
    except ValidationError as error:
        raise _in_our_words(error) from error
    if not epochs:
        return None
    from yolo_prune_check.train.devices import require_training

    require_training(training, device, where="--device")
    return training


def _in_our_words(error: ValidationError) -> UserError:
    from yolo_prune_check.spec.messages import BOUNDS

    first = error.errors(include_url=False)[0]
    field = str(first["loc"][0])
    return UserError(
        f"must be {BOUNDS[first['type']].format(**first.get('ctx', {}))}",
        where="--fine-tune" if field == "epochs" else f"--{field}",
        value=first["input"],
        hint=_meaning(field),
    )
