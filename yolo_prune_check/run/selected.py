"""How a scenario chooses channels, in words."""

from __future__ import annotations

from yolo_prune_check.channels.plan import as_ranges
from yolo_prune_check.spec.fields import NEED_DATA
from yolo_prune_check.spec.schema import Scenario, Select


def selected(scenario: Scenario) -> str:
    """The criterion with its settings; the steps of a plan that is written out. Equal words for equal choices.

    The seed of a criterion is named where it is not the scenario's, which the record has.
    """
    if scenario.steps is not None:
        return "; ".join(f"{step.layer} keeps {as_ranges(step.keep) or 'none'}" for step in scenario.steps)
    select = scenario.select
    named = select.criterion if select.scope == "layer" else f"{select.criterion} by {select.scope}"
    parts = [named, "the knee decides how many" if select.share is None else f"ratio {select.share:g}"]
    if select.scope == "global":
        parts.append(f"floor {select.floor:g}")
    if select.criterion in NEED_DATA:
        parts.append(f"{select.max_images} images")
    if select.criterion == "separability":
        parts += _of_separability(select)
    if select.seed != scenario.seed:
        parts.append(f"seed {select.seed}")
    return ", ".join(parts)


def _of_separability(select: Select) -> list[str]:
    """Its settings; those that are as in the field notes go without saying."""
    parts = [f"perplexity {select.perplexity:g}"] if select.clusters and select.embedding == "tsne" else []
    usual = Select()
    told = {
        "place": f"mean over the {select.place}",
        "objects": f"{select.objects} objects",
        "memory_mb": f"at most {select.memory_mb:g} MB",
        "distance": f"distance {select.distance}",
        "embedding": f"embedding {select.embedding}",
        "survivor": f"survivors by {select.survivor}",
    }
    return parts + [words for key, words in told.items() if getattr(select, key) != getattr(usual, key)]
