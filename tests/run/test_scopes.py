"""Scenarios that choose by layer, by what is tied, or over all layers named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.run.test_engine import events_of, few_digits, record_of
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.addresses import find_layer
from yolo_prune_check.model.load import load_model
from yolo_prune_check.run.events import StepFinished
from yolo_prune_check.run.record import Record
from yolo_prune_check.select import choose as choosing
from yolo_prune_check.select import clustered, gradients
from yolo_prune_check.select.weights import l1

WHOLE = "model: yolov8n-digits\nimgsz: 64\nscenarios:\n  - id: x\n    blocks: [1, 2, 3, 4]\n    layers: first\n"


def select(settings: str, more: str = "") -> str:
    return f"    select: {{{settings}}}\n{more}"


def removed(record: Record) -> dict[str, int]:
    return {step.layer: step.channels - step.kept for step in record.steps}


@pytest.mark.parametrize("execution", ["mask", "group"])
def test_one_ranking_takes_different_shares(tmp_path: Path, execution: str) -> None:
    text = WHOLE + select("criterion: l2, scope: global, ratio: 0.4, floor: 0.25", f"    execution: {execution}\n")
    record = record_of(tmp_path, text)
    assert record.passed, record.failures
    assert record.agrees
    shares = {
        layer: count / step.channels for step, (layer, count) in zip(record.steps, removed(record).items(), strict=True)
    }
    assert len({round(share, 2) for share in shares.values()}) > 1
    assert max(shares.values()) <= 0.75
    assert record.steps[0].criterion == "l2 by global, ratio 0.4"
    assert record.selected == "l2 by global, ratio 0.4, floor 0.25"


def test_layers_that_the_ranking_leaves_whole_are_named_and_are_no_steps(tmp_path: Path) -> None:
    record = record_of(tmp_path, WHOLE + select("criterion: l1, scope: global, ratio: 0.02"))
    assert 0 < len(record.steps) < 4
    assert f"the ranking leaves {4 - len(record.steps)} of the 4 layers named whole" in record.notes
    assert all(count > 0 for count in removed(record).values())


def test_a_ranking_that_takes_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"x\.prune\.yaml:7:51: the ranking takes no channel of the 4 layers named"):
        record_of(tmp_path, WHOLE + select("criterion: l1, scope: global, ratio: 0.0001"))


def test_a_floor_that_overrules_the_ratio_is_told(tmp_path: Path) -> None:
    record = record_of(tmp_path, WHOLE + select("criterion: l1, scope: global, ratio: 0.9, floor: 0.5"))
    (note,) = (note for note in record.notes if "floor" in note)
    assert note == "a floor of 0.5 leaves more than asked for: 50.0% goes instead of 90.0%"


@pytest.mark.parametrize(("criterion", "told"), [("l1", True), ("random", False)])
def test_a_ranking_of_what_does_not_compare_is_told(tmp_path: Path, criterion: str, told: bool) -> None:
    text = WHOLE + select(f"criterion: {criterion}, scope: global, ratio: 0.4")
    notes = record_of(tmp_path, text, predict_only=True).notes
    assert any("scores by l1 of different layers do not compare" in note for note in notes) == told


WITHOUT_NORM = """\
nc: 2
backbone:
  - [-1, 1, Conv, [16, 3, 2]]
  - [-1, 1, nn.Conv2d, [16, 16, 3, 2, 1]]
  - [-1, 1, Conv, [32, 3, 2]]
  - [-1, 1, Conv, [64, 3, 2]]
  - [-1, 1, Conv, [64, 3, 2]]
head:
  - [[2, 3, 4], 1, Detect, [nc]]
"""


@pytest.mark.parametrize("schedule", ["independent", "sequential"])
def test_a_layer_of_which_the_criterion_says_nothing_is_refused(tmp_path: Path, schedule: str) -> None:
    (tmp_path / "m.yaml").write_text(WITHOUT_NORM, encoding="utf-8")
    text = f"model: {tmp_path / 'm.yaml'}\nimgsz: 64\nscenarios:\n  - id: x\n    schedule: {schedule}\n"
    for scope in ("layer", "group"):
        choice = select(f"criterion: gamma, scope: {scope}", "    layers: [1.0]\n")
        with pytest.raises(UserError, match=r"model\.1: the criterion gamma needs a BatchNorm") as refused:
            record_of(tmp_path, text + choice)
        assert "of this model" not in str(refused.value)  # others have one
    choice = select("criterion: gamma, scope: global", "    layers: [1.0, 2.0]\n")
    notes = record_of(tmp_path, text + choice, predict_only=True).notes
    assert "gamma says nothing of model.1: left whole" in notes
    choice = select("criterion: gamma, scope: global", "    layers: [1.0]\n")
    with pytest.raises(UserError, match=r"model\.1: the criterion gamma needs a BatchNorm"):
        record_of(tmp_path, text + choice)


def test_what_is_tied_counts(tmp_path: Path) -> None:
    """The second half of `2.0` is added to `2.3`: by group its channels are judged by both."""
    text = WHOLE.replace("[1, 2, 3, 4]", "[2]")
    alone = record_of(tmp_path, text + select("criterion: l1, ratio: 0.5")).steps[0].keep
    tied = record_of(tmp_path, text + select("criterion: l1, ratio: 0.5, scope: group")).steps[0].keep
    assert len(alone) == len(tied) == 16
    assert alone != tied
    assert sum(channel < 16 for channel in tied) == 8  # of either half the same share
    model = load_model("yolov8n-digits")
    by_itself, other = (l1(model, find_layer(model, address)) for address in ("2.0", "2.3"))
    worth = by_itself[16:] / by_itself.max() + other / other.max()
    assert {channel - 16 for channel in tied if channel >= 16} == set(worth.argsort()[-8:].tolist())


@pytest.mark.parametrize("scope", ["layer", "group"])
def test_a_layer_that_earlier_steps_made_narrower(tmp_path: Path, scope: str) -> None:
    """`2.3` loses what `2.0` does; its own step is a share of what it had at first."""
    text = "model: yolov8n-digits\nimgsz: 64\nscenarios:\n  - id: x\n    layers: [2.0, 2.3]\n    order: listed\n"
    record = record_of(tmp_path, text + select(f"criterion: l1, ratio: 0.5, scope: {scope}", "    execution: group\n"))
    assert record.passed, record.failures
    assert record.steps[1].kept == 8 if scope == "group" else record.steps[1].kept <= 10  # some are given back


@pytest.mark.parametrize("criterion", ["taylor", "separability"])
def test_by_group_and_global_with_data(tmp_path: Path, criterion: str) -> None:
    for scope in ("group", "global"):
        more = "    blocks: [1, 2]\n    layers: first\n"
        text = few_digits(tmp_path / scope) + select(f"criterion: {criterion}, ratio: 0.3, scope: {scope}", more)
        record = record_of(tmp_path, text)
        assert record.passed, record.failures
        assert sum(removed(record).values()) > 0


def test_separability_by_group_keeps_one_of_each_cluster(tmp_path: Path) -> None:
    """Of a bundle as many as the data say; what is tied to a channel is described with it; 2.3 has what 2.0 left."""
    text = few_digits(tmp_path) + "    layers: [2.0, 2.3]\n    order: listed\n    execution: group\n"
    record = record_of(tmp_path, text + select("criterion: separability, scope: group"))
    assert record.passed, record.failures
    first, second = record.steps
    halves, own = first.selection["bundles"], second.selection["bundles"]
    assert [each["channels"] for each in halves] == [16, 16]  # one is tied to 2.3, the other to nothing
    assert sum(each["k"] for each in halves) == first.selection["k"]
    assert all(each["knee"] is not None or each["fallback"] for each in halves)
    assert [each["channels"] for each in own] == [len([channel for channel in first.keep if channel >= 16])]
    assert second.selection["gone"] == 16 - own[0]["channels"]
    assert first.selection["objects"] > 0


@pytest.mark.parametrize("settings", ["distance: fisher", "survivor: weight", "embedding: pca"])
def test_separability_by_group_has_the_settings_of_clusters(tmp_path: Path, settings: str) -> None:
    usual, other = (
        record_of(
            folder, text + select(f"criterion: separability, ratio: 0.5, scope: group{more}", "    layers: [2.0]\n")
        ).steps[0]
        for folder, more in ((tmp_path / "usual", ""), (tmp_path / "other", f", {settings}"))
        for text in (few_digits(folder),)
    )
    assert usual.kept == other.kept == 16
    assert usual.keep != other.keep


def test_predicting_alone_ranks_by_weights(tmp_path: Path) -> None:
    text = few_digits(tmp_path) + "    blocks: [1, 2, 3, 4]\n    layers: first\n" + select("scope: global, ratio: 0.3")
    events = events_of(tmp_path, text, predict_only=True)
    steps = [event.step for event in events if isinstance(event, StepFinished)]
    assert steps
    assert {step.criterion for step in steps} == {"l1 by global, ratio 0.3"}


@pytest.mark.parametrize("scope", ["layer", "group"])
@pytest.mark.parametrize("criterion", ["separability", "taylor"])
def test_independent_choices_are_made_in_one_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, criterion: str, scope: str
) -> None:
    """And they are those that each layer alone gets on the untouched model."""
    passes: list[int] = []
    for module, name in ((choosing, "collect"), (clustered, "collect"), (gradients, "training_batches")):
        monkeypatch.setattr(module, name, _counted(getattr(module, name), passes))
    choice = select(f"criterion: {criterion}, ratio: 0.3, scope: {scope}", "    schedule: independent\n")
    together = record_of(tmp_path, few_digits(tmp_path) + "    blocks: [1, 2, 3]\n    layers: first\n" + choice)
    assert len(passes) == 1
    assert together.passed, together.failures
    alone = record_of(tmp_path, few_digits(tmp_path / "b") + "    blocks: [3]\n    layers: first\n" + choice)
    assert together.steps[2].keep == alone.steps[0].keep
    assert together.steps[2].selection == alone.steps[0].selection


def _counted(function: Any, calls: list[int]) -> Any:
    def count(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        return function(*args, **kwargs)

    return count
