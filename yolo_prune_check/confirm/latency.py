"""Time two models against each other."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import torch
from torch import nn

from yolo_prune_check.confirm.probe import probe_images
from yolo_prune_check.prune.borrowed import borrowed

RUNS = 20
_WARM_UP = 3


@dataclass(frozen=True)
class Latency:
    """How long a batch takes, median of the runs.

    Attributes:
        dense_ms: Milliseconds through the first model.
        pruned_ms: Milliseconds through the second.
        batch: Images in the batch.
        runs: Timed runs of each.
        threads: Threads that PyTorch computes with on the CPU.
        device: Where they ran, in PyTorch's words.
    """

    dense_ms: float
    pruned_ms: float
    batch: int
    runs: int
    threads: int
    device: str

    @property
    def ratio(self) -> float:
        """The second's time over the first's: below 1 is faster."""
        return self.pruned_ms / self.dense_ms


def latency(dense: nn.Module, pruned: nn.Module, imgsz: int, *, batch: int = 1, runs: int = RUNS) -> Latency:
    """Time random images through two models on the device where they are, in eval mode and as they are otherwise.

    The runs alternate, and so does which model goes first, so that a busy moment of the machine hits both. The first
    few, for which memory is allocated and kernels are chosen, are not counted.

    Args:
        dense: The model before pruning.
        pruned: The model after. Neither is changed.
        imgsz: Side of the square images, px.
        batch: Images at a time.
        runs: Timed runs of each.
    """
    images = probe_images(dense, imgsz).expand(batch, -1, -1, -1).contiguous()
    times: dict[bool, list[float]] = {True: [], False: []}
    with borrowed(dense), borrowed(pruned), torch.inference_mode():
        for run in range(_WARM_UP + runs):
            for is_dense in (True, False) if run % 2 else (False, True):
                seconds = _seconds(dense if is_dense else pruned, images)
                if run >= _WARM_UP:
                    times[is_dense].append(seconds)
    dense_ms, pruned_ms = (1000 * statistics.median(times[is_dense]) for is_dense in (True, False))
    return Latency(dense_ms, pruned_ms, batch, runs, torch.get_num_threads(), str(images.device))


def _seconds(model: nn.Module, images: torch.Tensor) -> float:
    _wait(images.device)
    start = time.perf_counter()
    model(images)
    _wait(images.device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    """Until the device has done what it was given: it is told first, and computes then."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
