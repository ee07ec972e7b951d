from __future__ import annotations

from xml.etree import ElementTree

from tests.plugin.workspace import TWO, WRONG, Workspace, records_named


def test_junit_xml_holds_every_scenario_with_its_verdict(workspace: Workspace) -> None:
    workspace.write("specs/two.prune.yaml", TWO)
    workspace.write("specs/wrong.prune.yaml", WRONG)
    workspace.pytest("--prune-predict-only", "--junitxml", "junit.xml", "specs").assert_outcomes(passed=2, failed=1)
    cases = ElementTree.parse(workspace.path / "junit.xml").getroot().findall(".//testcase")
    verdicts = {
        case.attrib["name"]: {item.attrib["name"]: item.attrib["value"] for item in case.iter("property")}.get(
            "prune_verdict"
        )
        for case in cases
    }
    assert verdicts == {"masked": "safe", "cut": "unsafe", "hopeful": "unsafe"}
    assert "prune_record" not in (workspace.path / "junit.xml").read_text("utf-8"), "the records are gone"
    (failure,) = [found for case in cases if (found := case.find("failure")) is not None]
    assert failure.attrib["message"].startswith("Failed: the verdict is unsafe, expected safe")
    assert "resolved plan:" in str(failure.text)


def test_junit_xml_names_the_records_that_are_kept(two: Workspace) -> None:
    """So it does with workers: test_prune_report_dir.py."""
    two.pytest("--prune-predict-only", "--prune-report-dir", "out", "--junitxml", "junit.xml", "specs")
    records = records_named(two.path / "junit.xml")
    assert {(two.path / name).name for name in records} == {"cut.json", "masked.json"}
    assert all((two.path / name).is_file() for name in records)
