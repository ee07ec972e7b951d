"""Criteria that need no data: a score for each channel from the weights alone."""

from __future__ import annotations

import zlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.layers import Layer
from yolo_prune_check.select.ranking import Scores


def l1(model: nn.Module, layer: Layer) -> Scores:
    """L1 norm of every filter.

    Li, Kadav, Durdanovic, Samet, Graf, "Pruning filters for efficient ConvNets", ICLR 2017.

    Returns:
        [channels]; larger is more important.
    """
    scores: Scores = _filters(model, layer).abs().sum(dim=1).cpu().numpy()
    return scores


def l2(model: nn.Module, layer: Layer) -> Scores:
    """L2 norm of every filter.

    He, Kang, Dong, Fu, Yang, "Soft filter pruning for accelerating deep convolutional neural networks", IJCAI 2018.

    Returns:
        [channels]; larger is more important.
    """
    scores: Scores = _filters(model, layer).norm(dim=1).cpu().numpy()
    return scores


def gamma(model: nn.Module, layer: Layer) -> Scores:
    """Magnitude of every BatchNorm weight.

    Liu, Li, Shen, Huang, Yan, Zhang, "Learning efficient convolutional networks through network slimming", ICCV 2017.

    Returns:
        [channels]; larger is more important.

    Raises:
        UserError: The layer has no BatchNorm with weights.
    """
    weight = getattr(model.get_submodule(layer.norm), "weight", None) if layer.norm else None
    if not isinstance(weight, torch.Tensor):
        raise without_norm(layer.name)
    scores: Scores = weight.detach().double().abs().cpu().numpy()
    return scores


def without_norm(layer: str) -> UserError:
    """That ``gamma`` says nothing of a layer."""
    return UserError(
        "the criterion gamma needs a BatchNorm behind the layer, and there is none",
        where=layer,
        hint="A fused model has none, nor has a head's last convolution. Choose by l1, or load the unfused model.",
    )


def fpgm(model: nn.Module, layer: Layer) -> Scores:
    """How far every filter is from all others, the sum of Euclidean distances: one near their middle is replaceable.

    He, Liu, Wang, Hu, Yang, "Filter pruning via geometric median for deep convolutional neural networks acceleration",
    CVPR 2019.

    Returns:
        [channels]; larger is more important.
    """
    filters = _filters(model, layer)
    # Differences, not |a|² + |b|² - 2ab: of nearly equal filters that leaves rounding alone.
    exactly = "donot_use_mm_for_euclid_dist"
    scores: Scores = torch.cdist(filters, filters, compute_mode=exactly).sum(dim=1).cpu().numpy()
    return scores


def random(layer: Layer, seed: int) -> Scores:
    """Uniform scores, the same for a layer whatever was chosen before it: the baseline every criterion must beat.

    Returns:
        [channels].
    """
    name = zlib.crc32(layer.name.encode())  # unlike hash(), the same in every process
    return np.random.default_rng([seed % 2**32, name]).random(layer.out_channels)


def silent_channels(model: nn.Module, layer: Layer) -> NDArray[np.bool_]:
    """Which channels are zero before the activation whatever the image: those masked earlier.

    With a BatchNorm its weight and bias are zero; without one the filter and its bias are.

    Returns:
        [channels].
    """
    module = model.get_submodule(layer.norm or layer.name)
    silent = np.ones(layer.out_channels, dtype=bool)
    if getattr(module, "weight", None) is None:
        silent[:] = False  # a BatchNorm without weights scales by one
    for values in (getattr(module, "weight", None), getattr(module, "bias", None)):
        if isinstance(values, torch.Tensor):
            silent &= (values.detach().reshape(len(values), -1) == 0).all(dim=1).cpu().numpy()
    return silent


def _filters(model: nn.Module, layer: Layer) -> torch.Tensor:
    """[channels, weights of a filter] float64."""
    weight: torch.Tensor = model.get_submodule(layer.name).weight  # type: ignore[assignment]  # a Conv2d
    return weight.detach().double().flatten(1)
