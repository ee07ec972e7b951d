"""What a failing item says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.plugin.workspace import WRONG, Workspace


def test_a_wrong_verdict_shows_source_plan_comparison_and_reason(workspace: Workspace) -> None:
    workspace.write("wrong.prune.yaml", WRONG)
    result = workspace.pytest("wrong.prune.yaml", "-rf")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "the verdict is unsafe, expected safe",
            "source:",
            "*- id: hopeful*",
            "*execution: local*",
            "resolved plan:",
            "*model.1.conv*1.0*16/32*",
            "predicted and observed:",
            "*breaks in model.2.cv1.conv*breaks in model.2.cv1.conv*",
            "*expected input?1, 16, 16, 16? to have 32 channels, but got 16 channels instead*",
            "reasons:",
            "*verdict *unsafe*expected *safe*",
            "run it again:",
            '*pytest "wrong.prune.yaml::hopeful"',
            "FAILED wrong.prune.yaml::hopeful - Failed: the verdict is unsafe, expected safe",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    assert ".py:" not in result.stdout.str()


def test_what_does_not_fit_fails_with_its_reason_and_what_is_adapted_passes(workspace: Workspace) -> None:
    workspace.write("far.prune.yaml", WRONG.replace("layer: 1.0", "layer: 99.0"))
    workspace.write("adapted.prune.yaml", WRONG.replace("local", "adapter"))
    result = workspace.pytest("-rf", "far.prune.yaml", "adapted.prune.yaml")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        ["far.prune.yaml:6:21: *block 99*", "*- id: hopeful*", "FAILED far.prune.yaml::hopeful - *"]
    )
    assert "Traceback" not in result.stdout.str()


def test_a_refuted_prediction_is_called_a_defect_of_this_tool(tmp_path: Path) -> None:
    from yolo_prune_check.plugin.store import run_scenario
    from yolo_prune_check.plugin.text import failure_text
    from yolo_prune_check.progress import progress
    from yolo_prune_check.spec import load_spec

    spec = tmp_path / "wrong.prune.yaml"
    spec.write_text(WRONG, encoding="utf-8")
    (scenario,) = load_spec(spec).scenarios
    record = run_scenario(scenario, work_dir=tmp_path, progress=progress(quiet=True))
    refuted = dataclasses.replace(record, agrees=False, failures=("step 1: predicted x, observed y",))
    assert failure_text(record, scenario).startswith("the verdict is unsafe, expected safe\n")
    text = failure_text(refuted, scenario)
    assert text.startswith("a prediction was refuted: this is a defect of yolo-prune-check, not of your plan;")
    assert "step 1: predicted x, observed y" in text


def test_a_defect_while_running_keeps_its_traceback(workspace: Workspace) -> None:
    workspace.write("wrong.prune.yaml", WRONG)
    workspace.write(
        "conftest.py",
        """
        import yolo_prune_check.plugin.items as items

        def bang(*args, **kwargs):
            raise ZeroDivisionError("a defect")

        items.run_scenario = bang
        """,
    )
    result = workspace.pytest_apart("wrong.prune.yaml")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*def bang(*", "*ZeroDivisionError: a defect*"])


@pytest.mark.parametrize(("arguments", "shown"), [((), False), (("-s",), True)])
def test_progress_is_shown_only_where_it_can_be_read(
    workspace: Workspace, arguments: tuple[str, ...], shown: bool
) -> None:
    workspace.write("wrong.prune.yaml", WRONG)
    workspace.write(
        "conftest.py",
        """
        import yolo_prune_check.plugin.items as items

        def talk(*args, progress, **kwargs):
            with progress.task("collecting activations", total=3) as advance:
                advance(3)
            raise ZeroDivisionError

        items.run_scenario = talk
        """,
    )
    result = workspace.pytest_apart("wrong.prune.yaml", *arguments)
    assert ("collecting activations: 3 of 3" in result.stderr.str()) is shown
    assert "Captured stderr" not in result.stdout.str()
