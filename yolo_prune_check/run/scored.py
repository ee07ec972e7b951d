"""The scores of all channels of a model by a criterion, kept beside what is measured."""

from __future__ import annotations

from yolo_prune_check.model.layers import layers_of
from yolo_prune_check.progress import Progress
from yolo_prune_check.run.baseline import load_baseline
from yolo_prune_check.run.measured import Measurements
from yolo_prune_check.run.trial import Bench
from yolo_prune_check.select.criteria import score
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.select.ranking import Scores


def scores_of(bench: Bench, criterion: str, seed: int, measured: Measurements, shown: Progress) -> dict[str, Scores]:
    """By layer, [channels]; from one pass over the training images for all layers, if the criterion needs any.

    Args:
        bench: The model and the data.
        criterion: One of ``CRITERIA``.
        seed: Of what is random in it.
        measured: Keeps them.
        shown: Told of every image.

    Raises:
        UserError: The criterion cannot be used with this model or data.
    """
    baseline = load_baseline(bench.model, bench.imgsz, trust=bench.trust)
    layers = [layer for layer in layers_of(baseline.model) if layer.name in baseline.graph.layers]
    evidence = Evidence(baseline.model, bench.data, bench.imgsz, seed=seed, progress=shown)
    asked = {"criterion": criterion, "seed": seed, "max_images": evidence.max_images}
    return measured.worth(asked, lambda: score(criterion, evidence, layers))
