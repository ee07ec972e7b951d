from __future__ import annotations

import json

import pytest

from tests.plugin.workspace import TWO, Workspace


def test_the_scenarios_run_on_the_other_model(workspace: Workspace) -> None:
    workspace.write("two.prune.yaml", TWO)
    result = workspace.pytest(
        "--prune-model", "yolov8s.yaml", "--prune-predict-only", "--prune-report-dir", "out", "two.prune.yaml::cut"
    )
    result.assert_outcomes(passed=1)
    record = json.loads(next(workspace.path.glob("out/records/*/cut.json")).read_text(encoding="utf-8"))
    assert record["model"] == "yolov8s.yaml"
    assert record["steps"][0]["channels"] == 64, "twice those of the model in the spec"
    assert "--prune-model yolov8s.yaml" in record["rerun"]


@pytest.mark.parametrize("model", ["nowhere.pt", "models/nowhere.yaml"])
@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_model_that_is_not_there_is_one_usage_error(two: Workspace, model: str, workers: str) -> None:
    result = two.pytest_by(workers, "--prune-model", model, "specs")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    what = "no such checkpoint" if model.endswith(".pt") else "no such model file"
    lines = [line for line in result.errlines + result.outlines if "ERROR" in line]
    hint = "Paths are relative to the working directory; nothing is downloaded."
    assert lines == [f"ERROR: --prune-model: {what}: got '{model}'. {hint}"]
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


def test_a_model_that_is_not_known_fails_every_scenario_with_one_message(two: Workspace) -> None:
    result = two.pytest("--prune-model", "nowhere.yaml", "specs", "-rf")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["FAILED specs/two.prune.yaml::cut - Failed: *nowhere.yaml*"])
    assert "Traceback" not in result.stdout.str()
