"""A saved model is what Ultralytics takes it for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch import nn

from tests.train.tasks import MODELS, build
from yolo_prune_check.model.checkpoint import read_checkpoint
from yolo_prune_check.run.checkpoint import save_checkpoint


@pytest.mark.parametrize("task", MODELS)
def test_ultralytics_knows_the_task_of_a_saved_model(task: str, tmp_path: Path) -> None:
    model = build(task)
    save_checkpoint(model, tmp_path / "model.pt")
    from ultralytics.models import YOLO

    loaded: Any = YOLO(tmp_path / "model.pt")
    assert (loaded.task, type(loaded.model)) == (task, type(model))


def test_a_module_without_a_task_is_saved_all_the_same(tmp_path: Path) -> None:
    save_checkpoint(nn.Sequential(nn.Conv2d(3, 4, 1)), tmp_path / "model.pt")
    assert isinstance(read_checkpoint(tmp_path / "model.pt"), nn.Sequential)
