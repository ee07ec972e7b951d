"""One value for each object: at the centre of its box, or the mean over it; within the memory that is allowed."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.train.tasks import build, sighted, write_task_data
from tests.train.tiny import SIZE
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.addresses import find_layer
from yolo_prune_check.progress import progress
from yolo_prune_check.select.activations import collect
from yolo_prune_check.select.detected import upright
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.select.reading import at_centres, over_boxes

SIDE = st.floats(0, 8, width=32)


@given(st.lists(st.tuples(SIDE, SIDE, SIDE, SIDE), min_size=1, max_size=6))
def test_the_mean_over_the_cells_that_a_box_touches(corners: list[tuple[float, float, float, float]]) -> None:
    output = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, 8, 8)))
    boxes = torch.tensor([[min(a, c), min(b, d), max(a, c), max(b, d)] for a, b, c, d in corners])
    owners = torch.arange(len(corners)) % 2
    found = over_boxes(output, owners, boxes)
    for number, (left, top, right, bottom) in enumerate(boxes.tolist()):
        columns = [x for x in range(8) if x < right and x + 1 > left] or [min(int(left), 7)]
        rows = [y for y in range(8) if y < bottom and y + 1 > top] or [min(int(top), 7)]
        cells = output[owners[number]][:, rows][:, :, columns]
        assert torch.allclose(found[number], cells.mean(dim=(1, 2)), atol=1e-9)


def test_a_centre_on_the_border_is_in_the_last_cell() -> None:
    output = torch.arange(16.0).view(1, 1, 4, 4)
    boxes = torch.tensor([[4.0, 4, 4, 4], [1, 2, 2, 4]])
    assert at_centres(output, torch.tensor([0, 0]), boxes).flatten().tolist() == [15, 13]


def test_box_and_centre_read_the_same_objects(detector: nn.Module) -> None:
    layer = find_layer(detector, "2.0")
    centre = collect(Evidence(detector, "digits", 128, max_images=6), [layer])
    box = collect(Evidence(detector, "digits", 128, max_images=6, place="box"), [layer])
    np.testing.assert_array_equal(centre.labels, box.labels)
    assert not np.allclose(centre.values[layer.name], box.values[layer.name])
    assert box.values[layer.name].std() < centre.values[layer.name].std()  # a mean varies less


def test_all_objects_or_those_that_are_found(detector: nn.Module) -> None:
    layer = find_layer(detector, "2.0")
    every = collect(Evidence(detector, "digits", 128, max_images=40, objects="all"), [layer])
    found = collect(Evidence(detector, "digits", 128, max_images=40), [layer])
    assert len(every.labels) == every.objects >= len(found.labels)


def test_memory_is_allocated_once_and_bounded(detector: nn.Module) -> None:
    """Objects and channels that take more than is allowed: fewer images are read, evenly spread, and it is said."""
    layers = [find_layer(detector, address) for address in ("2.0", "4.0")]
    stream = io.StringIO()
    whole = collect(Evidence(detector, "digits", 64, max_images=40, objects="all"), layers)
    room = whole.objects * 96 * 4 / 2 / 1e6
    shown = progress(stream=stream)
    evidence = Evidence(detector, "digits", 64, max_images=40, objects="all", memory_mb=room, progress=shown)
    part = collect(evidence, layers)
    assert 0.8 * whole.objects / 2 < part.objects <= whole.objects / 2
    assert sum(values.nbytes for values in part.values.values()) <= room * 1e6
    assert f"activations of 40 images exceed {room:g} MB: {part.images} of them are read" in stream.getvalue()


def test_memory_for_less_than_one_image(detector: nn.Module) -> None:
    evidence = Evidence(detector, "digits", 64, max_images=3, objects="all", memory_mb=1e-5)
    with pytest.raises(UserError, match=r"activations of 1 layers at .* objects take .*got 'a limit of 1e-05 MB'"):
        collect(evidence, [find_layer(detector, "2.0")])


@pytest.mark.parametrize("task", ["segment", "pose", "obb"])
def test_every_task_with_boxes(tmp_path: Path, task: str) -> None:
    model = sighted(build(task))
    evidence = Evidence(model, str(write_task_data(tmp_path, task)), SIZE, max_images=6)
    layer = find_layer(model, "2.0")
    every = collect(Evidence(model, evidence.data, SIZE, max_images=6, objects="all"), [layer])
    assert every.values[layer.name].shape == (every.objects, layer.out_channels)
    found = collect(evidence, [layer])
    assert 0 < len(found.labels) <= every.objects


def test_the_upright_box_around_an_oriented_one() -> None:
    turned = torch.tensor([[10.0, 20, 8, 2, 0.9, 1, np.pi / 2], [10, 20, 8, 2, 0.8, 0, 0]])
    expected = torch.tensor([[9.0, 16, 11, 24, 0.9, 1], [6, 19, 14, 21, 0.8, 0]])
    assert torch.allclose(upright(turned), expected, atol=1e-5)


def test_images_without_objects(detector: nn.Module, tmp_path: Path) -> None:
    yaml = write_task_data(tmp_path, "detect")
    for label in (tmp_path / "labels" / "train").iterdir():
        label.write_text("")
    with pytest.raises(UserError, match=r"no activations found: 6 training images hold no labelled object"):
        collect(Evidence(detector, str(yaml), SIZE, objects="all"), [find_layer(detector, "2.0")])
