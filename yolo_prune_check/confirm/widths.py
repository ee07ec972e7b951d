"""Whether what modules say of their widths is true of their weights.

A forward pass may never read these numbers, and an export does: Ultralytics' exporter splits C2f by ``c`` where its
forward pass halves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import nn

Claims = Iterator[tuple[str, Any, Any]]
"""Attributes, the number that they stand for, and that of the weights."""


def stale_widths(model: nn.Module) -> tuple[str, ...]:
    """Attributes that do not tell the truth, one sentence each, in module order.

    PyTorch's layers are looked at, and those of Ultralytics' blocks that keep a width which some code of theirs reads
    (ADown and SPPELAN keep one that none does). Of classes that are neither's nothing is known here.
    """
    found = (
        f"{name}: {attribute} says {said}, the weights say {true}"
        for name, module in model.named_modules()
        for claims in _claims_of(module)
        for attribute, said, true in claims(module)
        if said != true
    )
    return tuple(dict.fromkeys(found))  # a batch norm has four tensors to say the same


def _claims_of(module: nn.Module) -> Iterator[Callable[[Any], Claims]]:
    bases = {kind.__name__ for kind in type(module).__mro__}
    return (claims for kinds, claims in _CLAIMS if bases & kinds)


def _convolution(layer: Any) -> Claims:
    yield "out_channels", layer.out_channels, len(layer.weight)
    yield "in_channels", layer.in_channels, layer.weight.shape[1] * layer.groups
    if layer.bias is not None:
        yield "bias", len(layer.bias), len(layer.weight)


def _transposed(layer: Any) -> Claims:
    yield "in_channels", layer.in_channels, len(layer.weight)
    yield "out_channels", layer.out_channels, layer.weight.shape[1] * layer.groups


def _norm(layer: Any) -> Claims:
    for part in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
        if part is not None:
            yield "num_features", layer.num_features, len(part)


def _linear(layer: Any) -> Claims:
    yield "out_features", layer.out_features, len(layer.weight)
    yield "in_features", layer.in_features, layer.weight.shape[1]


def _group_norm(layer: Any) -> Claims:
    if layer.weight is not None:
        yield "num_channels", layer.num_channels, len(layer.weight)


def _layer_norm(layer: Any) -> Claims:
    if layer.weight is not None:
        yield "normalized_shape", tuple(layer.normalized_shape), tuple(layer.weight.shape)


def _prelu(layer: Any) -> Claims:
    yield "num_parameters", layer.num_parameters, len(layer.weight)


def _halved(block: Any) -> Claims:
    yield "2 × c", 2 * block.c, _out(block.cv1)


def _pieces(block: Any) -> Claims:
    yield "sum of c2s", sum(block.c2s), _out(block)


def _attention(block: Any) -> Claims:
    asked = block.num_heads * (2 * block.key_dim + block.head_dim)
    yield "num_heads × (2 × key_dim + head_dim)", asked, _out(block.qkv)
    yield "num_heads × head_dim", block.num_heads * block.head_dim, block.proj.conv.weight.shape[1]


def _area_attention(block: Any) -> Claims:
    yield "3 × num_heads × head_dim", 3 * block.num_heads * block.head_dim, _out(block.qkv)
    yield "3 × all_head_dim", 3 * block.all_head_dim, _out(block.qkv)


def _guided_attention(block: Any) -> Claims:
    yield "nh × hc", block.nh * block.hc, len(block.gl.weight)


def _detect(head: Any) -> Claims:
    for name in ("cv2", "one2one_cv2"):
        for branch in getattr(head, name, None) or ():
            yield "4 × reg_max", 4 * head.reg_max, len(branch[-1].weight)
    if type(head).__name__ in _SCORING:
        for name in ("cv3", "one2one_cv3"):
            for branch in getattr(head, name, None) or ():
                yield "nc", head.nc, len(branch[-1].weight)
            yield "no - 4 × reg_max", head.no - 4 * head.reg_max, len(branch[-1].weight)


def _out(block: Any) -> int:
    return len(block.conv.weight)


_SCORING = frozenset({"Detect", "Segment", "Segment26", "OBB", "OBB26", "Pose", "Pose26", "v10Detect"})
"""Heads whose class branch ends in one channel for each class; those with texts end in an embedding."""

_CLAIMS: tuple[tuple[frozenset[str], Callable[[Any], Claims]], ...] = (
    (frozenset({"Conv1d", "Conv2d", "Conv3d"}), _convolution),
    (frozenset({"ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"}), _transposed),
    (frozenset({"_NormBase"}), _norm),
    (frozenset({"Linear"}), _linear),
    (frozenset({"GroupNorm"}), _group_norm),
    (frozenset({"LayerNorm"}), _layer_norm),
    (frozenset({"PReLU"}), _prelu),
    (frozenset({"C2", "C2f", "C2fAttn", "PSA", "C2PSA", "RepNCSPELAN4"}), _halved),
    (frozenset({"CBLinear"}), _pieces),
    (frozenset({"Attention"}), _attention),
    (frozenset({"AAttn"}), _area_attention),
    (frozenset({"MaxSigmoidAttnBlock"}), _guided_attention),
    (frozenset({"Detect"}), _detect),
)
