"""Set a prediction beside an observation and list every difference."""

from __future__ import annotations

from dataclasses import dataclass

from yolo_prune_check.channels.prediction import ChannelCount, Mismatch, Prediction
from yolo_prune_check.confirm.meant import WRONG
from yolo_prune_check.confirm.observe import Observation

_WRONG_CODES = frozenset({"broadcast-add", "uneven-split"})
"""Hazards by which a model that runs cannot be the one that was meant.

Not ``phantom-channel``: what still emits need not be read by anyone. That it emits is seen where its layer does.
"""

_MEANT_CODES = frozenset({"no-op", "empty-layer", "head-output-changed"})
"""Errors that change nothing about what is computed, but were asked for: they explain no wrong number."""


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
    """List where the two differ: verdict, failure, active channels, junctions, shapes, size, and silent wrongness.

    Where the prediction says that nothing is known from some operator on (``unknown``), only what it says of the part
    before is held against what happened. Where it says that an operator without a rule hides how many channels a layer
    emits (``ChannelCount.hidden``), the layer must emit; any other number that is missing must not have been seen.

    What the pruned model raised in words that were not understood is a failure like any other; where just these words
    were predicted, as those of an assertion in the model's own code are, nothing else of it can be compared.
    """
    differences = (
        *_verdict(prediction, observation),
        *_failures(prediction, observation.failure),
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


def _verdict(prediction: Prediction, observation: Observation) -> list[str]:
    """Whether the verdict follows from what is predicted, and what happened from the verdict."""
    errors = [hazard.code for hazard in prediction.hazards if hazard.severity == "error"]
    unsafe = prediction.failure is not None or prediction.unknown is not None or bool(errors)
    if unsafe != (prediction.verdict == "unsafe"):
        said = ", ".join(errors) or "no hazard"
        return [f"verdict: predicted {prediction.verdict}, though it {describe(prediction.failure)} and has {said}"]
    if prediction.verdict == "safe" and observation.difference is not None and observation.difference.relative is None:
        return ["verdict: predicted safe, observed that the outputs have other shapes than were meant"]
    return []


def _failures(prediction: Prediction, observed: Mismatch | None) -> list[str]:
    predicted = prediction.failure
    if predicted == observed or (predicted is None and prediction.unknown is not None):
        return []
    if predicted is None or observed is None:
        return [f"predicted that it {describe(predicted)}; observed that it {describe(observed)}"]
    compared = ("module", "message") if observed.kind == "unread" else ("module", "kind", "expected", "got", "message")
    return [
        f"failure.{name}: predicted {getattr(predicted, name)!r}, observed {getattr(observed, name)!r}"
        for name in compared
        if getattr(predicted, name) != getattr(observed, name)
    ]


def _active(prediction: Prediction, observation: Observation) -> list[str]:
    found = []
    for layer in {**prediction.layers, **observation.active}:
        count, observed = prediction.layers.get(layer), observation.active.get(layer)
        if not _is_so(count, observed, open_end=prediction.unknown is not None):
            predicted = None if count is None else "some number" if count.hidden else count.active_out
            found.append(f"active channels of {layer}: predicted {predicted}, observed {observed}")
    return found


def _is_so(count: ChannelCount | None, observed: int | None, *, open_end: bool) -> bool:
    """Whether a layer emits as many active channels as predicted; of a hidden number, whether it emits at all."""
    predicted = None if count is None else count.active_out
    if count is not None and predicted is None:
        if count.hidden:
            return observed is not None
        if open_end:
            return True
    return predicted == observed


def _junctions(prediction: Prediction, observation: Observation) -> list[str]:
    found = []
    seen = dict(observation.ports)
    for edge in prediction.edges:
        port = seen.pop((edge.operator, edge.port), None)
        predicted = None if edge.after is None else (edge.after, edge.active_after)
        observed = None if port is None else (port.channels, None if edge.active_after is None else port.active)
        not_said = predicted is None and prediction.unknown is not None
        if predicted != observed and not not_said:
            found.append(f"{edge.operator} {edge.port}: predicted {predicted} channels (active), observed {observed}")
    found += [f"{operator} {port}: observed, but not predicted" for operator, port in seen]
    return found


def _shapes(prediction: Prediction, observation: Observation) -> list[str]:
    if observation.failure is not None:
        return []
    found = []
    for name in {**prediction.shapes, **observation.shapes}:
        predicted, observed = prediction.shapes.get(name), observation.shapes.get(name)
        if prediction.unknown is not None and observed is not None:
            observed = observed[: len(predicted or ())] or None  # a module may have run before that operator and after
        if predicted != observed:
            found.append(f"output of {name}: predicted {predicted}, observed {observed}")
    return found


def _totals(prediction: Prediction, observation: Observation) -> list[str]:
    if observation.failure is not None:
        return []
    pairs = (("params", prediction.params, observation.params), ("macs", prediction.macs, observation.macs))
    return [
        f"{name}: predicted {one}, observed {other}"
        for name, one, other in pairs
        if one != other and not (one is None and prediction.unknown is not None)
    ]


def _wrong(prediction: Prediction, observation: Observation) -> list[str]:
    if observation.relative_error is None:
        return []
    predicted = sorted({hazard.code for hazard in prediction.hazards if hazard.severity == "error"} - _MEANT_CODES)
    wrong = observation.relative_error > WRONG
    if bool(predicted) if wrong else _WRONG_CODES.isdisjoint(predicted):
        return []
    said = f"as hazards {', '.join(predicted)}" if predicted else "to equal the model that was meant"
    return [f"result: predicted {said}, observed a relative error of {observation.relative_error:.1e}"]
