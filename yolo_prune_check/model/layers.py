"""The convolutions of an Ultralytics model: their names, addresses, widths and what belongs to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from yolo_prune_check.errors import UserError


@dataclass(frozen=True)
class Layer:
    """One `Conv2d`.

    Attributes:
        name: Qualified name, such as `model.2.cv1.conv`.
        address: Block and index, such as `2.0`.
        block: Index of its block.
        index: Its position among the block's `Conv2d`, in module order, from 0.
        in_channels: Channels it takes.
        out_channels: Channels it makes.
        emitter: Qualified name of the module whose output carries its channels: the Ultralytics `Conv` around it
            (convolution, BatchNorm, activation), otherwise the `Conv2d` itself.
        norm: Qualified name of its BatchNorm; None if it has none.
    """

    name: str
    address: str
    block: int
    index: int
    in_channels: int
    out_channels: int
    emitter: str
    norm: str | None


def layers_of(model: nn.Module) -> tuple[Layer, ...]:
    """All `Conv2d` of a model, block by block, in module order within each block.

    Raises:
        UserError: It is no Ultralytics model.
    """
    return tuple(layer for block, _ in enumerate(block_modules(model)) for layer in layers_of_block(model, block))


def layers_of_block(model: nn.Module, block: int) -> tuple[Layer, ...]:
    """The `Conv2d` of one block, in module order.

    Raises:
        UserError: It is no Ultralytics model.
    """
    root = f"model.{block}"
    modules = dict(block_modules(model)[block].named_modules(prefix=root))
    convolutions = ((name, module) for name, module in modules.items() if isinstance(module, nn.Conv2d))
    found = []
    for index, (name, conv) in enumerate(convolutions):
        wrapper = name.rpartition(".")[0]
        emitter, norm = _belongings(name, conv, wrapper, modules.get(wrapper))
        address = f"{block}.{index}"
        found.append(Layer(name, address, block, index, conv.in_channels, conv.out_channels, emitter, norm))
    return tuple(found)


def block_modules(model: nn.Module) -> tuple[nn.Module, ...]:
    """The entries of Ultralytics' `model.model`.

    Raises:
        UserError: It is no Ultralytics model.
    """
    blocks = getattr(model, "model", None)
    if not isinstance(blocks, nn.Sequential) or not all(_routed(blocks)):
        raise UserError("not an Ultralytics model: it has no list of blocks", value=type(model).__name__)
    return tuple(blocks)


def _routed(blocks: nn.Sequential) -> Iterator[bool]:
    # Ultralytics notes on every block its index `i` and the blocks `f` that it takes its input from.
    return (hasattr(block, "i") and hasattr(block, "f") for block in blocks)


def _belongings(name: str, conv: nn.Conv2d, wrapper_name: str, wrapper: nn.Module | None) -> tuple[str, str | None]:
    from yolo_prune_check.model.quiet import prepare_ultralytics

    prepare_ultralytics()
    from ultralytics.nn.modules.conv import Conv

    if not isinstance(wrapper, Conv) or getattr(wrapper, "conv", None) is not conv:
        return name, None
    norm = getattr(wrapper, "bn", None)  # a fused model has none
    return wrapper_name, f"{wrapper_name}.bn" if isinstance(norm, nn.BatchNorm2d) else None
