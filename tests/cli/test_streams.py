"""Output that cannot be written as it is, or at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

ROOT = Path(__file__).parents[2]
CODE = "from yolo_prune_check.cli import main; main()"
PREDICT = ("predict", "yolov8n.yaml", "--step", "1.0=0-15", "--execution", "local")


def run(
    *arguments: str, stdout: int | IO[str] = subprocess.PIPE, stderr: int | IO[str] = subprocess.PIPE, **variables: str
) -> subprocess.CompletedProcess[bytes]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **variables}
    return subprocess.run([sys.executable, "-c", CODE, *arguments], stdout=stdout, stderr=stderr, env=environment)


@pytest.mark.parametrize(
    "variables",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "ascii:strict"},
    ],
    ids=["C", "latin-1", "strict"],
)
def test_letters_that_the_output_has_not_are_spelled(variables: dict[str, str]) -> None:
    ran = run(*PREDICT, **variables)
    assert (ran.returncode, ran.stderr) == (1, b"")
    assert b"how it gets there: model.1.conv -> model.2.cv1.conv" in ran.stdout
    assert b"32 -> 16" in ran.stdout


def test_json_says_the_same_in_any_encoding(tmp_path: Path) -> None:
    spec = tmp_path / "→.prune.yaml"
    spec.touch()
    ran = [run("validate", "--json", str(tmp_path), PYTHONIOENCODING=name) for name in ("ascii", "utf-8")]
    narrow, wide = (json.loads(each.stdout) for each in ran)
    assert narrow == wide
    assert narrow["errors"][0]["spec"] == str(spec)


def test_a_message_is_spelled_too(tmp_path: Path) -> None:
    spec = tmp_path / "a.prune.yaml"
    spec.write_text(f"include: {spec.name}\n", encoding="utf-8")
    ran = run("validate", str(spec), PYTHONIOENCODING="ascii:strict")
    assert ran.returncode == 2
    assert f"include cycle: {spec} -> {spec}".encode() in ran.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("command", ["schema", "--help"])
def test_a_full_disk_is_told_in_one_message(command: str) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        ran = run(command, stdout=full)
    assert ran.returncode == 2
    assert ran.stderr == b"yolo-prune-check: the output cannot be written (No space left on device).\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_message_that_cannot_be_written_changes_no_exit_code() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        assert run("validate", "gone.prune.yaml", stderr=full).returncode == 2


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("command", [("schema",), ("--help",), ("validate", "gone.prune.yaml")])
def test_nobody_reading_ends_it_silently(command: tuple[str, ...], both: bool) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ran = run(*command, stdout=writing, stderr=subprocess.STDOUT if both else subprocess.PIPE)
    finally:
        os.close(writing)
    if command[0] == "validate":
        assert ran.returncode == (141 if both else 2)  # it has nothing to print but a message
    else:
        assert (ran.returncode, ran.stderr) == (141, None if both else b"")
