"""DESIGN's measured facts about YOLOv8's blocks, and what holds for every stock model."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.blocks import IMAGE, blocks_of
from yolo_prune_check.model.layers import layers_of
from yolo_prune_check.model.load import load_model

FAMILIES = [
    "yolov3-tiny",
    "yolov5n",
    "yolov6n",
    "yolov8n-p2",
    "yolov8n-ghost",
    "yolov9t",
    "yolov10n",
    "yolo11n",
    "yolo12n",
    "yolov8n-seg",
    "yolov8n-world",
    "yolov8n-rtdetr",
    "yolo11-cls-resnet18",
    "yolo26n-sem",
    "yolo26n-depth",
    "rtdetr-l",
]


@pytest.fixture(scope="module", params=["yolov8n.yaml", "yolov8s.yaml", "yolov8m.yaml"])
def model(request: pytest.FixtureRequest) -> nn.Module:
    return load_model(request.param)


def test_consumers_of_yolov8(model: nn.Module) -> None:
    expected = {4: (5, 14), 6: (7, 11), 9: (10, 20), 12: (13, 17), 15: (16, 22), 18: (19, 22), 22: ()}
    for block in blocks_of(model):
        assert block.feeds == expected.get(block.index, (block.index + 1,))


def test_block_3_does_not_feed_block_17_and_block_5_cannot_reach_block_2(model: nn.Module) -> None:
    blocks = blocks_of(model)
    assert 17 not in blocks[3].feeds
    reached, todo = set(), [5]
    while todo:
        fed = set(blocks[todo.pop()].feeds) - reached
        reached |= fed
        todo += fed
    assert 17 in reached
    assert min(reached) > 5


def test_types_and_sources_of_yolov8(model: nn.Module) -> None:
    blocks = blocks_of(model)
    assert [block.type for block in blocks[:6]] == ["Conv", "Conv", "C2f", "Conv", "C2f", "Conv"]
    assert blocks[0].from_ == (IMAGE,)
    assert blocks[1].from_ == (0,)
    assert blocks[11].from_ == (10, 6)
    assert blocks[17].from_ == (16, 12)
    assert blocks[22].from_ == (15, 18, 21)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("yolov8n.yaml", [1, 4, 1, 6, 1]),
        ("yolov8s.yaml", [1, 4, 1, 6, 1]),
        ("yolov8m.yaml", [1, 6, 1, 10, 1]),
    ],
)
def test_convolutions_in_blocks_1_to_5(name: str, counts: list[int]) -> None:
    blocks = blocks_of(load_model(name))
    assert [len(block.layers) for block in blocks[1:6]] == counts
    assert sum(counts) == {"yolov8n.yaml": 13, "yolov8s.yaml": 13, "yolov8m.yaml": 19}[name]


@pytest.mark.parametrize("name", FAMILIES)
def test_the_wiring_is_what_runs(name: str) -> None:
    """Each block's inputs are the very tensors its sources gave."""
    model = load_model(f"{name}.yaml")
    blocks = blocks_of(model)
    given: dict[int, torch.Tensor] = {}
    seen: dict[int, list[torch.Tensor]] = {}
    handles = []
    for block in blocks:
        module = model.get_submodule(f"model.{block.index}")

        def before(_module: nn.Module, args: tuple[object, ...], index: int = block.index) -> None:
            first = args[0]
            seen[index] = list(first) if isinstance(first, (list, tuple)) else [first]  # type: ignore[list-item]

        def after(_module: nn.Module, _args: object, output: torch.Tensor, index: int = block.index) -> None:
            given[index] = output

        handles += [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        model(image)
    for handle in handles:
        handle.remove()
    given[IMAGE] = image
    for block in blocks:
        assert len(seen[block.index]) == len(block.from_)
        for tensor, source in zip(seen[block.index], block.from_, strict=True):
            assert tensor is given[source] or torch.equal(tensor, given[source])
        assert all(block.index in blocks[other].from_ for other in block.feeds)
        assert all(block.index in blocks[source].feeds for source in block.from_ if source != IMAGE)


@pytest.mark.parametrize("name", FAMILIES)
def test_blocks_hold_all_layers_in_order(name: str) -> None:
    model = load_model(f"{name}.yaml")
    blocks = blocks_of(model)
    assert tuple(layer for block in blocks for layer in block.layers) == layers_of(model)
    assert len(layers_of(model)) == sum(isinstance(module, nn.Conv2d) for module in model.modules())


def test_a_model_of_another_kind() -> None:
    with pytest.raises(UserError, match="not an Ultralytics model: it has no list of blocks: got 'Conv2d'"):
        blocks_of(nn.Conv2d(3, 8, 1))
