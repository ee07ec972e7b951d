"""What an ATen operator's schema says, read once for each: every call of every operator asks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

_BATCH_NORMS = frozenset({"aten::native_batch_norm", "aten::cudnn_batch_norm", "aten::miopen_batch_norm"})


@dataclass(frozen=True, slots=True)
class Schema:
    """An ATen operator.

    Attributes:
        target: Its name without its overload and in-place mark.
        in_place: Whether it writes into its first operand.
        writes: Arguments that it writes into, by position and name.
        is_view: Whether what it returns lies in the memory of an operand.
        is_batch_norm: Whether it may update statistics, which its schema does not say.
    """

    target: str
    in_place: bool
    writes: tuple[tuple[int, str], ...]
    is_view: bool
    is_batch_norm: bool

    def written(self, args: Any, kwargs: Any) -> torch.Tensor | None:
        """The tensor that a call writes into; None if it makes a new one."""
        written = args[0] if self.in_place else kwargs.get("out") if kwargs else None
        return written if isinstance(written, torch.Tensor) else None


@cache
def schema_of(func: Any) -> Schema:
    """What is known of an operator."""
    schema = func._schema
    name = schema.name.split("::")[1]
    return Schema(
        name.removesuffix("_"),
        name.endswith("_") and not name.endswith("__"),
        tuple(
            (place, item.name)
            for place, item in enumerate(schema.arguments)
            if item.alias_info and item.alias_info.is_write
        ),
        any(result.alias_info is not None for result in schema.returns),
        schema.name in _BATCH_NORMS,
    )
