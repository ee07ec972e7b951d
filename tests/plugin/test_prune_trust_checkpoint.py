from __future__ import annotations

from tests.asking import NAME, write_asking
from tests.plugin.workspace import TWO, Workspace

pytest_plugins = ["pytester"]


def test_a_checkpoint_that_asks_for_code_runs_only_when_it_is_trusted(workspace: Workspace) -> None:
    workspace.write("two.prune.yaml", TWO)
    write_asking(workspace.path / "asking.pt")
    options = ("--prune-model", "asking.pt", "--prune-predict-only", "--prune-report-dir", "out", "two.prune.yaml::cut")
    refused = workspace.pytest(*options)
    refused.assert_outcomes(failed=1)
    assert f"PyTorch and Ultralytics: {NAME}. It was not loaded" in refused.stdout.str()
    workspace.pytest("--prune-trust-checkpoint", *options).assert_outcomes(passed=1)
    record = next(workspace.path.glob("out/records/*/cut.json")).read_text(encoding="utf-8")
    assert "--prune-trust-checkpoint" in record, "the command that repeats the run repeats this run"
