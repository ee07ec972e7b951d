"""A training, or a measurement, that was begun and came to nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from yolo_prune_check.errors import UserError


class TrainingError(UserError):
    """It was begun on a model and data that can be used, and diverged, changed nothing, or ran out of memory.

    What makes it fail is the model as it is by then, or the machine; what could be known before is a plain `UserError`.
    """


@contextmanager
def memory_told(what: str, *, hint: str) -> Iterator[None]:
    """Say in one sentence that memory ran out, on a GPU or the CPU.

    Args:
        what: What takes it, as messages name it.
        hint: What the user can do.

    Raises:
        TrainingError: Memory ran out.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_shortage(error):
            raise
        raise TrainingError(f"{what} ran out of memory ({_first_line(error)})", hint=hint) from error


def _is_shortage(error: MemoryError | RuntimeError) -> bool:
    told = str(error).lower()  # PyTorch has a class of its own for GPUs alone
    return isinstance(error, MemoryError) or "out of memory" in told or "can't allocate memory" in told


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
