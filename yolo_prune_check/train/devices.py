"""Where models are trained, measured and timed: on the CPU, on a GPU, or on several GPUs together.

A device is named as `spec.device.read_device` gives it: `cpu`, `0`, `0,1`. The number of a GPU is PyTorch's.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, TypeVar

import torch
from torch import nn

from yolo_prune_check.errors import UserError
from yolo_prune_check.prune.copied import copied
from yolo_prune_check.spec.device import CPU

if TYPE_CHECKING:
    from yolo_prune_check.spec.schema import FineTune

Model = TypeVar("Model", bound=nn.Module)

_USUAL_WORKERS: Final = 8


def gpus_of(device: str) -> tuple[int, ...]:
    """The numbers of its GPUs; none for the CPU.

    >>> gpus_of("cpu"), gpus_of("1,0")
    ((), (1, 0))
    """
    return () if device == CPU else tuple(map(int, device.split(",")))


def placed(model: Model, device: str) -> Model:
    """A model that is on the CPU, where it can be run by itself: a copy on the first GPU, or it itself for the CPU."""
    gpus = gpus_of(device)
    return copied(model).to(torch.device("cuda", gpus[0])) if gpus else model


def names_of(device: str) -> tuple[str, ...]:
    """What its GPUs are called by their maker; of those that are not there nothing.

    >>> names_of("cpu")
    ()
    """
    there = _count()
    return tuple(torch.cuda.get_device_name(gpu) for gpu in gpus_of(device) if gpu < there)


def require_devices(device: str, *, where: str) -> None:
    """Refuse GPUs that are not there.

    Args:
        device: As `read_device` gives it.
        where: What named it, for the message.

    Raises:
        UserError: One is not there; the message lists those that are.
    """
    there = _count()
    if any(gpu >= there for gpu in gpus_of(device)):
        gpus = [f"{gpu} ({torch.cuda.get_device_name(gpu)})" for gpu in range(there)]
        hint = f"This machine has {', '.join([CPU, *gpus])}{'' if gpus else ' alone'}."
        raise UserError("there is no such GPU", where=where, value=device, hint=hint)


def require_training(settings: FineTune, device: str, *, where: str | None = None) -> None:
    """Refuse a training that its device cannot carry out as it is asked for.

    Args:
        settings: How it is to be trained.
        device: Where.
        where: The place for the message.

    Raises:
        UserError: Mixed precision is for GPUs, and several devices share a batch equally.
    """
    if settings.amp and device == CPU:  # Ultralytics would pass over it in silence
        raise UserError(
            "mixed precision is for GPUs only",
            where=where,
            value=device,
            hint="Leave out `fine_tune.amp` or `--amp`, or name a GPU: `device: 0` in a spec, --device, pytest's "
            "--prune-device or devices=[0] in fine_tune.",
        )
    together = len(gpus_of(device)) or 1
    if settings.batch % together:
        raise UserError(
            f"{together} devices cannot share a batch equally",
            where=where,
            value=settings.batch,
            hint="Make `fine_tune.batch` or `--batch` a multiple of their number.",
        )


def workers_of(asked: int | None, device: str) -> int:
    """How many processes read the images of each process that trains or measures; 0: it reads them itself.

    Which images an augmentation falls on depends on this number, so that it belongs to what a training is.

    Args:
        asked: What the user wants; None for none on the CPU, where reading is no bottleneck, and for eight on a GPU.
        device: As `read_device` gives it.

    Returns:
        Never more than there are cores for each GPU of the machine, which is Ultralytics' own limit.

    >>> workers_of(None, "cpu"), workers_of(1, "cpu")
    (0, 1)
    """
    usual = 0 if device == CPU else _USUAL_WORKERS
    gpus = 1 if device == CPU else max(_count(), 1)
    return min(usual if asked is None else asked, (os.cpu_count() or 1) // gpus)


def _count() -> int:
    # Without a driver that fits, GPUs are counted that cannot be used.
    return torch.cuda.device_count() if torch.cuda.is_available() else 0
