"""Scenarios that are random plans."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.spec.texts import HEAD, SELECTION, write
from yolo_prune_check.spec import Scenario, load_spec
from yolo_prune_check.spec.schema import Expect, Fuzz


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(folder: Path, fields: str, defaults: str = "") -> tuple[Scenario, ...]:
    head = HEAD.replace("scenarios:", f"defaults: {{{defaults}}}\nscenarios:") if defaults else HEAD
    return load_spec(write(folder, f"{head}  - {{id: a, {fields}}}\n")).scenarios


def test_every_default_is_filled_in(tmp_path: Path) -> None:
    (scenario,) = load(tmp_path, "fuzz: {}")
    assert scenario.fuzz == Fuzz(examples=200, seed=0, blocks=None, max_steps=5, executions=None)
    assert (scenario.blocks, scenario.layers, scenario.steps) == (None, "all", None)


def test_every_key_is_read(tmp_path: Path) -> None:
    (scenario,) = load(
        tmp_path, "fuzz: {examples: 7, seed: 3, blocks: [2, 1], max_steps: 2, executions: [local, mask]}"
    )
    assert scenario.fuzz == Fuzz(examples=7, seed=3, blocks=(2, 1), max_steps=2, executions=("local", "mask"))
    assert scenario.blocks == (2, 1)


def test_the_seed_is_the_scenarios_unless_given(tmp_path: Path) -> None:
    (one,) = load(tmp_path, "fuzz: {examples: 7}, seed: 4")
    (other,) = load(tmp_path, "fuzz: {seed: 0}, seed: 4")
    assert one.fuzz is not None
    assert other.fuzz is not None
    assert (one.fuzz.seed, other.fuzz.seed) == (4, 0)


def test_it_can_be_an_axis_as_can_its_keys(tmp_path: Path) -> None:
    scenarios = load(tmp_path, "fuzz: {examples: 9}, matrix: {fuzz.seed: [1, 2]}")
    assert [scenario.id for scenario in scenarios] == ["a[1]", "a[2]"]
    assert [scenario.fuzz and (scenario.fuzz.examples, scenario.fuzz.seed) for scenario in scenarios] == [
        (9, 1),
        (9, 2),
    ]


def test_defaults_for_plans_say_nothing_to_it(tmp_path: Path) -> None:
    defaults = (
        f"{SELECTION}, select: {{criterion: l1, ratio: 0.5}}, execution: local, on_mismatch: skip, "
        "fine_tune: {epochs: 1}, device: 0, expect: {verdict: unsafe}, tags: [early]"
    )
    (scenario,) = load(tmp_path, "fuzz: {}", defaults)
    assert (scenario.execution, scenario.fine_tune, scenario.device, scenario.blocks) == ("mask", None, "cpu", None)
    assert scenario.expect == Expect()
    assert scenario.tags == ("early",)


@pytest.mark.parametrize("fields", [SELECTION, "steps: [{layer: 2.0, keep: 0-7}]"])
def test_as_a_default_it_gives_way_to_a_plan(tmp_path: Path, fields: str) -> None:
    (scenario,) = load(tmp_path, fields, "fuzz: {examples: 3}")
    assert scenario.fuzz is None


def test_as_a_default_it_stands_for_scenarios_that_say_nothing_else(tmp_path: Path) -> None:
    (scenario,) = load(tmp_path, "why: no plan", "fuzz: {examples: 3}, execution: local")
    assert scenario.fuzz == Fuzz(examples=3)
    assert scenario.execution == "mask"


def test_it_may_expect_to_be_refused(tmp_path: Path) -> None:
    (scenario,) = load(tmp_path, "fuzz: {blocks: [10]}, expect: {error: no Conv2d}")
    assert scenario.expect.error == "no Conv2d"
