"""Mistakes in the rules of operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tests.channels.test_graph import test_all_sizes_are_understood as all_are_understood
from tests.mutants.hunt import GROUP, LOCAL, MASK, SHUFFLE, WEIGHTS, Pinned
from tests.mutants.mutant import mutant
from yolo_prune_check.channels.tensors import Breaks, Tensor, known, spread

Rule = Callable[..., Any]
# A rule that does not reproduce the traced sizes is not used, and its operator is listed as unsupported.
SUPPORTED = Pinned(all_are_understood, "yolov8n.yaml")

BOTTLENECKS = LOCAL.on("yolov8n.yaml", "model.2.m", "model.4.m", "model.6.m")


@mutant("rules.join:cat", "concat: all channels but the first operand's are off by one", GROUP)
def concat_offset_off_by_one(cat: Rule, tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    joined: Tensor = cat(tensors, dim)
    if len(joined.shape) != 4 or dim != 1 or joined.state is None:
        return joined
    state, first = spread(joined.state, 1, joined.shape[1]), tensors[0].shape[1]
    return replace(joined, state=np.concatenate([state[:, :first], np.roll(state[:, first:], 1, axis=1)], 1))


@mutant("rules.join:cat", "concat: the operands' channels are taken in reverse order", GROUP)
def concat_order_reversed(cat: Rule, tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    joined: Tensor = cat(tensors, dim)
    turned: Tensor = cat(tensors[::-1], dim)
    return replace(joined, state=turned.state)


@mutant("rules.join:cat", "concat: only the first operand can hold silent channels", MASK)
def concat_forgets_silence(cat: Rule, tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    first, *others = tensors
    joined: Tensor = cat([first, *(Tensor(other.shape) if len(other.shape) == 4 else other for other in others)], dim)
    return joined


@mutant("rules.join:chunk", "chunk: the halves are swapped", MASK.on("yolov8n.yaml", "model.2.", "model.4."))
def chunk_halves_swapped(chunk: Rule, x: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    pieces: tuple[Tensor, ...] = chunk(x, chunks, dim)
    return pieces[::-1]


@mutant(
    "rules.join:chunk", "chunk: the first of two uneven pieces is the smaller one", LOCAL.on("yolov8n.yaml", "model.2.")
)
def chunk_rounds_down(chunk: Rule, x: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    pieces: tuple[Tensor, ...] = chunk(x, chunks, dim)
    if len({piece.shape for piece in pieces}) == 1:
        return pieces
    return tuple(
        replace(piece, shape=other.shape, state=None) for piece, other in zip(pieces, pieces[::-1], strict=True)
    )


@mutant(
    "rules.join:split_with_sizes", "split: nobody checks that the sizes add up", LOCAL.on("yolo11n.yaml", "model.10.")
)
def split_sizes_not_summed(split: Rule, x: Tensor, sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    try:
        pieces: tuple[Tensor, ...] = split(x, sizes, dim)
    except Breaks:
        axis = dim % len(x.shape)
        return tuple(Tensor((*x.shape[:axis], size, *x.shape[axis + 1 :])) for size in sizes)
    return pieces


@mutant(
    "rules.elementwise:add",
    "residual add: the sum is what its left operand is",
    MASK.on("yolov8n.yaml", "model.2.", "model.4."),
)
def add_takes_the_left_operand(add: Rule, a: Any, b: Any, **options: Any) -> Tensor:
    total: Tensor = add(a, b, **options)
    if isinstance(a, Tensor) and isinstance(b, Tensor) and a.shape == b.shape:
        return replace(total, state=known(a))
    return total


@mutant(
    "rules.elementwise:broadcast",
    "elementwise: operands of different sizes are refused even if one size is 1",
    BOTTLENECKS,
)
def add_never_broadcasts(broadcast: Rule, a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    shape: tuple[int, ...] = broadcast(a, b)
    if len(a) == len(b) == 4 and a[1] != b[1]:
        words = f"The size of tensor a ({a[1]}) must match the size of tensor b ({b[1]}) at non-singleton dimension 1"
        raise Breaks("residual", a[1], b[1], words)
    return shape


@mutant(
    "rules.elementwise:broadcast", "elementwise: sizes are checked from the first axis on, not from the last", LOCAL
)
def sizes_swapped_in_words(broadcast: Rule, a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    try:
        shape: tuple[int, ...] = broadcast(a, b)
    except Breaks:
        shape = broadcast(b, a)
    return shape


@mutant("rules.norm:batch_norm", "batch norm: a factor of zero does not silence what varies", MASK)
def norm_factor_silences_nothing(norm: Rule, x: Tensor, weight: Tensor | None, *others: Any) -> Any:
    if weight is not None and weight.vector is not None:
        weight = replace(weight, vector=np.where(weight.vector == 0, 1.0, weight.vector))
    return norm(x, weight, *others)


@mutant("RULES:silu", "SiLU: taken for a sigmoid, which makes something of nothing", MASK)
def silu_is_a_sigmoid(silu: Rule, x: Tensor) -> Tensor:
    from yolo_prune_check.channels.rules import RULES

    result: Tensor = RULES["sigmoid"](x)
    return result


@mutant("RULES:relu", "ReLU: a negative constant passes", WEIGHTS.on("resnet18", "layer4.1."))
def relu_passes_negatives(relu: Rule, x: Tensor) -> Tensor:
    return x


@mutant("rules.convolution:_forward", "convolution: the padding counts on one side only", SUPPORTED)
def conv_padding_on_one_side(
    forward: Rule, size: int, kernel: int, stride: int, padding: int, dilation: int, extra: int
) -> Any:
    return forward(size, kernel, stride, 0, dilation, extra) + padding // stride


@mutant("rules.convolution:_forward", "convolution: the stride is forgotten", SUPPORTED)
def conv_stride_forgotten(forward: Rule, size: int, kernel: int, stride: int, *others: int) -> Any:
    return forward(size, kernel, 1, *others)


@mutant(
    "rules.convolution:_check",
    "grouped convolution: the words name the channels of one group",
    LOCAL.on("yolo11n.yaml", "model.10.", "model.23."),
)
def conv_message_names_one_group(check: Rule, x: Tensor, shape: tuple[int, ...], *others: Any) -> None:
    try:
        check(x, shape, *others)
    except Breaks as broken:
        words = f"to have {shape[1]} channels"
        message = broken.message.replace(f"to have {broken.expected} channels", words)
        raise Breaks(broken.kind, shape[1], broken.got, message) from None


@mutant("rules.convolution:_check", "depthwise convolution: its input is not checked", LOCAL.on("yolov8n-ghost.yaml"))
def depthwise_input_not_checked(
    check: Rule, x: Tensor, shape: tuple[int, ...], bias: Any, transposed: bool, groups: int
) -> None:
    if groups == 1:
        check(x, shape, bias, transposed, groups)


@mutant(
    "rules.pooling:max_pool",
    "max pool: a silent channel comes out varying",
    MASK.on("yolov8n.yaml", "model.9.", "model.12."),
)
def max_pool_wakes_channels(pool: Rule, x: Tensor, *options: Any) -> Any:
    return pool(Tensor(x.shape), *options)


@mutant("rules.pooling:upsample_nearest", "upsample: the factor is forgotten", SUPPORTED)
def upsample_factor_forgotten(upsample: Rule, x: Tensor, *options: Any) -> Tensor:
    return x


@mutant(
    "rules.pooling:upsample_nearest",
    "upsample: a silent channel comes out varying",
    MASK.on("yolov8n.yaml", "model.9.", "model.12."),
)
def upsample_wakes_channels(upsample: Rule, x: Tensor, *options: Any) -> Any:
    return upsample(Tensor(x.shape), *options)


@mutant("rules.layout:view", "view: a size that does not fit is made to fit", LOCAL.on("yolo11n.yaml", "model.10.m."))
def view_not_checked(view: Rule, x: Tensor, size: Sequence[int]) -> Tensor:
    try:
        result: Tensor = view(x, size)
    except Breaks:
        return Tensor(tuple(max(1, n) for n in size))
    return result


@mutant("rules.layout:permute", "permute: sizes move, what is known of the channels stays", SHUFFLE)
def permute_leaves_channels(permute: Rule, x: Tensor, order: Sequence[int]) -> Tensor:
    result: Tensor = permute(x, order)
    if x.state is None or result.state is None or len(x.shape) != 5:
        return result
    return replace(result, state=np.sort(x.state, axis=None).reshape(result.state.shape))


@mutant(
    "rules.contraction:_fit_rows",
    "linear: the number of features it reads is not checked",
    LOCAL.on("mobilenet_v3_small", "features.12"),
)
def linear_input_not_checked(fit: Rule, *sizes: Any) -> None:
    return


@mutant("rules.norm:batch_norm", "batch norm: the norm of silence is silence", MASK)
def norm_of_silence_is_silence(norm: Rule, x: Tensor, *vectors: Any) -> Any:
    result, *rest = norm(x, *vectors)
    if x.state is None or result.state is None:
        return result, *rest
    return replace(result, state=np.where(x.state == 0, 0.0, result.state)), *rest


@mutant("rules.convolution:_check", "convolution: nobody counts the channels of its input", LOCAL)
def conv_input_not_checked(check: Rule, *arguments: Any) -> None:
    return
