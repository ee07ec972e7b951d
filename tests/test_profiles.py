"""The profiles of hypothesis are those of CONTRIBUTING.md, and can be chosen."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]
PROBE = """
from hypothesis import settings

def test_profile():
    print("loaded", settings.get_current_profile_name(), settings().max_examples, settings().derandomize)
"""

DRAWING = """
import os
from hypothesis import given, strategies as st
if "MORE" in os.environ:
    import more_constants

DRAWN = []

@given(st.lists(st.floats()), st.text(), st.integers())
def test_draw(numbers, text, number):
    DRAWN.append(ascii((numbers, text, number)))

def test_profile():
    print("loaded", len(DRAWN), *DRAWN)
"""


def loaded(tmp_path: Path, *arguments: str, probe: str = PROBE, **environment: str) -> str:
    (tmp_path / "test_probe.py").write_text(probe, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-s", "-q", "-p", "no:cacheprovider", "-p", "tests.conftest"]
    done = subprocess.run(
        [*command, "-c", "/dev/null", "--rootdir", str(tmp_path), *arguments, str(tmp_path)],
        cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **environment}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    (line,) = [line for line in done.stdout.splitlines() if "loaded" in line]
    return line.partition("loaded ")[2].rstrip(".")


@pytest.mark.parametrize(
    ("arguments", "environment", "profile"),
    [
        ((), {}, "dev 25 True"),
        ((), {"CI": "true"}, "ci 50 True"),
        ((), {"CI": "true", "HYPOTHESIS_PROFILE": "nightly"}, "nightly 1000 False"),
        (("--hypothesis-profile=ci",), {"HYPOTHESIS_PROFILE": "nightly"}, "ci 50 True"),
    ],
)
def test_the_profile_is_the_one_asked_for(
    tmp_path: Path, arguments: tuple[str, ...], environment: dict[str, str], profile: str
) -> None:
    assert loaded(tmp_path, *arguments, **environment) == profile


@pytest.mark.parametrize("profile", ["dev", "ci"])
def test_what_is_drawn_depends_on_the_test_alone(tmp_path: Path, profile: str) -> None:
    """Not on the run, its hash seed, or the constants in modules that another test has imported before."""
    (tmp_path / "more_constants.py").write_text("FOUND = [3.25, 71.5, 8191, 'more', 'words']\n", encoding="utf-8")
    environment = {"PYTHONPATH": f"{ROOT}:{tmp_path}", "HYPOTHESIS_PROFILE": profile}
    one = loaded(tmp_path, probe=DRAWING, **environment, PYTHONHASHSEED="1")
    assert int(one.split()[0]) >= 25
    assert loaded(tmp_path, probe=DRAWING, **environment, PYTHONHASHSEED="2", MORE="yes") == one


def test_the_guide_names_them_with_their_examples() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| (\d+) \|", guide, re.MULTILINE))
    assert told == {name: str(settings.get_profile(name).max_examples) for name in ("dev", "ci", "nightly")}
    assert all(settings.get_profile(name).deadline is None for name in told)
