from __future__ import annotations

import pytest

from tests.plugin.workspace import BROKEN, TWO, Workspace

MATRIX = """
    model: yolov8n.yaml
    scenarios:
      - id: both
        blocks: [1]
        layers: first
        select: {criterion: l1, ratio: 0.5}
        matrix: {execution: [mask, local], order: [front-to-back, back-to-front]}
"""


def node_ids(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if "::" in line]


def test_scenarios_below_a_folder_are_items_named_by_spec_and_id(workspace: Workspace) -> None:
    workspace.write("specs/two.prune.yaml", TWO)
    workspace.write("specs/deep/er/matrix.prune.yaml", MATRIX)
    workspace.write("specs/other.yaml", "not: a spec")
    result = workspace.pytest("--co", "-q", "specs")
    assert result.ret == 0
    assert node_ids(result) == [
        "specs/deep/er/matrix.prune.yaml::both[mask,front-to-back]",
        "specs/deep/er/matrix.prune.yaml::both[mask,back-to-front]",
        "specs/deep/er/matrix.prune.yaml::both[local,front-to-back]",
        "specs/deep/er/matrix.prune.yaml::both[local,back-to-front]",
        "specs/two.prune.yaml::masked",
        "specs/two.prune.yaml::cut",
    ]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("specs/two.prune.yaml::cut", ["specs/two.prune.yaml::cut"]),
        ("specs/m.prune.yaml::both[mask,front-to-back]", ["specs/m.prune.yaml::both[mask,front-to-back]"]),
        ("specs/m.prune.yaml", 4),
        ("specs/m.prune.yaml::both", 4),
    ],
)
def test_a_node_id_selects_a_scenario(workspace: Workspace, asked: str, found: list[str] | int) -> None:
    workspace.write("specs/two.prune.yaml", TWO)
    workspace.write("specs/m.prune.yaml", MATRIX)
    ids = node_ids(workspace.pytest("--co", "-q", asked))
    assert (len(ids) if isinstance(found, int) else ids) == found


def test_collecting_imports_no_torch(two: Workspace) -> None:
    two.write(
        "conftest.py",
        """
        import sys

        def pytest_collection_finish(session):
            heavy = {"torch", "ultralytics", "matplotlib", "sklearn"} & set(sys.modules)
            print("heavy:", sorted(heavy), "items:", len(session.items))
        """,
    )
    result = two.pytest_apart("--co", "-q", "-s", "specs")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["heavy: [[]] items: 2"])


def test_pytest_without_specs_imports_nothing_of_the_reader(workspace: Workspace) -> None:
    workspace.write(
        "test_other.py",
        """
        import sys

        def test_other():
            assert "yolo_prune_check.pytest_plugin" in sys.modules
            assert not {"torch", "pydantic", "ruamel.yaml", "yolo_prune_check.report"} & set(sys.modules)
        """,
    )
    result = workspace.pytest_apart("-q")
    result.assert_outcomes(passed=1)
    assert "pruning verdicts" not in result.stdout.str()


def test_a_broken_spec_is_one_failing_item_and_the_others_run(workspace: Workspace) -> None:
    workspace.write("specs/bad.prune.yaml", BROKEN)
    workspace.write("specs/two.prune.yaml", TWO)
    result = workspace.pytest("--prune-predict-only", "specs", "-rfE")
    result.assert_outcomes(passed=2, failed=1)
    message = "specs/bad.prune.yaml:4:5: unknown key `step`*"
    result.stdout.fnmatch_lines([message, f"FAILED specs/bad.prune.yaml::spec - Failed: {message}"])
    assert "Traceback" not in result.stdout.str()
    assert "items.py" not in result.stdout.str()


def test_a_scenario_of_a_broken_spec_fails_with_the_reason(workspace: Workspace) -> None:
    workspace.write("bad.prune.yaml", BROKEN)
    result = workspace.pytest("bad.prune.yaml::some[mask]", "-rf")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["FAILED bad.prune.yaml::some[[]mask[]] - Failed: bad.prune.yaml:4:5: unknown key `step`*"]
    )


def test_a_defect_of_the_reader_keeps_its_traceback(two: Workspace) -> None:
    two.write(
        "conftest.py",
        """
        import yolo_prune_check.plugin.items as items

        def bang(path):
            raise ZeroDivisionError("a defect")

        items.load_spec = bang
        """,
    )
    result = two.pytest_apart("specs")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*def bang(path):*", "*ZeroDivisionError: a defect*"])
