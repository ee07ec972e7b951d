"""Scenarios of random plans as tests."""

from __future__ import annotations

from tests.plugin.workspace import Workspace

SPEC = """
    model: yolov8n-digits
    imgsz: 32
    scenarios:
      - id: any-plan
        why: Predictions hold for plans that nobody thought of.
        fuzz: {examples: 4, blocks: [1, 2], executions: [mask]}
"""
WRONG_RULE = """
    from yolo_prune_check.channels.rules import RULES

    RULES["silu"] = RULES["relu"]
"""


def test_random_plans_pass_and_are_reported(workspace: Workspace) -> None:
    workspace.write("any.prune.yaml", SPEC)
    result = workspace.pytest("any.prune.yaml", "--prune-report-dir", "out")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*any::any-plan*safe*4 of 4*4 random plans, all as predicted*"])
    page = (workspace.path / "out/any.md").read_text(encoding="utf-8")
    assert "**All 4 random plans went as predicted.**" in page
    assert not list(workspace.path.glob("out/records/**/*.prune.yaml"))


def test_collecting_draws_no_plan_and_loads_no_torch(workspace: Workspace) -> None:
    workspace.write("any.prune.yaml", SPEC)
    workspace.write(
        "conftest.py",
        """
        import sys

        def pytest_collection_finish(session):
            heavy = {"torch", "hypothesis.strategies", "yolo_prune_check.fuzz.draw"} & set(sys.modules)
            print("loaded", sorted(heavy))
        """,
    )
    result = workspace.pytest_apart("any.prune.yaml", "--collect-only", "-q", "-s", "-p", "no:hypothesispytest")
    result.stdout.fnmatch_lines(["*any.prune.yaml::any-plan*"])
    result.stdout.fnmatch_lines(["*loaded [[]*"])
    assert "torch" not in result.stdout.str()
    assert "fuzz.draw" not in result.stdout.str()


def test_a_refuted_prediction_fails_with_a_spec_beside_its_record(workspace: Workspace) -> None:
    workspace.write("any.prune.yaml", SPEC.replace("examples: 4", "examples: 8"))
    workspace.write("conftest.py", WRONG_RULE)
    result = workspace.pytest_apart("any.prune.yaml", "--prune-report-dir", "out", "-rf")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "a prediction was refuted: this is a defect of yolo-prune-check, not of your plan; please report it",
            "random plans:",
            "*The plan whose prediction was refuted, shrunk",
            "the refuted plan as a spec:",
            "*- id: counterexample",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    (folder,) = workspace.path.glob("out/records/*")
    assert sorted(path.name for path in folder.iterdir()) == ["any-plan.json", "any-plan.prune.yaml"]
    again = workspace.pytest_apart(str((folder / "any-plan.prune.yaml").relative_to(workspace.path)))
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["a prediction was refuted: this is a defect of yolo-prune-check*"])
