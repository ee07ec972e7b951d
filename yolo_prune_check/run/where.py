"""Where a scenario says what cannot be used, for messages. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from yolo_prune_check.errors import UserError
from yolo_prune_check.spec.schema import Scenario


def where_of(scenario: Scenario, *keys: str) -> str:
    """The place of the first of these keys that is written for a scenario, else file and line of the scenario."""
    source = scenario.source
    written = (source.places[key] for key in keys if key in source.places)
    return next(written, f"{source.file}:{source.first_line}")


@contextmanager
def told_at(where: str) -> Iterator[None]:
    """Put a place before the message of what cannot be used, which may name a file of its own."""
    try:
        yield
    except UserError as error:
        place = ": ".join(filter(None, [where, error.where]))
        raise UserError(error.what, where=place, value=error.value, hint=error.hint) from error
