"""Scenarios from YAML to record, on real models."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.killed_run import write_few
from tests.train.tasks import write_task_data
from tests.train.tiny import write_data
from yolo_prune_check.data import shipped_data
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.load import load_model
from yolo_prune_check.run import run
from yolo_prune_check.run import step as step_module
from yolo_prune_check.run.baseline import load_baseline
from yolo_prune_check.run.checkpoint import save_checkpoint
from yolo_prune_check.run.events import (
    BaselineMeasured,
    Event,
    HazardFound,
    ScenarioFinished,
    ScenarioStarted,
    StepFinished,
    StepStarted,
)
from yolo_prune_check.run.record import Record, read_record, write_record
from yolo_prune_check.spec import load_spec

PLAIN = "model: yolov8n.yaml\nimgsz: 64\nscenarios:\n  - id: x\n    select: {criterion: l1, ratio: 0.5}\n"
LISTED = PLAIN.partition("    select")[0]
DIGITS = "model: yolov8n-digits\ndata: digits\nimgsz: 128\nscenarios:\n  - id: x\n"


def few_digits(tmp_path: Path) -> str:
    """The beginning of a spec as `DIGITS`, on a few of its images, halved in size."""
    return DIGITS.replace("data: digits", f"data: {write_few(tmp_path / 'set', 16)}").replace("128", "64")


def events_of(tmp_path: Path, text: str, *, predict_only: bool = False) -> list[Event]:
    spec = tmp_path / "x.prune.yaml"
    spec.write_text(text, encoding="utf-8")
    (scenario,) = load_spec(spec).scenarios
    return list(run(scenario, work_dir=tmp_path / "work", predict_only=predict_only, keep=False))


def record_of(tmp_path: Path, text: str, *, predict_only: bool = False) -> Record:
    last = events_of(tmp_path, text, predict_only=predict_only)[-1]
    assert isinstance(last, ScenarioFinished)
    return last.record


def test_events_come_in_order(tmp_path: Path) -> None:
    events = events_of(tmp_path, PLAIN + "    blocks: [1, 3]\n    layers: first\n    mask: weights\n")
    assert [type(event) for event in events] == [
        ScenarioStarted, StepStarted, StepFinished, StepStarted, StepFinished, ScenarioFinished,
    ]  # fmt: skip


def test_a_masked_plan_is_safe_and_confirmed(tmp_path: Path) -> None:
    record = record_of(tmp_path, PLAIN + "    blocks: [1, 2, 4]\n    layers: first\n")
    assert (record.verdict, record.passed, record.agrees) == ("safe", True, True)
    assert [step.address for step in record.steps] == ["1.0", "2.0", "4.0"]
    assert [(step.kept, step.active, step.weight_norm_count) for step in record.steps] == [
        (16, 16, 16), (16, 16, 16), (32, 32, 32),
    ]  # fmt: skip
    assert {edge.kind for edge in record.edges} == {"split", "concat", "residual"}
    assert all(edge.agrees for edge in record.edges)
    assert record.metrics.params_before == record.metrics.params_after == 3157200
    assert record.metrics.macs_before == record.metrics.predicted_macs == record.metrics.macs_after
    assert record.facts.blocks[2].depends_on == (0, 1)


def test_a_local_plan_breaks_where_predicted(tmp_path: Path) -> None:
    record = record_of(
        tmp_path,
        PLAIN + "    blocks: [1, 2]\n    execution: local\n    layers: first\n"
        "    expect: {verdict: unsafe, failure_module: model.2.cv1.conv}\n",
    )
    assert (record.verdict, record.passed, record.agrees) == ("unsafe", True, True)
    (step,) = record.steps
    assert step.status == "failed"
    assert step.predicted_failure == step.observed_failure
    assert step.observed_failure is not None
    assert "to have 32 channels, but got 16 channels instead" in step.observed_failure.message
    assert record.checkpoint is None


def test_skipped_steps_make_a_plan_partial(tmp_path: Path) -> None:
    record = record_of(
        tmp_path,
        "model: yolov8n.yaml\nimgsz: 64\nscenarios:\n  - id: x\n    execution: local\n    on_mismatch: skip\n"
        "    steps: [{layer: 1.0, keep: 0-15}, {layer: 2.3, keep: [3]}]\n    expect: {verdict: unsafe}\n",
    )
    assert [step.status for step in record.steps] == ["skipped", "pruned"]
    assert record.steps[0].reason is not None
    assert record.steps[0].reason.startswith("the pruned model breaks in model.2.cv1.conv: Given groups=1")
    assert {hazard.code for hazard in record.hazards} >= {"broadcast-add"}
    assert record.agrees is True


def test_a_plan_of_which_nothing_is_left_is_no_success(tmp_path: Path) -> None:
    """DESIGN fact 16: "Layers pruned" beside an mAP, though nothing was."""
    record = record_of(
        tmp_path,
        PLAIN + "    blocks: [1, 2]\n    layers: first\n    execution: local\n    on_mismatch: skip\n"
        "    expect: {verdict: unsafe, hazards: [no-op]}\n",
    )
    assert (record.verdict, record.skipped, record.passed) == ("unsafe", 2, True)
    assert "all 2 steps were skipped: nothing is pruned" in record.reasons[0]


def test_a_model_of_another_task_is_pruned_without_data(tmp_path: Path) -> None:
    text = PLAIN.replace("yolov8n.yaml", "yolov8n-seg.yaml")
    record = record_of(tmp_path, text + "    blocks: [1, 2, 4]\n    layers: first\n")
    assert (record.verdict, record.passed, record.agrees) == ("safe", True, True)


def test_data_of_other_classes_than_the_model_was_trained_for_are_refused(tmp_path: Path) -> None:
    yaml, images = tmp_path / "three.yaml", shipped_data("digits").parent / "images"
    yaml.write_text(f"train: {images}/train\nval: {images}/val\nnames: [a, b, c]\n", encoding="utf-8")
    text = DIGITS.replace("data: digits", f"data: {yaml}") + "    blocks: [1]\n    layers: first\n"
    says = r"x\.prune\.yaml:2:7: .*three\.yaml: 3 classes, but yolov8n-digits was trained for 10\. Name the data set it"
    with pytest.raises(UserError, match=says):
        record_of(tmp_path, text)


def test_a_model_of_another_task_is_measured_and_trained_by_it(tmp_path: Path) -> None:
    data = write_task_data(tmp_path / "set", "segment", train=4, val=3)
    text = PLAIN.replace("yolov8n.yaml", "yolov8n-seg.yaml") + "    blocks: [1]\n    layers: first\n"
    tuning = f"    data: {data}\n    fine_tune: {{epochs: 1, batch: 2}}\n"
    record = record_of(tmp_path, text + tuning)
    assert (record.verdict, record.passed, record.agrees) == ("safe", True, True)
    assert record.steps[0].regrown == 0
    assert record.metrics.scores_before is not None
    assert record.metrics.scores_after is not None


def test_data_are_refused_for_rtdetr_before_anything_runs(tmp_path: Path) -> None:
    text = PLAIN.replace("yolov8n.yaml", "yolov8n-rtdetr.yaml") + "    blocks: [1]\n    layers: first\n"
    text += "    data: digits\n"
    with pytest.raises(UserError, match=r"x\.prune\.yaml:8:11: only YOLO models that detect.*Leave out `data`"):
        events_of(tmp_path, text)
    assert record_of(tmp_path, text, predict_only=True).verdict == "safe"  # a prediction needs none


def test_an_expected_refusal_passes(tmp_path: Path) -> None:
    text = PLAIN + "    blocks: [10]\n    layers: all\n"
    record = record_of(tmp_path, text + "    expect: {error: has no Conv2d}\n")
    assert (record.verdict, record.passed) == ("refused", True)
    other = record_of(tmp_path, PLAIN + "    blocks: [10]\n    layers: all\n    expect: {error: something else}\n")
    assert not other.passed
    assert "expected a refusal with “something else”" in other.failures[0]


def test_a_missed_refusal_fails(tmp_path: Path) -> None:
    record = record_of(tmp_path, PLAIN + "    blocks: [1]\n    layers: first\n    expect: {error: has no Conv2d}\n")
    assert record.failures == ("expected a refusal with “has no Conv2d”, but the scenario ran",)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            "    blocks: [99]\n    layers: all\n",
            "x.prune.yaml:6:14: unknown block: got 99. yolov8n.yaml has blocks 0 to 22.",
        ),
        (
            "    blocks: [1]\n    layers: [3]\n",
            "x.prune.yaml:7:14: layer index out of range: block 1 has 1 Conv2d (1.0): got 3.",
        ),
        ("    blocks: [10]\n    layers: all\n", "x.prune.yaml:6:13: block 10 has no Conv2d to prune"),
    ],
)
def test_layers_that_do_not_exist(tmp_path: Path, lines: str, message: str) -> None:
    with pytest.raises(UserError) as info:
        record_of(tmp_path, PLAIN + lines)
    assert message in str(info.value)


def test_fewer_layers_than_asked_for_is_noted(tmp_path: Path) -> None:
    record = record_of(tmp_path, PLAIN + "    blocks: [1]\n    layers: widest:6\n")
    assert record.notes == ("asked for 6 layers of block 1, which has 1",)
    assert record.verdict == "safe"


@pytest.mark.parametrize(
    ("order", "addresses"),
    [
        ("front-to-back", ["1.0", "2.0", "4.0"]),
        ("back-to-front", ["4.0", "2.0", "1.0"]),
        ("listed", ["4.0", "1.0", "2.0"]),
        ("shuffled:1", ["2.0", "4.0", "1.0"]),
    ],
)
def test_orders(tmp_path: Path, order: str, addresses: list[str]) -> None:
    record = record_of(tmp_path, PLAIN + f'    layers: ["4.0", "1.0", "2.0"]\n    order: {order}\n', predict_only=True)
    assert [step.address for step in record.steps] == addresses


def test_unmet_budgets_fail(tmp_path: Path) -> None:
    record = record_of(
        tmp_path, PLAIN + "    blocks: [1]\n    layers: first\n    expect: {min_macs_cut: 0.2, hazards: [no-op]}\n"
    )
    assert record.failures == (
        "hazard no-op was expected, but no hazard was found",
        "min_macs_cut is 0.2, but the plan gives 0",
    )


def test_sessions_save_and_reload(tmp_path: Path) -> None:
    record = record_of(tmp_path, PLAIN + "    blocks: [1, 3]\n    layers: first\n    schedule: sessions\n")
    paths = [step.checkpoint for step in record.steps]
    assert all(path is not None and Path(path).is_file() for path in paths)
    assert record.checkpoint is not None
    first = load_model(str(paths[0])).get_submodule("model.1.conv").weight
    assert int((first.flatten(1) != 0).any(1).sum()) == 16
    last = load_model(record.checkpoint)
    assert not last.training
    assert int((last.get_submodule("model.3.conv").weight.flatten(1) != 0).any(1).sum()) == 32


def test_a_model_file_that_was_overwritten_is_read_again(tmp_path: Path) -> None:
    first, second = (load_model("yolov8n.yaml", seed=seed) for seed in (0, 1))
    save_checkpoint(first, tmp_path / "x.pt")
    before = load_baseline(str(tmp_path / "x.pt"), 32)
    assert load_baseline(str(tmp_path / "x.pt"), 32) is before
    save_checkpoint(second, tmp_path / "x.pt")
    after = load_baseline(str(tmp_path / "x.pt"), 32)
    name = "model.0.conv.weight"
    assert torch.equal(after.model.state_dict()[name], second.state_dict()[name])
    assert (tmp_path / "x.pt").stat().st_mode & 0o777 == 0o644


def test_the_final_checkpoint_loads_in_plain_ultralytics(tmp_path: Path) -> None:
    from ultralytics import YOLO

    record = record_of(tmp_path, PLAIN + "    blocks: [1]\n    layers: first\n")
    assert record.checkpoint is not None
    result = YOLO(record.checkpoint).predict(torch.zeros(1, 3, 64, 64), verbose=False, save=False)
    assert len(result) == 1


def test_predicting_alone_gives_the_same_verdict_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = PLAIN + "    blocks: [1, 2]\n    layers: all\n    execution: local\n    expect: {verdict: unsafe}\n"
    executed = record_of(tmp_path, text)

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("something was executed")

    for name in ("observe", "evaluate", "fine_tune", "carry_step", "observe_sequence"):
        monkeypatch.setattr(step_module, name, refuse)
    predicted = record_of(tmp_path, text, predict_only=True)
    assert predicted.agrees is None
    assert (predicted.verdict, predicted.steps[0].predicted) == (executed.verdict, executed.steps[0].predicted)
    assert predicted.steps[0].observed == ""


def test_sliced_activations_break_on_the_untouched_model_as_predicted(tmp_path: Path) -> None:
    record = record_of(
        tmp_path,
        DIGITS + "    blocks: [2]\n    layers: [1]\n    activations: sliced\n"
        "    select: {criterion: separability, max_images: 16}\n"
        "    expect: {verdict: unsafe, failure_module: model.2.cv2.conv}\n",
    )
    assert record.passed, record.failures
    (step,) = record.steps
    assert step.observed.startswith("sliced model breaks in model.2.cv2.conv: Given groups=1")
    assert step.predicted == step.observed


def test_the_same_spec_gives_the_same_record(tmp_path: Path) -> None:
    text = (
        few_digits(tmp_path).replace("imgsz: 64", "imgsz: 128")
        + "    blocks: [1, 2]\n    layers: first\n    select: {max_images: 16, ratio: 0.25}\n"
        "    fine_tune: {epochs: 1, batch: 8, fraction: 0.5}\n"
    )
    first, second = record_of(tmp_path, text), record_of(tmp_path, text)
    assert first == second
    assert first.metrics.scores_after is not None
    write_record(first, tmp_path / "record.json")
    assert read_record(tmp_path / "record.json") == first


@pytest.mark.parametrize("enforce", [True, False])
def test_masks_hold_in_fine_tuning_unless_told_otherwise(tmp_path: Path, enforce: bool) -> None:
    """DESIGN fact 2."""
    record = record_of(
        tmp_path,
        few_digits(tmp_path) + "    blocks: [1]\n    layers: first\n    select: {criterion: l1, ratio: 0.5}\n"
        f"    fine_tune: {{epochs: 1, batch: 4, enforce_masks: {str(enforce).lower()}}}\n"
        f"    expect: {{verdict: {'safe' if enforce else 'unsafe'}}}\n",
    )
    assert record.passed, record.failures
    assert record.steps[0].regrown == (0 if enforce else 16)
    assert [hazard.code for hazard in record.hazards] == ([] if enforce else ["regrowth"])
    assert record.agrees is True


def test_hazards_are_announced_as_they_are_found(tmp_path: Path) -> None:
    spec = PLAIN.replace("yolov8n.yaml", "yolov8n-digits").replace("64", "128")
    events = events_of(
        tmp_path, spec + "    blocks: [1]\n    layers: first\n    mask: weights\n    expect: {verdict: unsafe}\n"
    )
    found = [event.hazard.code for event in events if isinstance(event, HazardFound)]
    assert found == ["phantom-channel"]
    assert not any(isinstance(event, BaselineMeasured) for event in events)


def test_independent_selection_looks_at_the_untouched_model(tmp_path: Path) -> None:
    """The second layer's channels are chosen as if the first had not been pruned; both end up in the final model."""
    text = (
        few_digits(tmp_path)
        + "    blocks: [1, 2]\n    layers: first\n    select: {max_images: 12, ratio: 0.25}\n    schedule: "
    )
    independent = record_of(tmp_path, text + "independent\n")
    assert independent.checkpoint is not None
    model = load_model(independent.checkpoint)
    for step in independent.steps:
        weight = model.get_submodule(step.layer).weight.flatten(1)
        assert tuple((weight != 0).any(1).nonzero().flatten().tolist()) == step.keep
    sequential = record_of(tmp_path, text + "sequential\n")
    alone = record_of(tmp_path, text.replace("[1, 2]", "[2]") + "independent\n")
    assert independent.steps[1].keep == alone.steps[0].keep
    assert independent.steps[1].keep != sequential.steps[1].keep


@pytest.mark.parametrize(("ratio", "passed"), [(1000, True), (0.0001, False)])
def test_latency_is_measured_where_a_budget_asks_for_it(tmp_path: Path, ratio: float, passed: bool) -> None:
    text = PLAIN + "    blocks: [1]\n    layers: first\n"
    assert record_of(tmp_path, text).metrics.latency is None
    record = record_of(tmp_path, text + f"    expect: {{max_latency_ratio: {ratio}}}\n")
    assert record.metrics.latency is not None
    assert record.passed is passed


@pytest.mark.parametrize(
    ("expect", "failure"),
    [
        (
            "{verdict: unsafe, failure_module: model.9}",
            "the plan was expected to break in model.9, but broke in model.2",
        ),
        ("{verdict: unsafe, hazards: [phantom-channel]}", "hazard phantom-channel was expected"),
        ("{verdict: unsafe, min_macs_cut: 0.5}", "min_macs_cut 0.5 could not be checked, because the plan did not run"),
        ("{verdict: unsafe, min_params_cut: 0.9}", "min_params_cut is 0.9, but the plan gives 0.0007"),
        ("{verdict: safe}", "the verdict is unsafe, expected safe"),
    ],
)
def test_predictions_alone_are_held_against_the_expectation(tmp_path: Path, expect: str, failure: str) -> None:
    text = PLAIN + f"    blocks: [1]\n    layers: first\n    execution: local\n    expect: {expect}\n"
    (found,) = record_of(tmp_path, text, predict_only=True).failures
    assert found.startswith(failure)


def test_what_cannot_be_predicted_is_said_to_be_unjudged(tmp_path: Path) -> None:
    text = DIGITS + "    blocks: [1]\n    layers: first\n    expect: {max_map_drop: 0.01}\n"
    record = record_of(tmp_path, text, predict_only=True)
    assert record.passed
    assert record.notes == (
        "nothing was carried out: the steps were predicted",
        "channels were chosen by l1, ratio 0.5, because taylor would run the model",
        "max_map_drop was not judged, because nothing was executed",
    )


def test_every_scenario_and_model_has_its_own_folder(tmp_path: Path) -> None:
    """Ids that look alike as file names, and another model, do not overwrite each other's checkpoints."""
    spec = tmp_path / "x.prune.yaml"
    spec.write_text(
        "model: yolov8n.yaml\nimgsz: 32\ndefaults: {select: {criterion: l1, ratio: 0.5}, layers: first}\nscenarios:\n"
        "  - {id: mx, matrix: {blocks: [[1], [2]]}}\n  - {id: mx_1, blocks: [3]}\n",
        encoding="utf-8",
    )
    scenarios = load_spec(spec).scenarios
    paths = set()
    for scenario in (*scenarios, scenarios[0].model_copy(update={"model": "yolov8s.yaml"})):
        *_, last = run(scenario, work_dir=tmp_path / "work")
        assert isinstance(last, ScenarioFinished)
        paths.add(last.record.checkpoint)
    assert len(paths) == 4


def test_two_local_steps_that_run_are_held_against_the_untouched_model(tmp_path: Path) -> None:
    text = (
        "model: yolov8n-digits\nimgsz: 64\nscenarios:\n  - id: x\n    execution: local\n"
        "    steps: [{layer: model.2.m.0.cv2.conv, keep: [5]}, {layer: model.4.m.0.cv2.conv, keep: [3]}]\n"
        "    expect: {verdict: unsafe, hazards: [broadcast-add]}\n"
    )
    record = record_of(tmp_path, text)
    assert record.passed, record.failures
    assert [step.status for step in record.steps] == ["pruned", "pruned"]
    assert record.agrees is True


@pytest.mark.parametrize(
    "order", ["{layer: 1.0, keep: 0-31}, {layer: 3.0, keep: 0-7}", "{layer: 3.0, keep: 0-7}, {layer: 1.0, keep: 0-31}"]
)
def test_hazards_are_those_of_the_whole_plan(tmp_path: Path, order: str) -> None:
    """A step that changes nothing does not make a plan unsafe whose other step does."""
    text = f"model: yolov8n.yaml\nimgsz: 64\nscenarios:\n  - id: x\n    steps: [{order}]\n"
    record = record_of(tmp_path, text)
    assert (record.verdict, record.hazards) == ("safe", ())


def test_a_later_step_mends_a_hazard(tmp_path: Path) -> None:
    text = (
        "model: yolov8n.yaml\nimgsz: 64\nscenarios:\n  - id: x\n    steps:\n"
        "      - {layer: model.2.m.0.cv2.conv, keep: 4-15}\n"
        "      - {layer: model.2.cv1.conv, keep: '0-15,20-31'}\n"
    )
    assert record_of(tmp_path, text).hazards == ()
    assert record_of(tmp_path, text, predict_only=True).hazards == ()


@pytest.mark.parametrize("predict_only", [False, True])
def test_what_a_step_gives_back_is_not_forgotten_by_later_ones(tmp_path: Path, predict_only: bool) -> None:
    """The first step takes of one half of a split alone, and so nothing; the second some; the third makes it a plan."""
    steps = "    extend: false\n    execution: group\n    steps:\n      - {layer: 2.0, keep: 8-31}\n"
    steps += "      - {layer: 4.0, keep: '8-31,36-63'}\n      - {layer: 1.0, keep: 0-15}\n"
    record = record_of(tmp_path, LISTED + steps, predict_only=predict_only)
    assert record.verdict == "safe"
    assert [step.kept for step in record.steps] == [32, 56, 16]
    given_back = {hazard.layer: hazard.message for hazard in record.hazards if hazard.code == "kept-for-symmetry"}
    assert given_back == {
        "model.2.cv1.conv": "8 of the 8 channels that the step removes stay for symmetry",
        "model.4.cv1.conv": "4 of the 12 channels that the plan removes stay for symmetry",
    }


def test_a_plan_that_breaks_has_no_metrics_after_it(tmp_path: Path) -> None:
    text = (
        "model: yolov8n.yaml\nimgsz: 64\nscenarios:\n  - id: x\n    execution: local\n"
        "    steps: [{layer: 2.3, keep: [3]}, {layer: 1.0, keep: 0-15}]\n"
        "    expect: {verdict: unsafe, max_latency_ratio: 1000, min_params_cut: 0}\n"
    )
    record = record_of(tmp_path, text)
    assert record.failures == (
        "min_params_cut 0 could not be checked, because the plan did not run",
        "max_latency_ratio 1000 could not be checked, because the plan did not run",
    )
    assert record.metrics.params_after is record.metrics.latency is record.checkpoint is None


@pytest.mark.parametrize("skip", [False, True])
def test_a_model_that_finds_nothing_any_more_ends_its_plan(tmp_path: Path, skip: bool) -> None:
    """What was done until then stays on record."""
    record = record_of(
        tmp_path,
        DIGITS + "    blocks: [1, 2, 3, 4]\n    layers: first\n"
        "    select: {criterion: separability, ratio: 0.9, max_images: 16}\n"
        f"    on_mismatch: {'skip' if skip else 'fail'}\n    expect: {{verdict: {'partial' if skip else 'unsafe'}}}\n",
    )
    assert record.passed, record.failures
    stopped = record.steps[-1]
    assert record.steps[0].status == "pruned"
    assert stopped.status == ("skipped" if skip else "failed")
    assert stopped.reason is not None
    assert stopped.reason.startswith("no channels could be chosen on the model as pruned so far: no activations found")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            "    steps: [{layer: 1.0, keep: [0]}, {layer: model.1.conv, keep: [1]}]\n",
            "x.prune.yaml:5:46: model.1.conv is named twice (1.0, model.1.conv). Make one step of the two.",
        ),
        (
            "    blocks: [1, 12]\n    layers: first\n    activations: sliced\n    select: {criterion: separability}\n",
            "x.prune.yaml:7:18: `activations: sliced` cannot get past block 11, which takes 2 inputs: got 'block 12'.",
        ),
    ],
)
def test_plans_that_cannot_be_started(tmp_path: Path, lines: str, message: str) -> None:
    with pytest.raises(UserError) as info:
        record_of(tmp_path, "model: yolov8n-digits\ndata: digits\nscenarios:\n  - id: x\n" + lines)
    assert message in str(info.value)


@pytest.mark.parametrize("skip", ["fail", "skip"])
def test_predictions_alone_find_the_hazards_that_execution_finds(tmp_path: Path, skip: str) -> None:
    text = (
        "model: yolov8n-digits\nimgsz: 64\nscenarios:\n  - id: x\n    execution: local\n"
        f"    on_mismatch: {skip}\n    expect: {{verdict: unsafe}}\n"
        "    steps: [{layer: 2.3, keep: [3]}, {layer: 22.2, keep: 0-6}, {layer: 4.3, keep: [1]}]\n"
    )
    executed, predicted = record_of(tmp_path, text), record_of(tmp_path, text, predict_only=True)
    assert executed.verdict == predicted.verdict
    assert [(h.code, h.layer, h.message) for h in executed.hazards] == [
        (h.code, h.layer, h.message) for h in predicted.hazards
    ]
    assert executed.metrics.predicted_params == predicted.metrics.predicted_params


def test_a_local_plan_that_runs_can_be_fine_tuned(tmp_path: Path) -> None:
    """A narrowed layer has no channels left to be silenced: after training nothing is there to compare values with."""
    record = record_of(
        tmp_path,
        few_digits(tmp_path) + "    execution: local\n"
        "    steps: [{layer: model.2.m.0.cv2.conv, keep: [5]}, {layer: model.4.m.0.cv2.conv, keep: [3]}]\n"
        "    fine_tune: {epochs: 1, batch: 8}\n    expect: {verdict: unsafe, hazards: [broadcast-add]}\n",
    )
    assert record.passed, record.failures
    assert [step.status for step in record.steps] == ["pruned", "pruned"]
    assert record.agrees is True


@pytest.mark.parametrize("execution", ["group", "adapter"])
def test_an_execution_that_changes_shapes_can_be_predicted_alone(tmp_path: Path, execution: str) -> None:
    text = PLAIN + f"    blocks: [1]\n    layers: first\n    execution: {execution}\n"
    record = record_of(tmp_path, text, predict_only=True)
    assert (record.verdict, record.passed) == ("safe", True)


@pytest.mark.parametrize("mask", ["weights", "silent"])
def test_what_training_makes_of_batch_norms_decides_which_channels_are_active(tmp_path: Path, mask: str) -> None:
    """Untrained ones have no shift: a filter of zeros is silent until they get one, and a phantom from then on."""
    data = write_data(tmp_path / "set", train=4, val=4)
    record = record_of(
        tmp_path,
        LISTED + f"    steps: [{{layer: 1.0, keep: 0-15}}, {{layer: 2.2, keep: 0-3}}, {{layer: 4.0, keep: 0-31}}]\n"
        f"    mask: {mask}\n    data: {data}\n"
        "    fine_tune: {epochs: 1, batch: 2, lr: 0.001}\n",
    )
    assert record.agrees is True, record.failures
    assert ("phantom-channel" in [hazard.code for hazard in record.hazards]) is (mask == "weights")
    assert (record.metrics.active == record.metrics.channels - 16 - 12 - 32) is (mask == "silent")


@pytest.mark.parametrize("execution", ["group", "adapter"])
def test_a_smaller_model_is_carried_out_and_proven_with_its_trained_weights(tmp_path: Path, execution: str) -> None:
    data = write_data(tmp_path / "set", train=4, val=4)
    record = record_of(
        tmp_path,
        LISTED + "    steps: [{layer: 1.0, keep: 0-15}, {layer: 4.0, keep: '0-15,32-47'}]\n"
        f"    execution: {execution}\n    data: {data}\n    fine_tune: {{epochs: 1, batch: 2, lr: 0.001}}\n",
    )
    assert (record.verdict, record.passed, record.agrees) == ("safe", True, True), record.failures
    assert (record.execution, record.steps[0].kept) == (execution, 16)
    assert record.metrics.params_after is not None
    assert record.metrics.params_after == record.metrics.predicted_params < record.metrics.params_before
    assert ("what goes is what the plan asks for" in [row.name for row in record.proof]) is (execution == "group")
    assert all(row.passed for row in record.proof)
