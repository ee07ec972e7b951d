from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import CommandLine
from tests.plugin.workspace import BROKEN, TWO, WRONG
from yolo_prune_check.run.events import Event, PlanTried
from yolo_prune_check.run.record import Record
from yolo_prune_check.spec import Scenario

SPECS = {"two": TWO, "wrong": WRONG, "broken": BROKEN}


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    for name, text in SPECS.items():
        (tmp_path / f"{name}.prune.yaml").write_text(textwrap.dedent(text), encoding="utf-8")
    return tmp_path


def test_a_spec_that_ends_as_expected_exits_with_0(specs: Path, command_line: CommandLine) -> None:
    before = sorted(specs.rglob("*"))
    ran = command_line("run", "two.prune.yaml")
    assert ran.code == 0
    assert "two::masked" in ran.out
    assert "2 scenarios" in ran.out
    assert "[1/2] two.prune.yaml::masked" in ran.err
    assert sorted(specs.rglob("*")) == before, "without --report-dir nothing is left"


def test_a_verdict_that_differs_exits_with_1_and_says_why(specs: Path, command_line: CommandLine) -> None:
    ran = command_line("run", "wrong.prune.yaml")
    assert ran.code == 1
    assert ran.out.startswith("the verdict is unsafe, expected safe\n")
    assert "to have 32 channels, but got 16 channels instead" in ran.out


def test_nothing_runs_while_a_spec_is_broken(specs: Path, command_line: CommandLine) -> None:
    ran = command_line("run", ".", "--report-dir", "out")
    assert ran.code == 2
    assert ran.out == ""
    assert "broken.prune.yaml:" in ran.err
    assert not (specs / "out").exists()


LATE = """
    model: yolov8n-digits
    imgsz: 64
    defaults: {steps: [{layer: 1.0, keep: 0-15}]}
    scenarios:
      - {id: good}
      - {id: late, data: late.yaml, matrix: {execution: [mask, group]}}
"""


def write_late(folder: Path, data: str) -> None:
    """A spec whose second scenario names a data set that cannot be used with its model."""
    (folder / "late.prune.yaml").write_text(textwrap.dedent(LATE).lstrip(), encoding="utf-8")
    (folder / "late.yaml").write_text(data, encoding="utf-8")
    for split in ("train", "val"):
        (folder / split).mkdir()
    (folder / "val/0.png").touch()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("train: train\nnames: [a]\n", "{data}: the data set has no entry 'val'. Name a folder of images."),
        (
            "train: [\n",
            "{data}:2:1: the data set is no valid YAML (expected the node content, but found '<stream end>').",
        ),
        (
            "train: train\nval: val\nnames: [a, b, c]\n",
            "late.yaml: 3 classes, but yolov8n-digits was trained for 10. Name the data set it was trained on.",
        ),
    ],
)
def test_nothing_runs_while_a_later_scenario_cannot_use_its_data(
    specs: Path, command_line: CommandLine, data: str, message: str
) -> None:
    write_late(specs, data)
    ran = command_line("run", "late.prune.yaml", "--report-dir", "out")
    assert (ran.code, ran.out) == (2, "")
    told = f"yolo-prune-check: late.prune.yaml:6:22: {message.format(data=specs / 'late.yaml')}"
    assert ran.err.count("yolo-prune-check:") == 1
    assert ran.err.startswith(told)
    assert not (specs / "out").exists()
    assert command_line("run", "late.prune.yaml", "--predict-only").code == 0, "predictions need no data"


def test_only_images_that_a_scenario_looks_at_must_be_there(specs: Path, command_line: CommandLine) -> None:
    write_late(specs, "train: train\nval: val\nnames: [a, b, c]\n")
    assert command_line("validate", "late.prune.yaml").code == 0
    spec = specs / "late.prune.yaml"
    trained = spec.read_text("utf-8").replace("late.yaml,", "late.yaml, fine_tune: {epochs: 1},")
    spec.write_text(trained, encoding="utf-8")
    ran = command_line("validate", "late.prune.yaml")
    place = f"late.prune.yaml:6:22: {specs / 'late.yaml'}"
    message = f"yolo-prune-check: {place}: the data set has no images for 'train': got '{specs / 'train'}'.\n"
    assert (ran.code, ran.err) == (2, message)


def test_a_report_says_which_scenario_lost_its_data(specs: Path, command_line: CommandLine) -> None:
    write_late(specs, "train: [\n")
    again = ("run", "late.prune.yaml", "--report-dir", "out")
    assert command_line(*again, "--predict-only").code == 0
    ran = command_line(*again)
    assert ran.code == 2
    assert "reports: out/index.md says that 2 scenarios could not be started" in ran.err
    index = (specs / "out/index.md").read_text("utf-8")
    assert [("not started" in row) for row in index.splitlines() if "(late.md#" in row] == [False, True, True]


def test_reports_are_written_and_named(specs: Path, command_line: CommandLine) -> None:
    ran = command_line("run", "two.prune.yaml", "--report-dir", "out", "--predict-only")
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == "reports: out/index.md"
    again = command_line("report", "out/records", "-o", "again")
    assert again.out == "reports: again/index.md\n"
    assert (specs / "again/index.md").read_text("utf-8") == (specs / "out/index.md").read_text("utf-8")


def test_json_is_one_event_a_line_and_ends_with_the_record(specs: Path, command_line: CommandLine) -> None:
    ran = command_line("run", "two.prune.yaml", "--json", "--predict-only", "--model", "yolov8s.yaml")
    events = [json.loads(line) for line in ran.out.splitlines()]
    assert [event["event"] for event in events if event["scenario"] == "two.prune.yaml::cut"] == [
        "ScenarioStarted",
        "StepStarted",
        "StepFinished",
        "ScenarioFinished",
    ]
    assert events[-1]["record"]["model"] == "yolov8s.yaml"
    assert events[-1]["record"]["verdict"] == "unsafe"


def test_a_prediction_says_where_l1_stood_in_for_what_looks_at_images(specs: Path, command_line: CommandLine) -> None:
    ways = ("criterion: taylor", "criterion: separability", "criterion: taylor, scope: global", "criterion: l2")
    (specs / "some.prune.yaml").write_text(
        "model: yolov8n-digits\ndata: digits\nimgsz: 64\nscenarios:\n"
        + "".join(f"  - {{id: s{i}, blocks: [1], layers: first, select: {{{way}}}}}\n" for i, way in enumerate(ways)),
        encoding="utf-8",
    )
    note = (
        "note: in 3 scenarios l1 stood in for separability, taylor, which look at images: a run chooses other channels"
    )
    ran = command_line("run", "some.prune.yaml", "--predict-only")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, note)
    told = command_line("run", "some.prune.yaml", "--predict-only", "--json")
    assert told.err.splitlines()[-1] == note
    steps = [event["step"] for line in told.out.splitlines() if "step" in (event := json.loads(line))]
    assert [step["selection"].get("stand_in") for step in steps] == [
        "l1, ratio 0.5",
        "l1, ratio 0.5",
        "l1 by global, ratio 0.5",
        None,
    ]


def test_a_step_whose_channels_stay_for_symmetry_says_so(specs: Path, command_line: CommandLine) -> None:
    (specs / "some.prune.yaml").write_text(
        "model: yolov8n.yaml\nimgsz: 64\nscenarios:\n  - id: a\n    execution: group\n"
        "    steps: [{layer: 1.0, keep: 0-23}, {layer: 2.0, keep: 0-15}]\n",
        encoding="utf-8",
    )
    ran = command_line("run", "some.prune.yaml", "--predict-only")
    assert ran.err.splitlines()[1:] == [
        "    step 1 of 2: model.1.conv: predicted",
        "    step 2 of 2: model.2.cv1.conv: predicted",
        "        warning: kept-for-symmetry in model.2.cv1.conv: 16 of the 16 channels that the plan removes stay for "
        "symmetry",
    ]


def test_a_report_deletes_no_page_of_another_report_below_it(specs: Path, command_line: CommandLine) -> None:
    command_line("run", "two.prune.yaml", "--report-dir", "out", "--predict-only")
    command_line("report", "out/records", "-o", "out/june")
    before = sorted((specs / "out/june").rglob("*.md"))
    assert before
    ran = command_line("run", "wrong.prune.yaml", "--report-dir", ".", "--predict-only")
    assert "removed" not in ran.out
    assert sorted((specs / "out/june").rglob("*.md")) == before
    assert (specs / "out/two.md").exists()


def test_a_report_no_longer_calls_safe_what_cannot_be_started(specs: Path, command_line: CommandLine) -> None:
    spec = specs / "two.prune.yaml"
    good = spec.read_text("utf-8")
    again = ("run", "two.prune.yaml", "--report-dir", "out", "--predict-only")
    assert command_line(*again).code == 0
    assert "safe" in row(specs, "masked")
    for wrong, message in (
        (good.replace("layer: 1.0", "layer: 77.0", 1), "block 77: the model has blocks 0-22"),
        (good.replace("steps:", "step:", 1), "unknown key `step`"),
    ):
        spec.write_text(wrong, encoding="utf-8")
        ran = command_line(*again)
        assert ran.code == 2
        assert message in ran.err
        assert "not started" in row(specs, "masked")
        assert message.replace("`", "") in row(specs, "masked").replace("`", "")
        spec.write_text(good, encoding="utf-8")
        assert command_line(*again).code == 0
        assert "not started" not in row(specs, "masked")


def test_what_could_not_be_started_is_told_with_the_rest(specs: Path, command_line: CommandLine) -> None:
    spec = specs / "two.prune.yaml"
    spec.write_text(spec.read_text("utf-8").replace("layer: 1.0", "layer: 77.0", 1), encoding="utf-8")
    ran = command_line("run", "two.prune.yaml", "--predict-only")
    assert ran.code == 2
    assert "✗   two::masked  not started" in ran.out
    assert "2 scenarios: 1 unsafe, 1 could not be started (bad input); 1 as expected, 0 not;" in ran.out
    told = command_line("run", "two.prune.yaml", "--predict-only", "--json")
    records = [event["record"] for line in told.out.splitlines() if "record" in (event := json.loads(line))]
    assert [record["verdict"] for record in records] == ["not-started", "unsafe"]


def test_ctrl_c_keeps_and_tells_what_is_finished(
    specs: Path, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    import yolo_prune_check.cli.run as module

    original = module.run_scenario
    ran: list[Scenario] = []

    def second_is_interrupted(scenario: Scenario, *, on_event: Callable[[Event], None], **known: Any) -> Record:
        ran.append(scenario)
        if len(ran) == 2:
            for index in range(18):
                on_event(PlanTried(index, 5000, "mask", "safe", True))
            raise KeyboardInterrupt
        return original(scenario, on_event=on_event, **known)

    monkeypatch.setattr(module, "run_scenario", second_is_interrupted)
    said = command_line("run", "two.prune.yaml", "wrong.prune.yaml", "--report-dir", "out", "--predict-only")
    assert said.code == 130
    assert said.out.splitlines()[-2:] == [
        "1 scenario: 1 safe; 1 as expected, 0 not; nothing was carried out",
        "reports: out/index.md",
    ]
    assert "`masked`" in (specs / "out/two.md").read_text("utf-8")
    assert said.err.splitlines()[-2:] == [
        "two.prune.yaml::cut: interrupted after 18 of 5,000 plans, all 18 as predicted",
        "interrupted: 1 of 3 scenarios finished",
    ]
    del ran[1:]
    none = command_line("run", "two.prune.yaml", "--report-dir", "none", "--predict-only")
    assert (none.code, none.out, (specs / "none").exists()) == (130, "", False)


def row(folder: Path, scenario: str) -> str:
    """The line of a scenario on the index."""
    index = (folder / "out/index.md").read_text("utf-8")
    return next(line for line in index.splitlines() if f"[`{scenario}`]" in line)


def test_an_index_somebody_else_wrote_is_refused_before_anything_runs(specs: Path, command_line: CommandLine) -> None:
    (specs / "index.md").write_text("# My project\n", encoding="utf-8")
    ran = command_line("run", "two.prune.yaml", "--report-dir", ".")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("yolo-prune-check: index.md: a page would overwrite a file that is no report of ours.")
    assert not (specs / "records").exists()


def test_what_is_kept_from_an_earlier_run_is_said_to_be(specs: Path, command_line: CommandLine) -> None:
    run = ("run", "two.prune.yaml", "--report-dir", "out", "--predict-only")
    first = command_line(*run)
    pages = {path: path.read_text("utf-8") for path in (specs / "out").rglob("*") if path.is_file()}
    again = command_line(*run)
    assert "kept from an earlier run" not in first.err
    kept = "    1 result was kept from an earlier run, as nothing has changed since (--rerun runs anew)"
    assert again.err.splitlines().count(kept) == 2
    assert (again.code, again.out) == (first.code, first.out)
    assert {path: path.read_text("utf-8") for path in pages} == pages
    events = [json.loads(line) for line in command_line(*run, "--json").out.splitlines()]
    assert [(event["event"], event["cached"]) for event in events] == [("ScenarioFinished", True)] * 2
    anew = [json.loads(line) for line in command_line(*run, "--json", "--rerun").out.splitlines()]
    assert [event.get("cached") for event in anew if event["event"] == "ScenarioFinished"] == [False, False]
    assert [event["record"] for event in events] == [event["record"] for event in anew if "record" in event]
    assert "cached" not in command_line(*run[:2], "--predict-only").out
