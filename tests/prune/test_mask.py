"""Masks on a real network: silence, phantom channels, regrowth, and every way to name the wrong thing."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from yolo_prune_check.channels.plan import MASK_KINDS, MaskKind, Plan, Step
from yolo_prune_check.errors import UserError
from yolo_prune_check.prune.mask import LayerMask, MaskSet, weight_norm_count

CONV, NORM, WRAPPER = "model.1.conv", "model.1.bn", "model.1"
BARE = "model.22.cv2.0.2"  # the head's last box convolution: a bias, no BatchNorm


@pytest.fixture(scope="module")
def dense() -> Any:
    """YOLOv8n whose BatchNorms look trained: with β = 0 and μ = 0 a fresh one hides phantom channels."""
    from ultralytics.nn.tasks import DetectionModel

    build: Any = DetectionModel
    model = build("yolov8n.yaml", verbose=False)
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean, module.running_var):
                assert tensor is not None
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.25)
    return model.eval()


@pytest.fixture
def model(dense: Any) -> Any:
    return copy.deepcopy(dense)


@contextmanager
def outputs_of(model: Any, name: str) -> Iterator[list[torch.Tensor]]:
    seen: list[torch.Tensor] = []
    handle = model.get_submodule(name).register_forward_hook(lambda _m, _i, out: seen.append(out.detach()))
    try:
        yield seen
    finally:
        handle.remove()


def active(model: Any, name: str) -> list[int]:
    """Channels of a module's output that are not identically zero on a random image."""
    image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with outputs_of(model, name) as seen, torch.no_grad():
        model(image)
    channels: list[int] = seen[0].abs().amax(dim=(0, 2, 3)).nonzero().flatten().tolist()
    return channels


def one(keep: tuple[int, ...], kind: MaskKind = "silent", layer: str = CONV, norm: str | None = NORM) -> MaskSet:
    return MaskSet.from_plan(Plan([Step(layer, keep)], mask=kind), {layer: norm})


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_a_silent_mask_emits_exactly_zero(model: Any, training: bool) -> None:
    keep = tuple(range(0, 32, 2))
    one(keep).apply(model)
    assert active(model.train(training), WRAPPER) == list(keep)


def test_a_weight_mask_leaves_phantom_channels(model: Any) -> None:
    keep = tuple(range(16))
    one(keep, "weights").apply(model)
    conv = model.get_submodule(CONV)
    assert isinstance(conv, nn.Conv2d)
    assert weight_norm_count(conv) == 16  # what the field notes count
    assert active(model, WRAPPER) == list(range(32))  # what the next layer receives


def test_a_silent_mask_without_batch_norm_zeroes_the_bias(model: Any) -> None:
    one((3,), layer=BARE, norm=None).apply(model)
    conv = model.get_submodule(BARE)
    assert isinstance(conv, nn.Conv2d)
    assert conv.bias is not None
    assert conv.bias.nonzero().flatten().tolist() == [3]
    assert active(model, BARE) == [3]


def test_a_weight_mask_leaves_the_bias(model: Any) -> None:
    before = copy.deepcopy(model.get_submodule(BARE))
    one((3,), "weights", BARE, None).apply(model)
    conv = model.get_submodule(BARE)
    assert torch.equal(conv.bias, before.bias)
    assert weight_norm_count(conv) == 1
    assert one((3,), "weights", BARE, None).regrown(model) == {BARE: 0}


def test_running_statistics_and_all_else_stay(model: Any, dense: Any) -> None:
    keep = tuple(range(5, 29))
    one(keep).apply(model)
    changed = {k for k, v in model.state_dict().items() if not torch.equal(v, dense.state_dict()[k])}
    assert changed == {f"{CONV}.weight", f"{NORM}.weight", f"{NORM}.bias"}
    for name in changed:
        assert torch.equal(model.state_dict()[name][5:29], dense.state_dict()[name][5:29])


@pytest.mark.parametrize("kind", MASK_KINDS)
@settings(max_examples=25, deadline=None)
@given(keep=st.sets(st.integers(0, 31)))
def test_any_keep_set_masks_its_complement(dense: Any, kind: MaskKind, keep: set[int]) -> None:
    layer = copy.deepcopy(dense.get_submodule(WRAPPER))
    masks = MaskSet.from_plan(Plan([Step("conv", keep)], mask=kind), {"conv": "bn"})
    assert masks.regrown(layer) == {"conv": 32 - len(keep)}  # nothing is zero yet: all of it counts as alive
    masks.apply(layer)
    assert weight_norm_count(layer.conv) == len(keep)
    assert masks.regrown(layer) == {"conv": 0}
    assert masks.removed(layer) == {"conv": tuple(sorted(set(range(32)) - keep))}


@settings(max_examples=25, deadline=None)
@given(
    first=st.sets(st.integers(0, 31)),
    second=st.sets(st.integers(0, 31)),
    kinds=st.tuples(st.sampled_from(MASK_KINDS), st.sampled_from(MASK_KINDS)),
)
def test_merging_is_applying_both(
    dense: Any, first: set[int], second: set[int], kinds: tuple[MaskKind, MaskKind]
) -> None:
    a, b = (
        MaskSet.from_plan(Plan([Step("conv", keep)], mask=kind), {"conv": "bn"})
        for keep, kind in zip((first, second), kinds, strict=True)
    )
    twice, once = (copy.deepcopy(dense.get_submodule(WRAPPER)) for _ in range(2))
    a.apply(twice)
    b.apply(twice)
    a.merge(b).apply(once)
    assert all(torch.equal(v, twice.state_dict()[k]) for k, v in once.state_dict().items())
    assert a.merge(b).removed(once) == {"conv": tuple(sorted(set(range(32)) - (first & second)))}
    assert a.merge(b).regrown(once) == {"conv": 0}


def test_two_steps_on_one_layer_mask_what_either_removes(model: Any) -> None:
    plan = Plan([Step(CONV, range(20)), Step(CONV, range(10, 32))])
    assert MaskSet.from_plan(plan, {CONV: NORM}).removed(model) == {CONV: (*range(10), *range(20, 32))}


def test_regrown_counts_channels_not_tensors(model: Any) -> None:
    masks = one(tuple(range(16)))
    masks.apply(model)
    norm = model.get_submodule(NORM)
    conv = model.get_submodule(CONV)
    with torch.no_grad():
        norm.bias[20] = 1e-30  # a trace is enough
        norm.weight[20] = 1.0
        conv.weight[20, 0, 1, 1] = -0.5
        conv.weight[25, 3, 0, 0] = float("nan")
        norm.weight[3] = 0.0  # a kept channel is nobody's business
    assert masks.regrown(model) == {CONV: 2}
    assert one(tuple(range(16)), "weights").regrown(model) == {CONV: 2}
    with torch.no_grad():
        conv.weight[20] = 0
    assert masks.regrown(model) == {CONV: 2}
    assert one(tuple(range(16)), "weights").regrown(model) == {CONV: 1}


def test_a_mask_serves_copies_in_other_precisions(model: Any) -> None:
    masks = one(tuple(range(16)))
    for dtype in (torch.float16, torch.float64):
        other = copy.deepcopy(model).to(dtype)
        masks.apply(other)
        assert masks.regrown(other) == {CONV: 0}
    assert masks.regrown(model) == {CONV: 16}


def test_it_can_be_applied_to_parameters_that_require_gradients(model: Any) -> None:
    assert all(p.requires_grad for p in model.get_submodule(WRAPPER).parameters())
    one((0,)).apply(model)
    assert all(p.requires_grad and p.is_leaf for p in model.get_submodule(WRAPPER).parameters())


def test_stopped_gradients_are_those_of_the_masked_channels(model: Any) -> None:
    keep = tuple(range(16))
    masks = one(keep)
    masks.apply(model)
    layer = model.get_submodule(WRAPPER).train()
    layer(torch.rand(2, 16, 8, 8)).square().sum().backward()
    norm = model.get_submodule(NORM)
    layer(torch.rand(2, 16, 8, 8)).sum().backward()  # the sum gives masked BatchNorm biases a gradient: regrowth
    assert norm.bias.grad is not None
    assert norm.bias.grad[16:].count_nonzero() == 16
    masks.stop_gradients(model)
    for parameter in layer.parameters():
        assert parameter.grad is not None
        assert parameter.grad[16:].count_nonzero() == 0
        assert parameter.grad[:16].count_nonzero() > 0


def test_an_empty_set_does_nothing(model: Any, dense: Any) -> None:
    empty = MaskSet.from_plan(Plan(), {})
    assert not empty
    empty.apply(model)
    assert empty.regrown(model) == {}
    assert all(torch.equal(v, dense.state_dict()[k]) for k, v in model.state_dict().items())
    assert empty.merge(one((1,))) == one((1,))


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (one((0,), layer="model.99.conv"), "model.99.conv: no such layer"),
        (one((0,), layer="model.1.bn"), "model.1.bn: only a Conv2d can be masked: got 'BatchNorm2d'"),
        (one((0, 32)), "model.1.conv: a kept channel is out of range: got 32. The layer has channels 0 to 31."),
        (one((0,), norm="model.1.nothing"), "model.1.nothing: no BatchNorm to silence here: got 'NoneType'"),
        (one((0,), norm="model.1.act"), "model.1.act: no BatchNorm to silence here: got 'SiLU'"),
        (one((0,), norm="model.0.bn"), "model.0.bn: the BatchNorm of model.1.conv has another width: got 16"),
        (MaskSet((LayerMask(CONV, (-1,), "silent", NORM),)), "model.1.conv: a kept channel is out of range: got -1"),
    ],
    ids=["unknown", "not-a-conv", "too-high", "no-norm", "not-a-norm", "other-width", "negative"],
)
def test_a_wrong_mask_is_refused_before_anything_is_written(
    model: Any, dense: Any, masks: MaskSet, message: str
) -> None:
    for use in (masks.apply, masks.regrown):
        with pytest.raises(UserError) as caught:
            use(model)
        assert str(caught.value).startswith(message)
    with pytest.raises(UserError):
        one((1,), layer="model.3.conv", norm="model.3.bn").merge(masks).apply(model)
    assert all(torch.equal(v, dense.state_dict()[k]) for k, v in model.state_dict().items())


def test_a_silent_mask_of_a_layer_with_unknown_norm_is_refused() -> None:
    with pytest.raises(UserError, match=r"model\.1\.conv: a silent mask must know the layer's BatchNorm\."):
        MaskSet.from_plan(Plan([Step(CONV, (0,))]), {})
    assert MaskSet.from_plan(Plan([Step(CONV, (0,))], mask="weights"), {}).masks[0].norm is None


def test_masks_that_disagree_on_the_norm_do_not_merge() -> None:
    with pytest.raises(UserError, match="two masks name different BatchNorms"):
        one((0,)).merge(one((1,), norm=None))
