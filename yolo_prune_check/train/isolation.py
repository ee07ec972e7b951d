"""A fence around Ultralytics: whatever it does to the process' global state is undone afterwards."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

# Ultralytics sets the first two for a deterministic run and removes them afterwards, also where the user had set them;
# some versions hide all GPUs from whatever comes after a training on the CPU.
_ENVIRONMENT = ("CUBLAS_WORKSPACE_CONFIG", "PYTHONHASHSEED", "CUDA_VISIBLE_DEVICES")


@contextmanager
def isolated() -> Iterator[None]:
    """Restore on exit: random generators, PyTorch's threads and current GPU, deterministic mode and its environment.

    Ultralytics seeds every global generator, and choosing the CPU sets PyTorch's threads to one fewer than the machine
    has, whatever the caller or `OMP_NUM_THREADS` said; see `pin_threads` for the time in between. Choosing a GPU makes
    it the one that `cuda` alone means.
    """
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    gpu = torch.cuda.current_device() if cuda else None
    threads = torch.get_num_threads()
    strict, warn_only = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    filling: Any = torch.utils.deterministic  # its one attribute is unknown to type checkers
    cudnn, fill = torch.backends.cudnn.deterministic, filling.fill_uninitialized_memory
    environment = {name: os.environ.get(name) for name in _ENVIRONMENT}
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
        if gpu is not None:
            torch.cuda.set_device(gpu)
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict, warn_only=warn_only)
        torch.backends.cudnn.deterministic = cudnn
        filling.fill_uninitialized_memory = fill
        for name, value in environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def pin_threads() -> Iterator[None]:
    """Keep PyTorch's number of threads over code that changes it, so that results do not depend on the machine's."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
