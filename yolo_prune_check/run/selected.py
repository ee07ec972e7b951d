"""How a scenario chooses channels, in words."""

from __future__ import annotations

from yolo_prune_check.channels.plan import as_ranges
from yolo_prune_check.spec.schema import Scenario


def selected(scenario: Scenario) -> str:
    """The criterion with its settings; the steps of a plan that is written out. Equal words for equal choices.

    The seed of a criterion is named where it is not the scenario's, which the record has.
    """
    if scenario.steps is not None:
        return "; ".join(f"{step.layer} keeps {as_ranges(step.keep) or 'none'}" for step in scenario.steps)
    select = scenario.select
    parts = [select.criterion, "the knee decides how many" if select.ratio is None else f"ratio {select.ratio:g}"]
    if select.criterion == "separability":
        parts += [f"{select.max_images} images", f"perplexity {select.perplexity:g}"]
    if select.seed != scenario.seed:
        parts.append(f"seed {select.seed}")
    return ", ".join(parts)
