"""Whether the data sets that scenarios name are there. Imports no torch, loads no model, reads no image."""

from __future__ import annotations

from collections.abc import Iterable

from yolo_prune_check.data import SHIPPED_DATA
from yolo_prune_check.data.resolve import read_data
from yolo_prune_check.errors import UserError
from yolo_prune_check.run.where import told_at, where_of
from yolo_prune_check.spec.fields import NEED_DATA
from yolo_prune_check.spec.schema import Scenario


def missing_data(scenarios: Iterable[Scenario]) -> list[tuple[Scenario, UserError]]:
    """Scenarios whose data set cannot be used, and why; of those that do not expect to be refused.

    A data set is looked at once for each place that names it. What is shipped is there.
    """
    known: dict[tuple[str, str, tuple[str, ...]], UserError | None] = {}
    found = []
    for scenario in scenarios:
        if scenario.data is None or scenario.data in SHIPPED_DATA or scenario.expect.error is not None:
            continue
        key = scenario.data, where_of(scenario, "data"), _splits(scenario)
        if key not in known:
            known[key] = _refusal(scenario)
        error = known[key]
        if error is not None:
            found.append((scenario, error))
    return found


def check_data(scenario: Scenario) -> None:
    """Refuse a data set that is not there, or has no images for what the scenario does with it.

    Raises:
        UserError: See ``read_data`` and ``DataSet.images``.
    """
    splits = _splits(scenario)
    if scenario.data is None or not splits:
        return
    with told_at(where_of(scenario, "data")):
        found = read_data(scenario.data)
        for split in splits:
            found.images(split)


def _refusal(scenario: Scenario) -> UserError | None:
    try:
        check_data(scenario)
    except UserError as error:
        return error
    return None


def _splits(scenario: Scenario) -> tuple[str, ...]:
    """The splits whose images a scenario looks at; random plans look at none."""
    if scenario.fuzz is not None:
        return ()
    chooses = scenario.steps is None and scenario.select.criterion in NEED_DATA
    return ("train", "val") if chooses or scenario.fine_tune is not None else ("val",)
