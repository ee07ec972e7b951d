"""Batch normalisation passes channels, scaled and shifted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from yolo_prune_check.channels.tensors import Breaks, Tensor


def batch_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    *options: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """``aten.native_batch_norm`` in eval mode; the last option is epsilon."""
    channels = x.shape[1]
    named = (("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias))
    for name, vector in named:
        if vector is not None and vector.shape[0] != channels:
            raise Breaks(
                "norm",
                vector.shape[0],
                channels,
                f"{name} should contain {channels} elements not {vector.shape[0]}",
            )
    gamma = np.ones(channels) if weight is None or weight.vector is None else weight.vector
    beta = np.zeros(channels) if bias is None or bias.vector is None else bias.vector
    mean = np.zeros(channels) if running_mean is None or running_mean.vector is None else running_mean.vector
    variance = np.ones(channels) if running_var is None or running_var.vector is None else running_var.vector
    values = np.full(channels, np.nan) if x.channels is None else x.channels
    # 0 x NaN is NaN in numpy, but a channel that varies times zero is silent.
    scaled = np.where(gamma == 0, 0.0, (values - mean) * gamma / np.sqrt(variance + options[-1]))
    empty = Tensor((0,))
    return Tensor(x.shape, scaled + beta), empty, empty


RULES: dict[str, Callable[..., Any]] = {
    "native_batch_norm": batch_norm,
    "cudnn_batch_norm": batch_norm,
    "_native_batch_norm_legit_no_training": batch_norm,
}
