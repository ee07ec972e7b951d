"""Every mistake of a user is one failing item with the message that the command line gives."""

from __future__ import annotations

from tests.cli.bad_input import CASES
from tests.plugin.workspace import Workspace


def test_each_mistake_is_one_failing_item_with_its_message(workspace: Workspace) -> None:
    for case in CASES:
        folder = workspace.path / case.name
        folder.mkdir()
        case.write(folder)
    result = workspace.pytest("-rf", *sorted(f"{case.name}/bad.prune.yaml" for case in CASES))
    result.assert_outcomes(failed=len(CASES))
    out = result.stdout.str()
    assert "Traceback" not in out
    assert "During handling" not in out
    failures, _ = out.split("short test summary info")
    for case in CASES:
        assert failures.count(case.message_at(f"{case.name}/")) == 1, case.name
        item = "spec" if case.known == "spec" else "a"
        assert f"FAILED {case.name}/bad.prune.yaml::{item}" in out
