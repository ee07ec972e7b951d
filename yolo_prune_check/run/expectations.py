"""Hold what happened against what a scenario expects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from yolo_prune_check.run.record import HazardRecord, MetricsRecord, StepRecord
from yolo_prune_check.scores import loss
from yolo_prune_check.spec.schema import Expect

_MEASURED = frozenset({"max_map_drop", "max_accuracy_drop", "max_latency_ratio"})


def describe_expectation(expect: Expect) -> str:
    """What a scenario expects, in one line."""
    if expect.error is not None:
        return f"refused with “{expect.error}”"
    parts = [f"verdict {expect.verdict}"]
    parts += [f"{name} {value:g}" for name, value in _budgets(expect) if value is not None]
    if expect.hazards:
        parts.append(f"hazards {', '.join(expect.hazards)}")
    if expect.failure_module:
        parts.append(f"breaks in {expect.failure_module}")
    return ", ".join(parts)


def unmet(
    expect: Expect,
    verdict: str,
    steps: Sequence[StepRecord],
    hazards: Sequence[HazardRecord],
    metrics: MetricsRecord,
    *,
    executed: bool,
) -> Iterator[str]:
    """Every expectation that does not hold, one sentence each.

    Where nothing was executed, parameters and MACs are judged by their prediction, and what cannot be predicted is
    not judged; see ``unjudged``.
    """
    if verdict != expect.verdict:
        yield f"the verdict is {verdict}, expected {expect.verdict}"
    codes = {hazard.code for hazard in hazards}
    for code in expect.hazards:
        if code not in codes:
            yield f"hazard {code} was expected, but {', '.join(sorted(codes)) or 'no hazard'} was found"
    if expect.failure_module:
        failures = [step.predicted_failure or step.observed_failure for step in steps]
        modules = [failure.module for failure in failures if failure is not None]
        if expect.failure_module not in modules:
            broke = f"broke in {', '.join(modules)}" if modules else "did not break"
            yield f"the plan was expected to break in {expect.failure_module}, but {broke}"
    yield from _over_budget(expect, metrics, executed=executed)


def _budgets(expect: Expect) -> list[tuple[str, float | None]]:
    return [
        ("max_map_drop", expect.max_map_drop),
        ("max_accuracy_drop", expect.max_accuracy_drop),
        ("min_params_cut", expect.min_params_cut),
        ("min_macs_cut", expect.min_macs_cut),
        ("max_latency_ratio", expect.max_latency_ratio),
    ]


def unjudged(expect: Expect) -> tuple[str, ...]:
    """Names of the budgets that only an execution can judge."""
    return tuple(name for name, budget in _budgets(expect) if budget is not None and name in _MEASURED)


def _over_budget(expect: Expect, metrics: MetricsRecord, *, executed: bool) -> Iterator[str]:
    params, macs = (
        (metrics.params_after, metrics.macs_after) if executed else (metrics.predicted_params, metrics.predicted_macs)
    )
    checks = (
        ("max_map_drop", expect.max_map_drop, _drop(metrics, "max_map_drop"), False),
        ("max_accuracy_drop", expect.max_accuracy_drop, _drop(metrics, "max_accuracy_drop"), False),
        ("min_params_cut", expect.min_params_cut, _cut(metrics.params_before, params), True),
        ("min_macs_cut", expect.min_macs_cut, _cut(metrics.macs_before, macs), True),
        ("max_latency_ratio", expect.max_latency_ratio, metrics.latency.ratio if metrics.latency else None, False),
    )
    for name, budget, value, at_least in checks:
        if budget is None or (not executed and name in _MEASURED):
            continue
        before = metrics.scores_before
        if before is not None and before.blind and name == before.budget:
            yield f"{name} {budget:g} could not be judged, because {before.blindness} ({before.basis})"
        elif value is None:
            yield f"{name} {budget:g} could not be checked, because the plan did not run"
        elif value < budget if at_least else value > budget:
            yield f"{name} is {budget:g}, but the plan gives {value:.4g}"


def _drop(metrics: MetricsRecord, budget: str) -> float | None:
    """What is lost of that which this budget limits."""
    before, after = metrics.scores_before, metrics.scores_after
    if before is None or after is None or before.budget != budget:
        return None
    return loss(before, after)


def _cut(before: int | None, after: int | None) -> float | None:
    if before is None or after is None:
        return None
    return 1 - after / before
