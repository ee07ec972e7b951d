"""What cannot be traced is refused in words that say what to do."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.errors import UserError


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("how", ["script", "trace"])
def test_torchscript_is_refused(how: str, whole: bool) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    made = torch.jit.script(network) if how == "script" else torch.jit.trace(network, torch.zeros(1, 3, 8, 8))
    model = made if whole else nn.Sequential(nn.Identity(), made)
    with pytest.raises(UserError, match=r"compiled to TorchScript .* as it was before torch\.jit\.script") as error:
        ChannelGraph.trace(model, imgsz=32)
    assert ("Module 1'" in str(error.value)) is not whole


@pytest.mark.parametrize(
    ("last", "named"), [(nn.LazyLinear(5), "1.weight"), (nn.LazyConv2d(5, 1), "1.weight"), (nn.LazyBatchNorm2d(), "1.")]
)
def test_lazy_layers_are_refused_until_they_know_their_widths(last: nn.Module, named: str) -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 1), last)
    with pytest.raises(UserError, match=f"do not know their widths yet .* got '{named}.*Run it once on an image"):
        ChannelGraph.trace(model, imgsz=8)
    model.eval()(torch.zeros(1, 3, 8, 8))
    assert ChannelGraph.trace(model, imgsz=8).layers
