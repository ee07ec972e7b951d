from __future__ import annotations

from tests.plugin.workspace import TWO, Workspace

WITH_TRAINING = """
    model: yolov8n.yaml
    data: no-such-data.yaml
    imgsz: 64
    scenarios:
      - id: trained
        blocks: [1]
        layers: first
        select: {criterion: separability}
        fine_tune: {epochs: 100}
"""


def test_plans_are_predicted_and_nothing_is_carried_out(workspace: Workspace) -> None:
    workspace.write("specs/two.prune.yaml", TWO)
    workspace.write("specs/trained.prune.yaml", WITH_TRAINING)  # it could neither collect activations nor train
    result = workspace.pytest("--prune-predict-only", "--prune-report-dir", "out", "specs")
    result.assert_outcomes(passed=3)
    record = (workspace.path / "out/records/two/cut.json").read_text(encoding="utf-8")
    assert '"predicted": "' in record
    assert '"observed": ""' in record
    assert "--prune-predict-only" in record, "the command that repeats the run repeats this run"
    assert not [name for name in workspace.files() if name.endswith(".pt")]


def test_without_it_the_same_spec_needs_its_data(workspace: Workspace) -> None:
    workspace.write("specs/trained.prune.yaml", WITH_TRAINING)
    result = workspace.pytest("specs", "-rf")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["FAILED specs/trained.prune.yaml::trained - Failed: *no such data set*"])
