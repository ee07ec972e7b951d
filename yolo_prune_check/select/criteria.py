"""Criteria that need no data: a score per channel from the weights alone, and how many channels a ratio keeps."""

from __future__ import annotations

import zlib
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.layers import Layer

Scores = NDArray[np.float64]


def keep_count(channels: int, ratio: float) -> int:
    """How many of a layer's channels are kept when the share `ratio` is removed; at least one.

    The number removed is rounded, halves up, and taken from the decimal that was written: 0.145 of 100 is 15 although
    the nearest binary number is a little smaller.

    >>> keep_count(64, 0.5), keep_count(5, 0.5), keep_count(1, 0.9)
    (32, 2, 1)

    Raises:
        UserError: The ratio does not lie in [0, 1), or there are no channels.
    """
    if channels < 1:
        raise UserError("a layer without channels cannot be pruned", value=channels)
    if not 0 <= ratio < 1:
        raise UserError("the ratio of channels to remove must be at least 0 and below 1", value=ratio)
    removed = (Decimal(repr(float(ratio))) * channels).to_integral_value(ROUND_HALF_UP)
    return max(1, channels - int(removed))


def l1(model: nn.Module, layer: Layer) -> Scores:
    """L1 norm of every filter.

    Li, Kadav, Durdanovic, Samet, Graf, "Pruning filters for efficient ConvNets", ICLR 2017.

    Returns:
        [channels]; larger is more important.
    """
    weight: torch.Tensor = model.get_submodule(layer.name).weight  # type: ignore[assignment]  # a Conv2d
    scores: Scores = weight.detach().double().abs().sum(dim=(1, 2, 3)).cpu().numpy()
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
        raise UserError(
            "the criterion gamma needs a BatchNorm behind the layer, and there is none",
            where=layer.name,
            hint="A fused model has none, nor has a head's last convolution. Choose by l1, or load the unfused model.",
        )
    scores: Scores = weight.detach().double().abs().cpu().numpy()
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


def best(scores: Scores, count: int, *, last: NDArray[np.bool_]) -> tuple[int, ...]:
    """The channels with the highest scores, ascending; of equals the lower index.

    Args:
        scores: [channels].
        count: How many.
        last: [channels], those that come only after all others.
    """
    order = np.lexsort((np.arange(len(scores)), -scores, last))
    return tuple(sorted(int(channel) for channel in order[:count]))
