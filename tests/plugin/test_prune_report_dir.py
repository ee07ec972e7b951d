from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugin.workspace import TWO, WRONG, Workspace, records_named


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("workers", ["0", "2"])
def test_without_it_no_file_is_left(two: Workspace, workers: str) -> None:
    before = two.files()
    result = two.pytest_by(workers, "--prune-predict-only", "specs")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*pruning verdicts*", "*two::cut*unsafe*", "*two::masked*safe*", "2 scenarios:*"])
    assert "reports:" not in result.stdout.str()
    assert two.files() == before


def test_two_workers_write_the_same_records_and_pages_as_one_process(workspace: Workspace) -> None:
    workspace.write("specs/two.prune.yaml", TWO)
    workspace.write("specs/wrong.prune.yaml", WRONG)
    alone = workspace.pytest("--prune-report-dir", "alone", "specs")
    shared = workspace.pytest_by("2", "--prune-report-dir", "shared", "--junitxml", "junit.xml", "specs")
    for result, out in ((alone, "alone"), (shared, "shared")):
        result.assert_outcomes(passed=2, failed=1)
        result.stdout.fnmatch_lines(
            [
                "the verdict is unsafe, expected safe",
                "*pruning verdicts*",
                "*two::cut*unsafe*",
                "*two::masked*safe*",
                "*wrong::hopeful*unsafe*",
                f"reports: {out}/index.md",
            ]
        )
    written = contents(workspace.path / "alone")
    assert contents(workspace.path / "shared") == written
    named = {
        (workspace.path / name).relative_to(workspace.path).as_posix()
        for name in records_named(workspace.path / "junit.xml")
    }
    assert named == {f"shared/{name}" for name in written if name.startswith("records/")}
    assert {
        "index.md",
        "two.md",
        "wrong.md",
        "records/two/cut.json",
        "records/two/masked.json",
        "records/wrong/hopeful.json",
    } <= set(written)


def test_a_partial_run_keeps_the_rest_and_drops_what_is_no_longer_declared(workspace: Workspace) -> None:
    workspace.write("specs/two.prune.yaml", TWO)
    workspace.write("specs/wrong.prune.yaml", WRONG)
    workspace.pytest("--prune-predict-only", "--prune-report-dir", "out", "specs")
    workspace.write("specs/two.prune.yaml", TWO.replace("id: masked", "id: renamed"))
    workspace.pytest("--prune-predict-only", "--prune-report-dir", "out", "specs/two.prune.yaml::renamed")
    records = {name for name in contents(workspace.path / "out") if name.startswith("records/")}
    assert records == {"records/two/cut.json", "records/two/renamed.json", "records/wrong/hopeful.json"}
    index = (workspace.path / "out/index.md").read_text("utf-8")
    assert "`renamed`" in index
    assert "`masked`" not in index


def test_what_is_removed_is_said(workspace: Workspace) -> None:
    workspace.write("specs/two.prune.yaml", TWO)
    lost = workspace.write("specs/wrong.prune.yaml", WRONG)
    workspace.pytest("--prune-predict-only", "--prune-report-dir", "out", "specs")
    lost.unlink()
    result = workspace.pytest("--prune-predict-only", "--prune-report-dir", "out", "specs")
    result.stdout.fnmatch_lines(["removed from the reports, *: specs/wrong.prune.yaml::hopeful"])
    assert not (workspace.path / "out/records/wrong").exists()


@pytest.mark.parametrize("out", ["some-file", "some-file/below"])
def test_a_folder_that_cannot_be_is_one_usage_error(two: Workspace, out: str) -> None:
    two.write("some-file", "")
    result = two.pytest("--prune-report-dir", out, "specs")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --prune-report-dir: {out}: cannot write reports there (Not a directory).*"])
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


def test_collecting_only_leaves_reports_alone(two: Workspace) -> None:
    two.pytest("--co", "--prune-report-dir", "out", "specs")
    assert not (two.path / "out").exists()


def test_a_record_that_cannot_be_read_is_named_and_fails_the_run(two: Workspace) -> None:
    two.write("out/records/old/x.json", "{")
    result = two.pytest("--prune-predict-only", "--prune-report-dir", "out", "specs")
    assert result.ret != 0
    result.stdout.fnmatch_lines(["no report was written: out/records/old/x.json: cannot read the record*"])


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_report_no_longer_calls_safe_what_cannot_be_started(two: Workspace, workers: str) -> None:
    again = ("--prune-predict-only", "--prune-report-dir", "out", "specs")
    two.write("specs/also.prune.yaml", TWO)
    two.pytest(*again)
    assert "| safe " in (two.path / "out/index.md").read_text("utf-8").partition("## All scenarios")[2]
    two.write("specs/two.prune.yaml", TWO.replace("layer: 1.0", "layer: 77.0"))
    two.write("specs/also.prune.yaml", TWO.replace("steps:", "step:"))
    result = two.pytest_by(workers, *again)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    for name in ("also", "two"):
        result.stdout.fnmatch_lines([f"✗*{name}::masked*not started*"])
    result.stdout.fnmatch_lines(["4 scenarios: 4 could not be started (bad input);*"])
    index = (two.path / "out/index.md").read_text("utf-8")
    assert "None of the 4 scenarios could be started" in index
    assert "| safe " not in index.partition("## All scenarios")[2]
