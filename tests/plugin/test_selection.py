"""pytest's own ways to choose tests: -k, -m, --lf."""

from __future__ import annotations

from tests.plugin.workspace import TWO, WRONG, Workspace


def test_k_selects_by_id(two: Workspace) -> None:
    result = two.pytest("--co", "-q", "-k", "mask", "specs")
    result.stdout.fnmatch_lines(["specs/two.prune.yaml::masked", "*1/2 tests collected (1 deselected)*"])


def test_m_selects_by_tag(two: Workspace) -> None:
    result = two.pytest("--co", "-q", "-m", "quick_one", "specs")
    result.stdout.fnmatch_lines(["specs/two.prune.yaml::masked", "*1/2 tests collected (1 deselected)*"])


def test_tags_are_known_marks(two: Workspace) -> None:
    result = two.pytest("--co", "-q", "--strict-markers", "-W", "error", "specs")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*2 tests collected*"])


MATRIX = """
    model: yolov8n.yaml
    imgsz: 64
    scenarios:
      - id: hopeful
        steps: [{layer: 1.0, keep: 0-15}]
        matrix: {execution: [mask, local], seed: [0, 1]}
"""


def test_lf_runs_what_failed_of_a_matrix(workspace: Workspace) -> None:
    workspace.write("specs/matrix.prune.yaml", MATRIX)
    workspace.write("specs/two.prune.yaml", TWO)
    workspace.pytest("--prune-predict-only", "specs").assert_outcomes(passed=4, failed=2)
    result = workspace.pytest("--co", "-q", "--lf", "specs")
    ids = [line for line in result.outlines if "::" in line]
    assert ids == ["specs/matrix.prune.yaml::hopeful[local,0]", "specs/matrix.prune.yaml::hopeful[local,1]"]


def test_lf_runs_what_failed(workspace: Workspace) -> None:
    workspace.write("specs/two.prune.yaml", TWO)
    workspace.write("specs/wrong.prune.yaml", WRONG)
    workspace.pytest("--prune-predict-only", "specs").assert_outcomes(passed=2, failed=1)
    result = workspace.pytest("--co", "-q", "--lf", "specs")
    ids = [line for line in result.outlines if "::" in line]
    assert ids == ["specs/wrong.prune.yaml::hopeful"]
