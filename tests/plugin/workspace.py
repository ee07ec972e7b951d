"""Specs in a temporary folder, and pytest run on them."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from contextlib import redirect_stderr, redirect_stdout
from importlib.metadata import entry_points
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = "yolo_prune_check.pytest_plugin"


class Workspace:
    """Specs in the current folder, a temporary one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return path

    def pytest(self, *args: str) -> pytest.RunResult:
        """Run pytest in the folder, in this process, which need not import torch again: that alone takes seconds.

        Not by pytest's `pytester`, which forgets the modules that were imported meanwhile: torch cannot be imported
        twice.
        """
        out, err, begin = StringIO(), StringIO(), time.perf_counter()
        places, finders = sys.path[:], sys.meta_path[:]
        try:
            with redirect_stdout(out), redirect_stderr(err):
                code = pytest.main([*_plugin_arguments(), *args])
        finally:
            sys.path[:], sys.meta_path[:] = places, finders
        return _result(code, out.getvalue(), err.getvalue(), begin)

    def pytest_apart(self, *args: str) -> pytest.RunResult:
        """The same in a process of its own.

        For what depends on what is imported, for workers, and for a `conftest.py`, which would change this process.
        """
        begin, command = time.perf_counter(), [sys.executable, "-m", "pytest", *_plugin_arguments(), *args]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        return _result(done.returncode, done.stdout, done.stderr, begin)

    def pytest_by(self, workers: str, *args: str) -> pytest.RunResult:
        """By this process, for `0`; else by so many workers, of a process of its own."""
        run = self.pytest if workers == "0" else self.pytest_apart
        return run("-n", workers, *args)

    def files(self) -> set[str]:
        """All files, without what pytest keeps."""
        found = {path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if path.is_file()}
        return {name for name in found if not name.startswith(".pytest_cache/")}


def records_named(junit: Path) -> set[str]:
    """The records that a JUnit file names."""
    properties = ElementTree.parse(junit).getroot().iter("property")
    return {each.attrib["value"] for each in properties if each.attrib["name"] == "prune_record"}


def _result(code: int, out: str, err: str, begin: float) -> pytest.RunResult:
    return pytest.RunResult(code, out.splitlines(), err.splitlines(), time.perf_counter() - begin)


def _plugin_arguments() -> list[str]:
    installed = any(point.value == PLUGIN for point in entry_points(group="pytest11"))
    return [] if installed else ["-p", PLUGIN]


TWO = """
    model: yolov8n.yaml
    imgsz: 64
    scenarios:
      - id: masked
        why: A masked channel keeps its place.
        steps: [{layer: 1.0, keep: 0-15}]
        execution: mask
        tags: [quick-one]
      - id: cut
        why: A removed channel is missed by the next layer.
        steps: [{layer: 1.0, keep: 0-15}]
        execution: local
        expect: {verdict: unsafe}
"""

WRONG = """
    model: yolov8n.yaml
    imgsz: 64
    scenarios:
      - id: hopeful
        why: The author believes that block 1 is safe to cut.
        steps: [{layer: 1.0, keep: 0-15}]
        execution: local
"""

BROKEN = """
    model: yolov8n.yaml
    scenarios:
      - id: a
        step: [{layer: 1.0, keep: 0-15}]
        layers: [1.0]
"""
