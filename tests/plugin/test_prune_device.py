from __future__ import annotations

import json

import pytest

from tests.gpus import no_gpu
from tests.plugin.workspace import TWO, Workspace

HINT = 'Write cpu, the number of a GPU such as 0 (or cuda:0), or several such as "0,1".'


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.parametrize(
    ("asked", "message"),
    [
        pytest.param("0", "there is no such GPU: got '0'. This machine has cpu alone.", marks=no_gpu),
        ("gpu", f"not a device: got 'gpu'. {HINT}"),
    ],
)
def test_a_device_that_is_not_there_is_one_usage_error(two: Workspace, asked: str, message: str, workers: str) -> None:
    result = two.pytest_by(workers, "--prune-device", asked, "specs")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    lines = [line for line in result.errlines + result.outlines if "ERROR" in line]
    assert lines == [f"ERROR: --prune-device: {message}"]
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


@no_gpu
def test_a_gpu_that_a_spec_names_and_that_is_not_there_fails_its_scenario_alone(workspace: Workspace) -> None:
    workspace.write("two.prune.yaml", TWO.replace("execution: mask", "device: 0"))
    result = workspace.pytest("two.prune.yaml", "-rf")
    result.assert_outcomes(failed=1, passed=1)
    message = "two.prune.yaml:7:13: device: there is no such GPU: got '0'. This machine has cpu alone."
    assert message in result.stdout.str()
    assert "Traceback" not in result.stdout.str()


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_option_comes_before_the_specs(workspace: Workspace, workers: str) -> None:
    workspace.write("two.prune.yaml", TWO.replace("scenarios:", "defaults: {device: 0}\n    scenarios:"))
    result = workspace.pytest_by(workers, "--prune-device", "cpu", "--prune-report-dir", "out", "two.prune.yaml::cut")
    result.assert_outcomes(passed=1)
    (path,) = workspace.path.glob("out/records/*/*.json")
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["device"] == "cpu"
    assert "--prune-device cpu" in record["rerun"], "the command that repeats the run repeats this run"
