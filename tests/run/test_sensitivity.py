"""Points of sensitivity: what is measured, what is not, and what follows from a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models import graph_of
from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.channels.removal import find_removal
from yolo_prune_check.errors import UserError
from yolo_prune_check.progress import progress
from yolo_prune_check.run.measured import Hands, Measurements
from yolo_prune_check.run.sensitivity import Wanted, largest_within, sensitivity_of, thresholds, union_plan
from yolo_prune_check.run.sensitivity_record import (
    Per,
    Point,
    Sensitivity,
    UnitRecord,
    read_sensitivity,
    write_sensitivity,
)
from yolo_prune_check.run.trial import Bench, Trial
from yolo_prune_check.scores import MeanAveragePrecision, Scores
from yolo_prune_check.select.units import units_of
from yolo_prune_check.spec.part import Part

NAME = "yolov8n.yaml"
BENCH = Bench(NAME, "digits", 64)
RATIOS = (0.01, 0.5, 0.75)
WORTH = {
    name: np.random.default_rng(number).random(layer.out_channels)
    for number, (name, layer) in enumerate(graph_of(NAME).layers.items())
}


class Listed(Measurements):
    """Measures nothing: notes what is asked for; each step costs a tenth."""

    def __init__(self) -> None:
        super().__init__(Path(), "key", Hands(), progress(quiet=True))
        self.trials: list[Trial] = []

    def of(self, trials: Sequence[Trial], title: str) -> list[tuple[Scores, ...]]:
        self.trials += trials
        return [(MeanAveragePrecision(0.9, 0.8 - 0.1 * len(trial.plan.steps)),) for trial in trials]


def found_by(per: Per, listed: Listed) -> Sensitivity:
    wanted = Wanted(per, RATIOS, "taylor", Part(1, 2))
    return sensitivity_of(graph_of(NAME), WORTH, BENCH, wanted, listed)


@pytest.mark.parametrize("per", ["group", "layer"])
def test_only_what_is_predicted_to_be_safe_and_changes_something_is_measured(per: Per) -> None:
    listed, graph = Listed(), graph_of(NAME)
    found = found_by(per, listed)
    untouched, *pruned = listed.trials
    assert untouched.plan == Plan()
    assert all(predict(graph, trial.plan).verdict == "safe" for trial in pruned)
    assert {trial.plan.execution for trial in pruned} == {"mask" if per == "layer" else "group"}
    measured = [point for point in found.points if point.status == "measured"]
    assert len(measured) == len(pruned) > 50
    assert all(point.drop is not None and point.drop > 0 and point.removed for point in measured)
    few = [point for point in found.points if point.ratio == 0.01]
    narrow = [point for unit in found.units for point in unit.points if unit.channels < 50 and point.ratio == 0.01]
    assert narrow
    assert all((point.status, point.removed, point.drop) == ("unchanged", 0, 0.0) for point in narrow)
    assert any(point.status == "measured" for point in few) == (per == "layer" or len(few) > len(narrow))


def test_layers_that_the_head_decodes_are_listed_as_unsafe() -> None:
    listed = Listed()
    found = {unit.name: unit for unit in found_by("layer", listed).units}
    decoded = graph_of(NAME).head_layers
    assert set(decoded) <= set(found)
    for name in decoded:
        unsafe = [point for point in found[name].points if point.removed]
        assert unsafe or found[name].channels == 1  # of which no share can go
        assert all(point.status == "unsafe" and point.reason and point.drop is None for point in unsafe)
    assert not {step.layer for trial in listed.trials for step in trial.plan.steps} & set(decoded)


def test_a_point_is_of_the_least_important_channels_and_its_savings_are_those_of_its_plan() -> None:
    listed, graph = Listed(), graph_of(NAME)
    found = found_by("layer", listed)
    layer = "model.1.conv"
    (trial,) = [trial for trial in listed.trials if trial.plan.layers == (layer,) and trial.plan.counts == (16,)]
    assert set(trial.plan.steps[0].keep) == set(np.argsort(WORTH[layer])[16:].tolist())
    by_group = Listed()
    groups = {unit.name: unit for unit in found_by("group", by_group).units}
    point = groups[layer].points[1]
    (trial,) = [trial for trial in by_group.trials if trial.plan.layers == (layer,) and trial.plan.counts == (16,)]
    whole, cut = predict(graph, Plan()), predict(graph, trial.plan)
    assert whole.macs
    assert cut.macs
    assert point.macs_cut == 1 - cut.macs / whole.macs
    assert point.params_cut == 1 - cut.params / whole.params
    by_layer = {unit.name: unit for unit in found.units}[layer].points[1]
    assert by_layer.macs_cut is not None
    assert 0 < by_layer.macs_cut < point.macs_cut  # what reads the layer stays as wide as it was


def test_heads_of_an_area_attention_go_as_a_whole_and_are_measured() -> None:
    listed, graph = Listed(), graph_of("yolo12n.yaml")
    worth = {name: np.random.default_rng(1).random(layer.out_channels) for name, layer in graph.layers.items()}
    found = sensitivity_of(graph, worth, BENCH, Wanted("group", (0.1, 0.5), "taylor", Part(1, 2)), listed)
    heads = {unit.name: unit for unit in found.units if unit.whole_parts}
    unit = heads["model.6.m.0.0.attn.qkv.conv"]
    assert (len(heads), unit.whole_parts) == (8, 2)
    removed = [(point.status, point.removed, point.whole_parts) for point in unit.points]
    assert removed == [("unchanged", 0, 0), ("measured", 96 + 32, 1)]
    assert not any(point.status == "unsafe" for point in found.points)


def sensitivity_with(drops: dict[str, tuple[float | None, ...]]) -> Sensitivity:
    units = []
    for unit in units_of(graph_of(NAME)):
        own = drops.get(unit.name, (None,) * len(RATIOS))
        points = tuple(
            Point(ratio, "unsafe" if drop is None else "measured", 1, drop)
            for ratio, drop in zip(RATIOS, own, strict=True)
        )
        units.append(UnitRecord(unit.name, unit.layers, unit.size, points))
    dense = MeanAveragePrecision(0.9, 0.8)
    return Sensitivity(
        NAME, "digits", 64, "group", "taylor", RATIOS, "1/2", 7, 0, "cpu", dense, 1000, 100, tuple(units), ("x",)
    )


NAMES = [unit.name for unit in units_of(graph_of(NAME))]
DROPS = st.dictionaries(
    st.sampled_from(NAMES),
    st.tuples(*[st.none() | st.floats(-0.1, 0.9, allow_nan=False)] * len(RATIOS)),
    max_size=8,
)


@given(DROPS, st.floats(-0.2, 1), st.floats(-0.2, 1))
def test_a_larger_threshold_removes_the_same_and_more(
    drops: dict[str, tuple[float | None, ...]], one: float, other: float
) -> None:
    found, graph = sensitivity_with(drops), graph_of(NAME)
    plan = union_plan(graph, WORTH, "taylor")
    small, large = (largest_within(found, threshold) for threshold in sorted((one, other)))
    assert all(ratio <= large[name] for name, ratio in small.items())
    stays = [find_removal(graph, plan(ratios)).stays for ratios in (small, large)]
    assert not (stays[1] & ~stays[0]).any()  # what the larger one leaves, the smaller one leaves
    for name, ratio in large.items():
        drop = drops[name][RATIOS.index(ratio)]
        assert drop is not None
        assert drop <= max(one, other)


@given(DROPS)
def test_between_two_thresholds_nothing_changes(drops: dict[str, tuple[float | None, ...]]) -> None:
    found = sensitivity_with(drops)
    known = thresholds(found)
    assert list(known) == sorted({drop for own in drops.values() for drop in own if drop is not None})
    for low, high in pairwise(known):
        middle = (low + high) / 2
        if low < middle < high:
            assert largest_within(found, low) == largest_within(found, middle)


@given(DROPS)
def test_it_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, drops: object) -> None:
    assert isinstance(drops, dict)
    path = tmp_path_factory.getbasetemp() / "sensitivity.json"
    found = sensitivity_with(drops)
    write_sensitivity(found, path)
    assert read_sensitivity(path) == found


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 99}', '{"format": 2, "units": 3}'])
def test_what_is_none_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "sensitivity.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"sensitivity\.json"):
        read_sensitivity(path)
