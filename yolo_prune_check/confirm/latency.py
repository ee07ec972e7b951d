"""Time two models against each other."""

from __future__ import annotations

import statistics
import time

import torch
from torch import nn

from yolo_prune_check.confirm.probe import probe_images


def latency_ratio(dense: nn.Module, pruned: nn.Module, imgsz: int, *, runs: int = 20) -> float:
    """Median time of one image through ``pruned`` over that through ``dense``.

    The runs alternate, so that a busy moment of the machine hits both.
    """
    images = probe_images(dense, imgsz)
    times: tuple[list[float], list[float]] = ([], [])
    with torch.no_grad():
        for model in (dense, pruned):
            model(images)
        for _ in range(runs):
            for model, seconds in zip((dense, pruned), times, strict=True):
                start = time.perf_counter()
                model(images)
                if images.is_cuda:
                    torch.cuda.synchronize()
                seconds.append(time.perf_counter() - start)
    return statistics.median(times[1]) / statistics.median(times[0])
