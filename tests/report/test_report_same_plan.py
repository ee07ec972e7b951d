"""What makes two records of the same plan: every field of a record is part of that, or is not."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pytest

from yolo_prune_check.report.same_plan import plan_key, same_plans
from yolo_prune_check.run.fuzz_record import FuzzRecord
from yolo_prune_check.run.record import MetricsRecord, ModelFacts, Record

if TYPE_CHECKING:
    from tests.report.conftest import Build

PLAN: dict[str, Any] = {
    "model": "yolov8s.yaml",
    "data": None,
    "val_part": "1/2",
    "imgsz": 64,
    "device": "0",
    "blocks": (7,),
    "layers": "all",
    "selected": "l1, ratio 0.25",
    "activations": "sliced",
    "seed": 1,
    "order": "back-to-front",
    "schedule": "sessions",
    "on_mismatch": "skip",
    "fine_tune": "2 epochs",
}
OTHERS: dict[str, Any] = {
    "execution": "adapter",
    "mask": "weights",
    "extend": False,
    "round_to": 8,
    "suite": "other",
    "spec": "specs/other.prune.yaml",
    "id": "other[adapter]",
    "base_id": "other",
    "why": "another reason",
    "axes": {"execution": "adapter"},
    "tags": (),
    "expected": "verdict unsafe",
    "rerun": "pytest other",
    "verdict": "unsafe",
    "reasons": ("why",),
    "passed": False,
    "failures": ("why",),
    "agrees": False,
    "notes": ("note",),
    "unjudged": ("max_map_drop",),
    "steps": (),
    "edges": (),
    "hazards": (),
    "metrics": MetricsRecord(),
    "facts": ModelFacts(sequential_mutable=False),
    "fuzz": FuzzRecord(1, 0, 1, 1, (), None, None),
    "proof": (),
    "deploy": (),
    "checkpoint": "final.pt",
    "measure": "last",
    "criterion": "gamma",  # of which `selected` says more
    "format": 99,
}


def test_every_field_of_a_record_is_part_of_the_plan_or_not() -> None:
    assert PLAN.keys() | OTHERS.keys() == {field.name for field in fields(Record)}
    assert not PLAN.keys() & OTHERS.keys()


@pytest.mark.parametrize("name", PLAN)
def test_another_plan(build: Build, name: str) -> None:
    record = build.record()
    assert getattr(record, name) != PLAN[name]
    assert plan_key(replace(record, **{name: PLAN[name]})) != plan_key(record)
    twin = replace(record, execution="group", **{name: PLAN[name]})
    assert same_plans([record, twin]) == ()


@pytest.mark.parametrize("name", OTHERS)
def test_the_same_plan(build: Build, name: str) -> None:
    record = build.record()
    assert plan_key(replace(record, **{name: OTHERS[name]})) == plan_key(record)


def test_plans_in_most_executions_come_first_and_executions_in_their_order(build: Build) -> None:
    few = [build.record(f"few-{name}", execution=name, seed=1) for name in ("mask", "group")]
    many = [build.record(f"many-{name}", execution=name) for name in ("adapter", "group", "mask", "local")]
    alone = [build.record("alone", seed=2), build.record("weights", mask="weights", seed=2)]
    for records in ([*few, *many, *alone], [*alone, *many[::-1], *few[::-1]]):
        found = same_plans(records)
        assert [[record.id for record in plan] for plan in found] == [
            ["many-mask", "many-local", "many-group", "many-adapter"],
            ["few-mask", "few-group"],
        ]


@pytest.mark.parametrize(
    "unknown", [{"agrees": None}, {"steps": (), "agrees": None}, {"verdict": "stopped"}], ids=lambda it: next(iter(it))
)
def test_what_did_not_run_to_its_end_is_not_compared(build: Build, unknown: dict[str, Any]) -> None:
    twins = [build.record("a"), build.record("b", execution="group")]
    assert len(same_plans(twins)) == 1
    assert same_plans([twins[0], replace(twins[1], **unknown)]) == ()
