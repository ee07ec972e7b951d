"""The tiny data set and a network for it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.train.tiny import write_data
from yolo_prune_check.data import shipped_model


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_data(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="session")
def fresh_data(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """A set of one's own, for tests that look at its folder."""
    return lambda: write_data(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="session")
def _network() -> Any:
    from yolo_prune_check.model.quiet import prepare_ultralytics

    prepare_ultralytics()
    from ultralytics.nn.tasks import DetectionModel

    with torch.random.fork_rng():
        torch.manual_seed(3)
        build: Any = DetectionModel
        model = build("yolov8n.yaml", nc=2, verbose=False)
    generator = torch.Generator().manual_seed(5)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            # With the fresh values (bias and mean 0) a masked filter would be silent by accident.
            module.bias.data = 0.2 * torch.rand(module.bias.shape, generator=generator)
            module.running_mean = 0.1 * torch.rand(module.bias.shape, generator=generator)
    return model.eval()


@pytest.fixture
def network(_network: Any) -> Any:
    """YOLOv8n for two classes; a copy of one's own."""
    return copy.deepcopy(_network)


@pytest.fixture(scope="session")
def _digits_model() -> Any:
    from yolo_prune_check.model.quiet import prepare_ultralytics

    prepare_ultralytics()
    # Our own file, shipped with the package.
    return torch.load(shipped_model("yolov8n-digits"), weights_only=False)["model"].float().eval()


@pytest.fixture
def digits_model(_digits_model: Any) -> Any:
    """The shipped detector; a copy of one's own."""
    return copy.deepcopy(_digits_model)
