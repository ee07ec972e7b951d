"""A scenario that names no image size gets its model's own, once, before anything depends on it."""

from __future__ import annotations

from yolo_prune_check.errors import UserError
from yolo_prune_check.run.baseline import own_size
from yolo_prune_check.spec.schema import Scenario


def sized(scenario: Scenario) -> Scenario:
    """The scenario with the image size that it is run at, so that its key, its record and its reports name that.

    It stays without one if its model cannot be loaded: who loads it next says why.
    """
    if scenario.imgsz is not None:
        return scenario
    try:
        imgsz = own_size(scenario.model, trust=scenario.trust_checkpoint)
    except UserError:
        return scenario
    return scenario.model_copy(update={"imgsz": imgsz})
