"""Every criterion measures what its source says."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.models import stock
from tests.train.tasks import build, write_classifier, write_task_data
from tests.train.tiny import SIZE
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.addresses import find_layer
from yolo_prune_check.model.layers import Layer, layers_of
from yolo_prune_check.model.load import load_model
from yolo_prune_check.select import batches
from yolo_prune_check.select.batches import training_batches
from yolo_prune_check.select.criteria import CRITERIA, score
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.spec.fields import NEED_DATA

ADDRESSES = ("0.0", "2.0", "6.3", "22.0")


def filters(model: nn.Module, name: str) -> Any:
    return model.get_submodule(name).weight.detach().double().numpy().reshape(-1)  # type: ignore[operator,union-attr]


@pytest.mark.parametrize(
    ("criterion", "by_hand"),
    [
        ("l2", lambda rows: [np.sqrt((row**2).sum()) for row in rows]),
        ("fpgm", lambda rows: [sum(np.sqrt(((row - other) ** 2).sum()) for other in rows) for row in rows]),
    ],
)
def test_criteria_by_weights(criterion: str, by_hand: Any) -> None:
    layer = find_layer(stock(), "2.0")
    found = score(criterion, Evidence(stock()), [layer])[layer.name]
    rows = filters(stock(), layer.name).reshape(layer.out_channels, -1)
    np.testing.assert_allclose(found, by_hand(rows), rtol=1e-12)


def test_fpgm_of_equal_filters_is_zero_and_not_rounding() -> None:
    model = copy.deepcopy(stock())
    weight: Any = model.get_submodule("model.1.conv").weight
    weight.data[:] = weight.data[0].clone()
    assert not score("fpgm", Evidence(model), [find_layer(model, "1.0")])["model.1.conv"].any()


def test_taylor_is_the_change_of_the_loss(tmp_path: Path) -> None:
    """Scaling a channel by 1 - e changes the loss of an image by e times its score, to first order.

    Of a classifier: a detector's loss has targets that depend on its answers, and are not differentiated.
    """
    write_classifier(tmp_path)
    from ultralytics.cfg import get_cfg

    model: Any = load_model(str(tmp_path / "cls.pt"))
    layers = [find_layer(model, address) for address in ("0.0", "2.0", "4.2", "9.0")]
    evidence = Evidence(model, str(tmp_path / "squares"), SIZE, max_images=1)
    scores = score("taylor", evidence, layers)
    exact = copy.deepcopy(model).double().eval()
    exact.args, exact.criterion = get_cfg(), None
    (batch,) = training_batches(evidence, "taylor")[1]
    batch["img"] = batch["img"].double()
    small = 1e-4
    for layer in layers:
        for channel in (0, 3):
            losses = []
            for sign in (1, -1):
                handle = exact.get_submodule(layer.emitter).register_forward_hook(_scaled(channel, 1 + sign * small))
                with torch.no_grad():
                    losses.append(float(exact.loss(batch)[0].sum()))
                handle.remove()
            change = abs(losses[0] - losses[1]) / (2 * small)
            assert scores[layer.name][channel] == pytest.approx(change, rel=1e-3, abs=1e-8)


def test_taylor_knows_what_a_detector_does_not_need(detector: nn.Module) -> None:
    """Of 64 channels of a layer, the 32 that it holds least important cost next to nothing; the others nearly all."""
    layer = find_layer(detector, "15.0")
    evidence = Evidence(detector, "digits", 128, max_images=40)
    order = score("taylor", evidence, [layer])[layer.name].argsort()
    half = layer.out_channels // 2
    least, most = (_loss_without(detector, evidence, layer, order[part]) for part in (slice(half), slice(half, None)))
    whole = _loss_without(detector, evidence, layer, order[:0])
    assert 0 < least - whole < 0.1 * (most - whole)


def _loss_without(model: Any, evidence: Evidence, layer: Layer, channels: Any) -> float:
    from ultralytics.cfg import get_cfg

    masked = copy.deepcopy(model).eval()
    masked.args, masked.criterion = get_cfg(), None
    masked.get_submodule(layer.emitter).register_forward_hook(_scaled(torch.from_numpy(channels.copy()), 0.0))
    with torch.no_grad():
        return sum(float(masked.loss(batch)[0].sum()) for batch in training_batches(evidence, "taylor")[1])


def _scaled(channel: Any, by: float) -> Any:
    def scale(_module: nn.Module, _given: Any, output: torch.Tensor) -> torch.Tensor:
        changed = output.clone()
        changed[:, channel] *= by
        return changed

    return scale


def test_mean_activation_and_apoz(detector: nn.Module) -> None:
    """Read once more by hand, on single images."""
    layer = find_layer(detector, "4.0")
    evidence = Evidence(detector, "digits", 128, max_images=5)
    seen: list[torch.Tensor] = []
    handle = detector.get_submodule(layer.emitter).register_forward_hook(lambda _m, _a, out: seen.append(out.clone()))
    for batch in training_batches(evidence, "apoz")[1]:
        for image in batch["img"]:
            with torch.no_grad():
                detector(image[None])
    handle.remove()
    maps = torch.cat([each.flatten(2) for each in seen]).double()
    means = score("mean-activation", evidence, [layer])[layer.name]
    np.testing.assert_allclose(means, maps.abs().mean(dim=(0, 2)).numpy(), rtol=1e-5)
    shares = score("apoz", evidence, [layer])[layer.name]
    np.testing.assert_allclose(shares, (maps > 0).double().mean(dim=(0, 2)).numpy(), atol=1e-4)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_model_is_left_as_it_was(detector: nn.Module, criterion: str) -> None:
    detector.train()
    detector.get_submodule("model.4").eval()
    modes = [module.training for module in detector.modules()]
    needs = [parameter.requires_grad for parameter in detector.parameters()]
    before, random = copy.deepcopy(detector.state_dict()), torch.get_rng_state()
    evidence = Evidence(detector, "digits", 64, max_images=4, objects="all")
    score(criterion, evidence, [find_layer(detector, "2.0")])
    assert [module.training for module in detector.modules()] == modes
    assert [parameter.requires_grad for parameter in detector.parameters()] == needs
    assert all(parameter.grad is None for parameter in detector.parameters())
    assert all(torch.equal(value, before[name]) for name, value in detector.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert not any(module._forward_hooks for module in detector.modules())


@pytest.mark.parametrize("criterion", CRITERIA)
def test_the_same_again(detector: nn.Module, criterion: str) -> None:
    evidence = Evidence(detector, "digits", 64, max_images=8, objects="all")
    layers = [find_layer(detector, address) for address in ADDRESSES]
    one, other = score(criterion, evidence, layers), score(criterion, evidence, layers)
    for name, scores in one.items():
        assert scores.dtype == np.float64
        assert np.isfinite(scores).all()
        np.testing.assert_array_equal(scores, other[name])


@pytest.mark.parametrize("criterion", sorted(set(NEED_DATA) - {"separability"}))
@pytest.mark.parametrize("task", ["detect", "segment", "pose", "obb", "classify"])
def test_every_task_has_a_loss_and_activations(tmp_path: Path, task: str, criterion: str) -> None:
    model = build(task)
    evidence = Evidence(model, str(write_task_data(tmp_path, task)), SIZE, max_images=4)
    layers = [layer for layer in layers_of(model) if layer.block < 3]
    scores = score(criterion, evidence, layers)
    assert set(scores) == {layer.name for layer in layers}
    assert all(values.any() and np.isfinite(values).all() for values in scores.values())


def test_taylor_of_a_classifier_is_the_same_in_batches_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its loss is a mean over a batch; the last batch is a short one."""
    model = build("classify")
    evidence = Evidence(model, str(write_task_data(tmp_path, "classify", train=7)), SIZE, max_images=7)
    layer = find_layer(model, "2.0")
    found = []
    for size in (1, 3, 16):
        monkeypatch.setattr(batches, "_LARGEST_BATCH", size)
        found.append(score("taylor", evidence, [layer])[layer.name])
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-4)


def test_a_layer_that_runs_twice_is_averaged_over_both(detector: Any) -> None:
    """A share of places stays a share."""
    block = detector.model[2].m[0]
    block.cv2 = block.cv1 = block.cv2  # both convolutions of a bottleneck are one
    layer = next(layer for layer in layers_of(detector) if layer.name == "model.2.m.0.cv1.conv")
    shares = score("apoz", Evidence(detector, "digits", 64, max_images=3), [layer])[layer.name]
    assert 0 < shares.max() <= 1


@pytest.mark.parametrize("criterion", ["l1", "fpgm", "mean-activation", "separability"])
def test_weights_that_are_not_finite_are_told(detector: Any, criterion: str) -> None:
    detector.model[2].cv1.conv.weight.data[3] = float("nan")
    evidence = Evidence(detector, "digits", 64, max_images=4, objects="all")
    with pytest.raises(UserError, match="not finite"):
        score(criterion, evidence, [find_layer(detector, "2.0")])


@pytest.mark.parametrize("criterion", NEED_DATA)
def test_criteria_that_look_at_images_ask_for_them(criterion: str) -> None:
    with pytest.raises(UserError, match=f"the criterion {criterion} needs data"):
        score(criterion, Evidence(stock()), [find_layer(stock(), "1.0")])


def test_a_loss_that_is_not_finite(detector: Any) -> None:
    detector.model[0].conv.weight.data[:] = float("nan")
    with pytest.raises(UserError, match="loss on its training images is not finite"):
        score("taylor", Evidence(detector, "digits", 64, max_images=2), [find_layer(detector, "1.0")])


def test_what_needs_data_is_what_the_specs_say() -> None:
    assert set(NEED_DATA) == {name for name, criterion in CRITERIA.items() if criterion.needs != "weights"}
