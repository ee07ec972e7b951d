from __future__ import annotations

from xml.etree import ElementTree

from tests.plugin.workspace import TWO, WRONG, Workspace

pytest_plugins = ["pytester"]


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
    (failure,) = [found for case in cases if (found := case.find("failure")) is not None]
    assert failure.attrib["message"].startswith("Failed: the predicted verdict is unsafe, expected safe")
    assert "resolved plan:" in str(failure.text)
