"""Set a prediction beside an observation and list every difference."""

from __future__ import annotations

from dataclasses import dataclass

from yolo_prune_check.channels.prediction import Mismatch, Prediction
from yolo_prune_check.confirm.observe import Observation

WRONG = 1e-9
"""Relative error in float64 above which a model that runs is not the one that was meant."""

_WRONG_CODES = frozenset({"phantom-channel", "broadcast-add", "uneven-split"})


@dataclass(frozen=True)
class Confirmation:
    """Whether what happened is what was predicted.

    Attributes:
        agrees: Whether nothing differs.
        failure: The observed failure, or None when the pruned model ran.
        differences: One sentence for each difference.
        max_abs_error: See ``Observation``.
        observation: All that was observed.
    """

    agrees: bool
    failure: Mismatch | None
    differences: tuple[str, ...]
    max_abs_error: float | None
    observation: Observation


def compare(prediction: Prediction, observation: Observation) -> Confirmation:
    """List where the two differ: failure, active channels, junctions, shapes, size, and silent wrongness."""
    differences = (
        *_failures(prediction.failure, observation.failure),
        *_active(prediction, observation),
        *_junctions(prediction, observation),
        *_shapes(prediction, observation),
        *_totals(prediction, observation),
        *_wrong(prediction, observation),
    )
    return Confirmation(not differences, observation.failure, differences, observation.max_abs_error, observation)


def describe(failure: Mismatch | None) -> str:
    """A failure in one line."""
    return "runs" if failure is None else f"breaks in {failure.module}: {failure.message}"


def _failures(predicted: Mismatch | None, observed: Mismatch | None) -> list[str]:
    if predicted == observed:
        return []
    if predicted is None or observed is None:
        return [f"predicted that it {describe(predicted)}; observed that it {describe(observed)}"]
    return [
        f"failure.{name}: predicted {getattr(predicted, name)!r}, observed {getattr(observed, name)!r}"
        for name in ("module", "kind", "expected", "got", "message")
        if getattr(predicted, name) != getattr(observed, name)
    ]


def _active(prediction: Prediction, observation: Observation) -> list[str]:
    found = []
    for layer in {**prediction.layers, **observation.active}:
        predicted = prediction.layers[layer].active_out if layer in prediction.layers else None
        observed = observation.active.get(layer)
        if predicted != observed:
            found.append(f"active channels of {layer}: predicted {predicted}, observed {observed}")
    return found


def _junctions(prediction: Prediction, observation: Observation) -> list[str]:
    found = []
    seen = dict(observation.ports)
    for edge in prediction.edges:
        port = seen.pop((edge.operator, edge.port), None)
        predicted = None if edge.after is None else (edge.after, edge.active_after)
        observed = None if port is None else (port.channels, port.active)
        if predicted != observed:
            found.append(f"{edge.operator} {edge.port}: predicted {predicted} channels (active), observed {observed}")
    found += [f"{operator} {port}: observed, but not predicted" for operator, port in seen]
    return found


def _shapes(prediction: Prediction, observation: Observation) -> list[str]:
    if observation.failure is not None:
        return []
    return [
        f"output of {name}: predicted {predicted}, observed {observation.shapes.get(name)}"
        for name, predicted in prediction.shapes.items()
        if observation.shapes.get(name) != predicted
    ]


def _totals(prediction: Prediction, observation: Observation) -> list[str]:
    if observation.failure is not None:
        return []
    pairs = (("params", prediction.params, observation.params), ("macs", prediction.macs, observation.macs))
    return [f"{name}: predicted {one}, observed {other}" for name, one, other in pairs if one != other]


def _wrong(prediction: Prediction, observation: Observation) -> list[str]:
    if observation.relative_error is None:
        return []
    predicted = sorted({hazard.code for hazard in prediction.hazards} & _WRONG_CODES)
    observed = observation.relative_error > WRONG
    if observed == bool(predicted):
        return []
    said = f"as hazards {', '.join(predicted)}" if predicted else "to equal the model that was meant"
    return [f"result: predicted {said}, observed a relative error of {observation.relative_error:.1e}"]
