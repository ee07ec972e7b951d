from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.plugin.workspace import ROOT, TWO, Workspace


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTEST_DEBUG_TEMPROOT", str(tmp_path_factory.mktemp("temp")))  # of the runs that are tested
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("YOLO_VERBOSE", raising=False)
    return Workspace(tmp_path)


@pytest.fixture
def two(workspace: Workspace) -> Workspace:
    """One spec with two scenarios that both end as expected."""
    workspace.write("specs/two.prune.yaml", TWO)
    return workspace
