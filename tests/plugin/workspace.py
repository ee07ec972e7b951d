"""Specs in a temporary folder, and pytest run on them in a process of its own."""

from __future__ import annotations

import textwrap
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = "yolo_prune_check.pytest_plugin"


class Workspace:
    """Specs in a temporary folder."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester
        self.path = pytester.path

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return path

    def pytest(self, *args: str) -> pytest.RunResult:
        """Run pytest in the folder; in a process of its own, because torch must not be imported twice in one."""
        return self._pytester.runpytest_subprocess(*_plugin_arguments(), *args, timeout=300)

    def files(self) -> set[str]:
        """All files, without what pytest and pytester keep."""
        found = {path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if path.is_file()}
        kept = (".pytest_cache/", "runpytest-", "stdout", "stderr")
        return {name for name in found if not name.startswith(kept)}


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
