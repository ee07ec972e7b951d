"""One check of a pruned model or of its file: what was looked at, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """A row of the proof, or of the checks of a saved file.

    Attributes:
        name: What was looked at, such as ``ONNX equals PyTorch``.
        passed: Whether it held; None where it could not be looked at, ``detail`` then says why.
        error: Largest relative error that was found, where numbers were compared; infinite where one was no number, or
            tensors had other shapes.
        detail: One sentence: where an error is largest, what was measured, or why nothing was.
    """

    name: str
    passed: bool | None
    error: float | None = None
    detail: str = ""
