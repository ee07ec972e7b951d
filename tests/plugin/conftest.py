from __future__ import annotations

import os

import pytest

from tests.plugin.workspace import ROOT, TWO, Workspace


@pytest.fixture
def workspace(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Workspace:
    # pytester moves HOME into the folder, and with it the user's cache
    monkeypatch.setenv("YOLO_PRUNE_CHECK_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("YOLO_VERBOSE", raising=False)
    return Workspace(pytester)


@pytest.fixture
def two(workspace: Workspace) -> Workspace:
    """One spec with two scenarios that both end as expected."""
    workspace.write("specs/two.prune.yaml", TWO)
    return workspace
