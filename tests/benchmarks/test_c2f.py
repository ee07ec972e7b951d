"""Replacing every C2f, as Torch-Pruning needs it, changes no number."""

from __future__ import annotations

import pytest
import torch

from benchmarks.c2f import TwoConvC2f, replace_c2f
from benchmarks.zoo import build, randomise_norms


@pytest.mark.parametrize(("name", "count"), [("yolov8n.yaml", 8), ("yolov10n.yaml", 8), ("yolo11n.yaml", 8)])
def test_a_model_with_every_c2f_replaced_computes_the_same(name: str, count: int) -> None:
    model = build(name)
    randomise_norms(model, 0)
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = model(image)[0]
        assert replace_c2f(model) == count
        after = model(image)[0]
    assert sum(isinstance(module, TwoConvC2f) for module in model.modules()) == count
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-3)
