"""The shipped detector and its data."""

from __future__ import annotations

import copy

import pytest
from torch import nn

from yolo_prune_check.model.load import load_model


@pytest.fixture(scope="session")
def _detector() -> nn.Module:
    return load_model("yolov8n-digits")


@pytest.fixture
def detector(_detector: nn.Module) -> nn.Module:
    """The shipped detector; a copy of one's own."""
    return copy.deepcopy(_detector)
