"""Records of a whole matrix, built by hand: what each scenario scored is a function of its axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

from tests.report.scored import precision
from yolo_prune_check.run.record import MetricsRecord, Record

if TYPE_CHECKING:
    from tests.report.conftest import Build

SPEC = "experiments/plans.prune.yaml"
Axes = Mapping[str, str]


def matrix(
    build: Build,
    axes: Mapping[str, tuple[str, ...]],
    final: Callable[[Axes], float | None],
    *,
    macs: Callable[[Axes], int] = lambda _: 900,
    **more: Any,
) -> list[Record]:
    """A record for each combination, of two steps in blocks 1 and 3, whose mAP50-95 went 0.8, 0.6, 0.3, then ``final``.

    Args:
        build: Makes records.
        axes: Names of the axes to their values.
        final: mAP50-95 at the end by the axes; None for a plan that broke.
        macs: Multiply-accumulates at the end, of 1000.
        more: Other fields of all records.
    """
    records = []
    for values in product(*axes.values()):
        at = dict(zip(axes, values, strict=True))
        score = final(at)
        known: dict[str, Any] = {
            "spec": SPEC,
            "suite": "plans",
            "base_id": "first",
            "tags": (),
            "axes": at,
            "seed": int(at.get("seed", "0")),
            "steps": (
                build.step(scores_pruned=precision(0.7, 0.6)),
                build.step(1, "model.3.conv", "3.0", scores_pruned=precision(0.4, 0.3)),
            ),
            "metrics": MetricsRecord(precision(0.9, 0.8), precision(0.9, score or 0.0), 1000, 800, 1000, macs(at)),
        }
        known |= {name: at[name] for name in ("order", "schedule", "execution") if name in at}
        record = build.record(f"first[{','.join(values)}]", **{**known, **more})
        if score is None:
            metrics = replace(record.metrics, scores_after=None, params_after=None, macs_after=None)
            record = replace(record, metrics=metrics, verdict="unsafe", reasons=("it broke",))
        records.append(record)
    return records
