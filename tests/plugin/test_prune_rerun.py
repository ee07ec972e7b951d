from __future__ import annotations

from tests.plugin.workspace import Workspace
from yolo_prune_check.plugin.names import WORK_DIR
from yolo_prune_check.plugin.store import run_scenario
from yolo_prune_check.progress import progress
from yolo_prune_check.report import save_records
from yolo_prune_check.spec import load_spec

ONE = """
    model: yolov8n.yaml
    imgsz: 32
    scenarios:
      - id: hopeful
        steps: [{layer: 1.0, keep: 0-15}]
        execution: local
"""
KEPT = "1 result was kept from an earlier run, as nothing has changed since (--prune-rerun runs anew)"


def test_kept_results_are_given_again_unless_told_otherwise(workspace: Workspace) -> None:
    spec = workspace.write("specs/one.prune.yaml", ONE)
    (scenario,) = load_spec(spec.relative_to(workspace.path)).scenarios  # the current one
    record = run_scenario(scenario, work_dir=WORK_DIR, progress=progress(quiet=True))
    (before,) = save_records([record], workspace.path / "before")
    after = workspace.path / "out/records/one/hopeful.json"
    arguments = ("--prune-report-dir", "out", "specs")
    kept = workspace.pytest("--junitxml", "junit.xml", *arguments)
    kept.assert_outcomes(failed=1)
    kept.stdout.fnmatch_lines(["the verdict is unsafe, expected safe", "*pruning verdicts*", KEPT.replace("[", "[[]")])
    assert after.read_text("utf-8") == before.read_text("utf-8")
    assert '<property name="prune_cached" value="true"' in (workspace.path / "junit.xml").read_text("utf-8")
    anew = workspace.pytest("--prune-rerun", *arguments)
    anew.assert_outcomes(failed=1)
    anew.stdout.no_fnmatch_line("*kept from an earlier run*")
    assert after.read_text("utf-8") == before.read_text("utf-8")
