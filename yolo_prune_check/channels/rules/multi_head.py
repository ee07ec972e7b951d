"""Attention over heads as PyTorch's own module does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from yolo_prune_check.channels.tensors import Breaks, Tensor


def multi_head_attention(
    query: Tensor, key: Tensor, value: Tensor, width: int, heads: int, *options: Any, **named: Any
) -> tuple[Tensor, ...]:
    """``torch.nn.functional.multi_head_attention_forward`` of ``(length, batch, width)``; its projections mix channels.

    The result is followed by the weights of the attention where they were asked for.
    """
    if query.shape[-1] != width:
        message = f"was expecting embedding dimension of {width}, but got {query.shape[-1]}"
        raise Breaks("linear", width, query.shape[-1], message)
    batch = query.shape[1:-1]
    return Tensor(query.shape), Tensor((*batch, query.shape[0], key.shape[0]))


RULES: dict[str, Callable[..., Any]] = {"multi_head_attention": multi_head_attention}
