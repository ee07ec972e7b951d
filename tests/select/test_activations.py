"""Activations: the right cell of the right layer for the objects that were found; the model is left as it was."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.select.pictures import write_pictures
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.addresses import find_layer
from yolo_prune_check.model.load import load_model
from yolo_prune_check.prune.local import narrow_filters, narrow_norm
from yolo_prune_check.select.activations import collect
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.select.objects import read_objects
from yolo_prune_check.select.sliced import SlicedMismatch

ADDRESSES = ("0.0", "2.0", "2.3", "9.1", "22.11")


def hooks(model: nn.Module) -> int:
    registries = [
        registry
        for module in model.modules()
        for registry in (module._forward_hooks, module._forward_pre_hooks)
        if isinstance(registry, OrderedDict)
    ]
    return sum(len(registry) for registry in registries)


def test_one_vector_for_each_object_that_was_found(detector: nn.Module) -> None:
    layers = [find_layer(detector, address) for address in ADDRESSES]
    found = collect(Evidence(detector, "digits", 128, max_images=40), layers)
    assert found.images == 40
    assert found.objects == read_objects("digits", 128, 40).count
    assert 0.9 * found.objects <= len(found.labels) <= found.objects  # a good detector on its own training images
    assert set(found.labels.tolist()) == set(range(10))
    for layer in layers:
        values = found.values[layer.name]
        assert values.dtype == np.float32
        assert values.shape == (len(found.labels), layer.out_channels)
        assert np.isfinite(values).all()
        assert np.ptp(values, axis=0).all()


def test_it_is_the_cell_that_holds_the_centre(detector: nn.Module) -> None:
    """Read once more by hand: image by image, through the whole model, at the cell of each object's centre."""
    layer = find_layer(detector, "4.5")
    found = collect(Evidence(detector, "digits", 128, max_images=8), [layer])
    outputs: list[torch.Tensor] = []
    handle = detector.get_submodule(layer.emitter).register_forward_hook(
        lambda _m, _a, out: outputs.append(out.clone())
    )
    by_hand = []
    for batch in read_objects("digits", 128, 8).batches():
        for image, objects in zip(batch.images, batch.objects, strict=True):
            with torch.no_grad():
                detector(image[None])
            for left, top, right, bottom in objects.boxes.tolist():
                cell = 8  # px: block 4 has stride 8
                by_hand.append(outputs[-1][0, :, int((top + bottom) / 2 // cell), int((left + right) / 2 // cell)])
    handle.remove()
    assert len(by_hand) == len(found.labels)  # all were found, so that the order is the same
    np.testing.assert_allclose(found.values[layer.name], torch.stack(by_hand).numpy(), atol=1e-5)


def test_only_found_objects_of_the_right_class_count(detector: nn.Module, tmp_path: Path) -> None:
    """Noise: nothing is there to be found, whatever the labels say."""
    data = write_pictures(tmp_path, ["3 0.5 0.5 0.2 0.4\n7 0.1 0.9 0.2 0.2", "0 0.25 0.25 0.5 0.5"])
    with pytest.raises(UserError) as caught:
        collect(Evidence(detector, data, 128, max_images=10), [find_layer(detector, "1.0")])
    assert str(caught.value).startswith(
        f"{data}: no activations found: none of the 3 ground-truth objects in 2 training images was matched by a "
        "prediction of its class with confidence above 0.25 and IoU of at least 0.5. Use a model that was trained on "
        "this data set"
    )


def test_an_untrained_model_finds_nothing() -> None:
    model = load_model("yolov8n.yaml")
    with pytest.raises(UserError, match=r"no activations found: none of the .* in 4 training images"):
        collect(Evidence(model, "digits", 64, max_images=4), [find_layer(model, "1.0")])


@pytest.mark.parametrize("address", ["0.0", "1.0", "2.0"])
def test_sliced_is_the_same_where_the_model_is_sequential(detector: nn.Module, address: str) -> None:
    layer = find_layer(detector, address)
    hooked = collect(Evidence(detector, "digits", 128, max_images=12), [layer])
    sliced = collect(Evidence(detector, "digits", 128, max_images=12), [layer], sliced=True)
    np.testing.assert_array_equal(hooked.values[layer.name], sliced.values[layer.name])
    np.testing.assert_array_equal(hooked.labels, sliced.labels)


@pytest.mark.parametrize(
    ("address", "module", "message"),
    [
        ("2.1", "model.2.cv2.conv", "expected input[4, 32, 32, 32] to have 48 channels, but got 32 channels instead"),
        ("15.0", "model.11", "cat(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor"),
    ],
)
def test_a_sequence_that_does_not_fit(detector: nn.Module, address: str, module: str, message: str) -> None:
    layer = find_layer(detector, address)
    with pytest.raises(SlicedMismatch) as caught:
        collect(Evidence(detector, "digits", 128, max_images=4), [layer], sliced=True)
    assert caught.value.module == module
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert str(caught.value) == f"{module}: {caught.value.message}"
    copied = pickle.loads(pickle.dumps(caught.value))
    assert (copied.module, copied.message) == (module, caught.value.message)
    assert isinstance(caught.value, RuntimeError)
    assert hooks(detector) == 0


@pytest.mark.parametrize("sliced", [False, True])
def test_the_model_is_left_as_it_was(detector: nn.Module, sliced: bool) -> None:
    detector.train()
    detector.get_submodule("model.4").eval()
    modes = [module.training for module in detector.modules()]
    before = copy.deepcopy(detector.state_dict())
    random = torch.get_rng_state()
    collect(Evidence(detector, "digits", 128, max_images=4), [find_layer(detector, "2.0")], sliced=sliced)
    assert [module.training for module in detector.modules()] == modes
    assert hooks(detector) == 0
    assert all(torch.equal(value, before[name]) for name, value in detector.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def test_the_model_is_left_as_it_was_after_a_failure(detector: nn.Module) -> None:
    detector.train()
    with pytest.raises(UserError, match="no map of the image"):
        collect(Evidence(detector, "digits", 128, max_images=4), [find_layer(detector, "22.18")])
    assert all(module.training for module in detector.modules())
    assert hooks(detector) == 0


def test_a_model_that_was_read_can_still_be_trained(detector: Any) -> None:
    """Tensors that Detect keeps between passes must not be inference tensors."""
    collect(Evidence(detector, "digits", 128, max_images=4), [find_layer(detector, "2.0")])
    for parameter in detector.parameters():
        parameter.requires_grad = True
    detector(torch.rand(1, 3, 128, 128))[0].sum().backward()
    assert detector.model[0].conv.weight.grad is not None


def test_a_layer_that_does_not_run_when_the_model_detects(detector: Any) -> None:
    detector.model[2].spare = nn.Conv2d(32, 8, 1)
    with pytest.raises(UserError, match=r"model\.2\.spare: the layer does not run when the model detects"):
        collect(Evidence(detector, "digits", 128, max_images=4), [find_layer(detector, "model.2.spare")])


def test_a_model_that_does_not_run_says_so_itself(detector: nn.Module) -> None:
    conv, norm = detector.get_submodule("model.1.conv"), detector.get_submodule("model.1.bn")
    assert isinstance(conv, nn.Conv2d)
    narrow_filters(conv, torch.arange(20))
    narrow_norm(norm, torch.arange(20))
    with pytest.raises(RuntimeError, match="to have 32 channels, but got 20 channels instead"):
        collect(Evidence(detector, "digits", 128, max_images=4), [find_layer(detector, "4.0")])
    assert hooks(detector) == 0


def test_progress_counts_images(detector: nn.Module) -> None:
    import io

    from yolo_prune_check.progress import progress

    stream = io.StringIO()
    evidence = Evidence(detector, "digits", 128, max_images=5, progress=progress(stream=stream))
    collect(evidence, [find_layer(detector, "2.0")])
    assert "collect activations of 1 layer: 5 of 5" in stream.getvalue()


def test_a_classifier_is_refused() -> None:
    model = load_model("yolov8n-cls.yaml")
    with pytest.raises(UserError, match=r"a classifier has no mAP.*Choose channels by l1, gamma, random or another"):
        collect(Evidence(model, "digits", 64), [find_layer(model, "2.0")])
