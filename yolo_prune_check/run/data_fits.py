"""Whether the data sets that scenarios name are of the labels that their models were trained for."""

from __future__ import annotations

from collections.abc import Iterable

from yolo_prune_check.errors import UserError
from yolo_prune_check.run.baseline import untouched
from yolo_prune_check.run.resolve import refuse_data
from yolo_prune_check.run.where import told_at, where_of
from yolo_prune_check.spec.schema import Scenario


def unfit_data(scenarios: Iterable[Scenario]) -> list[tuple[Scenario, UserError]]:
    """Scenarios whose model cannot be used with their data set, and why; of those that do not expect to be refused.

    Each model is loaded, and none is run.
    """
    found = []
    for scenario in scenarios:
        if scenario.data is None or scenario.fuzz is not None or scenario.expect.error is not None:
            continue
        try:
            with told_at(where_of(scenario, "model")):
                model = untouched(scenario.model, trust=scenario.trust_checkpoint)
            refuse_data(scenario, model)
        except UserError as error:
            found.append((scenario, error))
    return found
