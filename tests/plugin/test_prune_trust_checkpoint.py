from __future__ import annotations

from tests.asking import write_asking
from tests.plugin.workspace import TWO, Workspace


def test_a_checkpoint_that_asks_for_code_runs_when_it_is_trusted(workspace: Workspace) -> None:
    """That it does not otherwise is seen faster on the command line (tests/cli/test_trust_checkpoint.py)."""
    workspace.write("two.prune.yaml", TWO)
    write_asking(workspace.path / "asking.pt")
    options = ("--prune-model", "asking.pt", "--prune-predict-only", "--prune-report-dir", "out", "two.prune.yaml::cut")
    workspace.pytest("--prune-trust-checkpoint", *options).assert_outcomes(passed=1)
    record = next(workspace.path.glob("out/records/*/cut.json")).read_text(encoding="utf-8")
    assert "--prune-trust-checkpoint" in record, "the command that repeats the run repeats this run"
