"""Criteria that need no data, and how many channels a ratio keeps."""

from __future__ import annotations

import copy
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.addresses import find_layer
from yolo_prune_check.model.layers import layers_of
from yolo_prune_check.select.ranking import best, keep_count
from yolo_prune_check.select.weights import gamma, l1, random, silent_channels


@pytest.mark.parametrize(
    ("channels", "ratio", "kept"),
    [
        (64, 0.5, 32),
        (5, 0.5, 2),  # 2.5 are removed, rounded up
        (7, 0.3, 5),
        (100, 0.145, 85),  # 14.499999999999998 in binary
        (10, 0.0, 10),
        (1, 0.99, 1),
        (16, 0.99, 1),
        (3, 0.1, 3),
    ],
)
def test_keep_count(channels: int, ratio: float, kept: int) -> None:
    assert keep_count(channels, ratio) == kept


@given(st.integers(1, 2048), st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_more_removed_means_fewer_kept(channels: int, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 1 <= keep_count(channels, high) <= keep_count(channels, low) <= channels


@pytest.mark.parametrize("ratio", [-0.1, 1, 2, float("nan")])
def test_no_ratio(ratio: float) -> None:
    with pytest.raises(UserError, match="ratio of channels to remove must be at least 0 and below 1"):
        keep_count(10, ratio)


def test_no_channels() -> None:
    with pytest.raises(UserError, match="without channels"):
        keep_count(0, 0.5)


def test_l1_is_the_sum_of_magnitudes(detector: nn.Module) -> None:
    layer = find_layer(detector, "2.2")
    weight: Any = detector.get_submodule(layer.name).weight
    scores = l1(detector, layer)
    assert scores[3] == pytest.approx(sum(abs(value) for value in weight[3].double().flatten().tolist()))
    assert scores.shape == (16,)


def test_gamma_is_the_magnitude_of_the_batchnorm_weight(detector: nn.Module) -> None:
    layer = find_layer(detector, "2.2")
    norm: Any = detector.get_submodule("model.2.m.0.cv1.bn")
    with torch.no_grad():
        norm.weight[5] = -7
    scores = gamma(detector, layer)
    assert scores[5] == 7
    assert scores.argmax() == 5


def test_gamma_needs_a_batchnorm(detector: Any) -> None:
    with pytest.raises(UserError, match=r"model\.22\.cv2\.0\.2: the criterion gamma needs a BatchNorm"):
        gamma(detector, find_layer(detector, "model.22.cv2.0.2"))
    fused = copy.deepcopy(detector).fuse(verbose=False)
    with pytest.raises(UserError, match="A fused model has none"):
        gamma(fused, find_layer(fused, "2.0"))


def test_random_depends_on_layer_and_seed_alone(detector: nn.Module) -> None:
    one, other = find_layer(detector, "2.0"), find_layer(detector, "2.1")
    np.testing.assert_array_equal(random(one, 3), random(one, 3))
    assert (random(one, 3) != random(one, 4)).any()
    assert (random(one, 3) != random(other, 3)).any()
    assert random(one, -1).shape == (32,)


def test_random_is_the_same_in_every_process(detector: nn.Module) -> None:
    code = (
        "from yolo_prune_check.model.layers import Layer; from yolo_prune_check.select.weights import random\n"
        "print(random(Layer('model.2.cv1.conv', '2.0', 2, 0, 32, 32, 'model.2.cv1', None), 3).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(random(find_layer(detector, "2.0"), 3).tolist())


def test_a_trained_model_has_no_silent_channel(detector: nn.Module) -> None:
    assert not any(silent_channels(detector, layer).any() for layer in layers_of(detector))


def test_silent_means_norm_weight_and_bias(detector: Any) -> None:
    layer = find_layer(detector, "2.0")
    conv, norm = detector.get_submodule(layer.name), detector.get_submodule(str(layer.norm))
    with torch.no_grad():
        conv.weight[:4] = 0  # phantoms: BatchNorm's shift keeps them alive
        norm.weight[2:6] = 0
        norm.bias[3:8] = 0
    assert np.flatnonzero(silent_channels(detector, layer)).tolist() == [3, 4, 5]


def test_silent_without_a_norm_means_filter_and_bias(detector: Any) -> None:
    layer = find_layer(detector, "model.22.cv3.0.2")
    conv = detector.get_submodule(layer.name)
    with torch.no_grad():
        conv.weight[2:6] = 0
        conv.bias[3:8] = 0
    assert np.flatnonzero(silent_channels(detector, layer)).tolist() == [3, 4, 5]


def test_a_norm_without_weights_silences_nothing(detector: Any) -> None:
    layer = find_layer(detector, "2.0")
    detector.model[2].cv1.bn = nn.BatchNorm2d(32, affine=False)
    assert not silent_channels(detector, layer).any()
    with pytest.raises(UserError, match="gamma"):
        gamma(detector, replace(layer))


def test_best() -> None:
    scores = np.array([1.0, 3, 3, 2, 9])
    none = np.zeros(5, dtype=bool)
    assert best(scores, 2, last=none) == (1, 4)
    assert best(scores, 3, last=none) == (1, 2, 4)
    assert best(np.zeros(5), 2, last=none) == (0, 1)
    assert best(scores, 2, last=np.array([False, False, True, False, True])) == (1, 3)
    assert best(scores, 4, last=np.array([False, False, True, False, True])) == (0, 1, 3, 4)
