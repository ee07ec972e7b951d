"""One scenario with a matrix becomes one for each combination."""

from __future__ import annotations

import json
import tempfile
from math import prod
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.spec.texts import HEAD, SELECTION, one, write
from yolo_prune_check.spec import Scenario, load_spec


def expanded(matrix: str, fields: str = SELECTION) -> tuple[Scenario, ...]:
    with tempfile.TemporaryDirectory() as folder:
        return load_spec(write(Path(folder), one(f"{fields}, matrix: {matrix}"))).scenarios


def ids(matrix: str, fields: str = SELECTION) -> list[str]:
    return [scenario.id for scenario in expanded(matrix, fields)]


def test_axes_are_sorted_by_name_and_values_stay_in_order() -> None:
    assert ids("{order: [front-to-back, back-to-front], execution: [mask, group]}") == [
        "a[mask,front-to-back]",
        "a[mask,back-to-front]",
        "a[group,front-to-back]",
        "a[group,back-to-front]",
    ]


def test_axes_set_fields_and_are_recorded() -> None:
    first, last = expanded("{select.ratio: [0.30, 0.5], execution: [local]}", f"{SELECTION}, select: {{criterion: l1}}")
    assert (first.select.criterion, first.select.ratio, first.execution) == ("l1", 0.3, "local")
    assert last.select.ratio == 0.5
    assert (first.base_id, first.id) == ("a", "a[local,0.30]")
    assert first.axes == {"execution": "local", "select.ratio": "0.30"}
    assert list(first.axes) == ["execution", "select.ratio"]


@pytest.mark.parametrize(
    ("matrix", "fields", "suffixes"),
    [
        ("{fine_tune: [null, {epochs: 1}]}", SELECTION, ["none", "epochs=1"]),
        ("{fine_tune.epochs: [1, 2]}", SELECTION, ["1", "2"]),
        ("{fine_tune.enforce_masks: [true, false]}", f"{SELECTION}, fine_tune: {{epochs: 1}}", ["true", "false"]),
        ("{select: [{criterion: l1, ratio: .5}]}", SELECTION, ["criterion=l1+ratio=.5"]),
        ("{blocks: [[1], [1, 2]]}", SELECTION, ["1", "1+2"]),
        ("{layers: [[2.1], [2.10]]}", "seed: 0", ["2.1", "2.10"]),
        ("{layers: [first, 'widest:2']}", "blocks: [1]", ["first", "widest:2"]),
        ("{steps: [[{layer: 2.0, keep: '0-7,9'}]]}", "seed: 0", ["layer=2.0+keep=0-7-9"]),
        (
            "{model: [a/b/yolov8n.yaml, yolov8s.yaml]}",
            f"{SELECTION}, expect: {{error: x}}",
            ["yolov8n.yaml", "yolov8s.yaml"],
        ),
        ("{data: [null, digits]}", f"{SELECTION}, select: {{criterion: l1, ratio: .5}}", ["none", "digits"]),
    ],
)
def test_values_are_short_in_ids(matrix: str, fields: str, suffixes: list[str]) -> None:
    assert ids(matrix, fields) == [f"a[{suffix}]" for suffix in suffixes]


def test_the_source_names_the_written_scenario() -> None:
    assert {scenario.source.first_line for scenario in expanded("{seed: [1, 2, 3]}")} == {4}


AXES = {
    "activations": ["hooked", "sliced"],
    "execution": ["mask", "local", "group", "adapter"],
    "imgsz": [32, 64, 1280],
    "on_mismatch": ["fail", "skip"],
    "order": ["front-to-back", "back-to-front", "listed", "shuffled:0", "shuffled:1"],
    "schedule": ["sequential", "independent", "sessions"],
    "seed": list(range(5)),
    "select.max_images": [1, 10, 100],
    "select.ratio": [0.25, 0.5, 0.75],
}


SEPARATED = f"{SELECTION}, select: {{criterion: separability}}"
"""To which all axes say something."""


@st.composite
def matrices(draw: st.DrawFn) -> dict[str, list[object]]:
    axes = draw(st.lists(st.sampled_from(sorted(AXES)), unique=True, min_size=1, max_size=4))
    return {axis: draw(st.lists(st.sampled_from(AXES[axis]), unique=True, min_size=1, max_size=4)) for axis in axes}


@given(matrices(), st.randoms(use_true_random=False))
def test_expansion_is_the_product_in_whatever_order_the_axes_are_written(matrix, random) -> None:
    scenarios = expanded(json.dumps(matrix), SEPARATED)
    assert len(scenarios) == prod(map(len, matrix.values()))
    assert len({scenario.id for scenario in scenarios}) == len(scenarios)
    assert {scenario.base_id for scenario in scenarios} == {"a"}
    combinations = {tuple(scenario.axes.values()) for scenario in scenarios}
    assert len(combinations) == len(scenarios)

    axes = list(matrix.items())
    random.shuffle(axes)
    shuffled = expanded(json.dumps(dict(axes)), SEPARATED)
    fields = {"source", "spec"}  # the folder is another one each time
    assert [s.model_dump(exclude=fields) for s in shuffled] == [s.model_dump(exclude=fields) for s in scenarios]


@given(matrices())
def test_every_scenario_has_the_values_in_its_id(matrix: dict[str, list[object]]) -> None:
    for scenario in expanded(json.dumps(matrix), SEPARATED):
        for axis, shown in scenario.axes.items():
            value: object = scenario
            for part in axis.split("."):
                value = getattr(value, part)
            assert str(value) == shown
        assert scenario.id == f"a[{','.join(scenario.axes.values())}]"


@given(st.permutations(["id: b", "blocks: [1]", "layers: first", "seed: 1", "select: {criterion: l1, ratio: 0.5}"]))
def test_the_order_of_keys_means_nothing(keys: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        text = f"{HEAD}  - {{{', '.join(keys)}}}\n"
        (scenario,) = load_spec(write(Path(folder), text)).scenarios
    assert (scenario.id, scenario.seed, scenario.select.ratio, scenario.select.seed) == ("b", 1, 0.5, 1)
