"""Deliberate mistakes in a pruned model, each with the row of the proof that has to find it, and where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import Plan, Step

Corruption = Callable[[nn.Module, nn.Module], None]
"""Changes the pruned model, given first; the second is the untouched one, from which it may take numbers."""

EVAL, EXPORT = "eval, random image, 64 px", "forward for export, random image, 64 px"
GRADIENTS, WIDTHS = "gradients in train mode, 96 px", "width attributes"
SETTINGS = "modules and settings"
PARTS = ("weight", "bias", "running_mean", "running_var")


@dataclass(frozen=True)
class Fault:
    """A mistake, and the first row of the proof that fails."""

    name: str
    corrupt: Corruption
    detail: str
    row: str = EVAL


def at(module: str) -> str:
    """What a row says whose numbers are wrong."""
    return f"first wrong at {module}"


def v8_plan(graph: ChannelGraph) -> Plan:
    """A safe plan on a YOLOv8n: a plain layer, a bottleneck, C2f's halves, a concat's first part, SPPF, the head."""

    def keep(layer: str, *channels: range) -> Step:
        return Step(layer, [channel for part in channels for channel in part])

    head = "model.22.cv3.0.0.conv"
    return Plan(
        [
            keep("model.1.conv", range(0, 32, 2)),
            keep("model.4.m.0.cv1.conv", range(5, 32)),
            keep("model.4.cv1.conv", range(4, 32), range(36, 64)),
            keep("model.6.cv2.conv", range(8, 128)),
            keep("model.9.cv1.conv", range(0, 128, 2)),
            keep(head, range(7, graph.layers[head].out_channels)),
        ],
        "group",
    )


def tensors(model: nn.Module, module: str) -> dict[str, torch.Tensor]:
    """Numbers of a batch norm or convolution, which may be written into."""
    return {name: tensor.data for name, tensor in model.get_submodule(module).state_dict().items()}


def put(model: nn.Module, module: str, weight: torch.Tensor) -> None:
    """Give a convolution another weight, and true widths."""
    layer = model.get_submodule(module)
    assert isinstance(layer, nn.Conv2d)
    layer.weight = nn.Parameter(weight.detach().clone())
    layer.out_channels, layer.in_channels = weight.shape[0], weight.shape[1] * layer.groups


def taken(conv: str, norm: str, rows: Sequence[int], columns: Sequence[int]) -> Corruption:
    """A layer and its batch norm with these of the untouched model's numbers."""

    def corrupt(small: nn.Module, full: nn.Module) -> None:
        put(small, conv, tensors(full, conv)["weight"][list(rows)][:, list(columns)])
        module, numbers = small.get_submodule(norm), tensors(full, norm)
        assert isinstance(module, nn.BatchNorm2d)
        module.weight, module.bias = (nn.Parameter(numbers[part][list(rows)].clone()) for part in PARTS[:2])
        module.running_mean, module.running_var = (numbers[part][list(rows)].clone() for part in PARTS[2:])
        module.num_features = len(rows)

    return corrupt


def both(*corruptions: Corruption) -> Corruption:
    def corrupt(small: nn.Module, full: nn.Module) -> None:
        for corruption in corruptions:
            corruption(small, full)

    return corrupt


def shifted(module: str, part: str, index: int) -> Corruption:
    """One number a thousandth larger, and a thousandth added."""

    def corrupt(small: nn.Module, full: nn.Module) -> None:
        tensor = tensors(small, module)[part]
        tensor[index] += 1e-3 * (1 + tensor[index])

    return corrupt


def ordered(modules: Sequence[str], order: Callable[[int], Sequence[int]]) -> Corruption:
    """All numbers of these modules in another order of their channels."""

    def corrupt(small: nn.Module, full: nn.Module) -> None:
        for module in modules:
            for tensor in tensors(small, module).values():
                if tensor.ndim:  # not the number of batches
                    tensor.copy_(tensor[list(order(len(tensor)))])

    return corrupt


def copied_over(module: str, part: str, index: int, source: int) -> Corruption:
    """One number, or row, from a channel of the untouched model."""

    def corrupt(small: nn.Module, full: nn.Module) -> None:
        tensors(small, module)[part][index] = tensors(full, module)[part][source]

    return corrupt


def column(conv: str, index: int, source: int, rows: slice = slice(None)) -> Corruption:
    """One column of the untouched model in another's place."""

    def corrupt(small: nn.Module, full: nn.Module) -> None:
        tensors(small, conv)["weight"][:, index] = tensors(full, conv)["weight"][rows, source]

    return corrupt


def weights(conv: str, change: Callable[[torch.Tensor], torch.Tensor], *, of_full: bool = False) -> Corruption:
    """Another weight, made of the pruned model's own or of the untouched one's."""

    def corrupt(small: nn.Module, full: nn.Module) -> None:
        put(small, conv, change(tensors(full if of_full else small, conv)["weight"]))

    return corrupt


def attribute(module: str, name: str, value: object) -> Corruption:
    """An attribute that holds something else."""

    def corrupt(small: nn.Module, full: nn.Module) -> None:
        setattr(small.get_submodule(module), name, value)

    return corrupt


def in_half(small: nn.Module, full: nn.Module) -> None:
    """All weights as a checkpoint in float16 holds them."""
    small.half().float()


def names_exchanged(small: Any, full: nn.Module) -> None:
    small.names = {**small.names, 0: small.names[1], 1: small.names[0]}


def freeze(norm: str) -> Corruption:
    """A batch norm that never learns: in eval mode it is the same."""

    def corrupt(small: nn.Module, full: nn.Module) -> None:
        owner, _, name = norm.rpartition(".")
        old = small.get_submodule(norm)
        assert isinstance(old, nn.BatchNorm2d)
        frozen = FrozenBatchNorm2d(old.num_features, old.eps)
        frozen.load_state_dict({part: tensors(small, norm)[part] for part in PARTS})
        setattr(small.get_submodule(owner), name, frozen)

    return corrupt


def first_two_swapped(count: int) -> list[int]:
    return [1, 0, *range(2, count)]


def halves_swapped(count: int) -> list[int]:
    return [*range(count // 2, count), *range(count // 2)]


_KEPT_HALF = [*range(4, 32)]

NUMBERS = (
    Fault(
        "the concat-offset trap: inputs 0-7 are gone instead of 256-263",
        weights("model.12.cv1.conv", lambda weight: weight[:, 8:], of_full=True),
        at("model.12.m.0.cv1.conv"),
    ),
    Fault(
        "the uneven halves trap: all 8 channels from the first half of C2f's chunk",
        taken("model.4.cv1.conv", "model.4.cv1.bn", range(8, 64), range(64)),
        at("model.4.cv2.conv"),  # the other half, which the bottlenecks read, is as it was meant
    ),
    Fault("two filters exchanged", ordered(["model.1.conv"], first_two_swapped), at("model.2.cv1.conv")),
    Fault(
        "the halves of a chunk exchanged",
        ordered(["model.4.cv1.conv", "model.4.cv1.bn"], halves_swapped),
        at("model.4.m.0.cv1.conv"),
    ),
    Fault("another column read", column("model.2.cv1.conv", 3, 7), at("model.2.m.0.cv1.conv")),
    Fault(
        "another channel kept, as many as meant",
        both(
            *(copied_over("model.1.bn", part, 5, 11) for part in PARTS),
            copied_over("model.1.conv", "weight", 5, 11),
        ),
        at("model.2.cv1.conv"),
    ),
    Fault(
        "another channel kept, and read as that channel",
        both(
            *(copied_over("model.1.bn", part, 5, 11) for part in PARTS),
            copied_over("model.1.conv", "weight", 5, 11),
            column("model.2.cv1.conv", 5, 11),
        ),
        at("model.2.cv1.conv"),
    ),
    Fault(
        "a residual partner cut at other channels",
        taken("model.4.m.0.cv2.conv", "model.4.m.0.cv2.bn", range(28), range(5, 32)),
        at("model.4.m.1.cv1.conv"),
    ),
    Fault(
        "running mean and variance of a removed channel",
        both(copied_over("model.1.bn", "running_mean", 0, 1), copied_over("model.1.bn", "running_var", 0, 1)),
        at("model.2.cv1.conv"),
    ),
    Fault("a bias of the head's last layer shifted", shifted("model.22.cv3.0.2", "bias", 3), at("outputs")),
    Fault("a ReLU for a SiLU", attribute("model.7", "act", nn.ReLU()), at("model.8.cv1.conv")),
)
"""Mistakes in numbers: they can be made in any YOLOv8n, and all have them at the same place."""

SHIFTED = tuple(
    Fault(f"{part} of a batch norm shifted", shifted("model.9.cv1.bn", part, 9), at("model.9.cv2.conv"))
    for part in PARTS
)

FROZEN = Fault("a frozen batch norm", freeze("model.1.bn"), at("model.1.bn.weight"), GRADIENTS)

OTHERS = (
    Fault("rounding to float16: the same model in other numbers", in_half, at("model.1.conv")),
    Fault("a filter's weight shifted", shifted("model.6.m.1.cv2.conv", "weight", 0), at("model.6.cv2.conv")),
    Fault("PyTorch's own epsilon", attribute("model.9.cv1.bn", "eps", 1e-5), at("model.9.cv2.conv")),
    Fault("a residual add that is lost", attribute("model.2.m.0", "add", False), at("model.2.cv2.conv")),
    Fault("another resampling", attribute("model.10", "mode", "bilinear"), at("model.12.cv1.conv")),
    Fault("other strides in the head", attribute("model.22", "stride", torch.tensor([8.0, 16.0, 16.0])), at("outputs")),
    Fault(
        "a layer that was not pruned, nor what reads it",
        both(
            taken("model.4.m.0.cv1.conv", "model.4.m.0.cv1.bn", range(32), _KEPT_HALF),
            weights("model.4.m.0.cv2.conv", lambda weight: weight[_KEPT_HALF], of_full=True),
        ),
        at("model.4.m.0.cv2.conv"),
    ),
    Fault(
        "a layer that was not pruned, though what reads it was",
        taken("model.4.m.0.cv1.conv", "model.4.m.0.cv1.bn", range(32), _KEPT_HALF),
        "it raises: Given groups=1, weight of size [28, 27, 3, 3], expected input[1, 32, 8, 8] to have 27 channels, "
        "but got 32 channels instead",
    ),
    Fault(
        "a column too many",
        weights("model.7.conv", lambda weight: torch.cat([weight, weight[:, :1]], 1)),
        "it raises: Given groups=1, weight of size [256, 121, 3, 3], expected input[1, 120, 4, 4] to have 121 "
        "channels, but got 120 channels instead",
    ),
    Fault(
        "a column too few",
        weights("model.7.conv", lambda weight: weight[:, 1:]),
        "it raises: Given groups=1, weight of size [256, 119, 3, 3], expected input[1, 120, 4, 4] to have 119 "
        "channels, but got 120 channels instead",
    ),
    Fault(
        "C2f's width as it was",
        attribute("model.4", "c", 32),
        "it raises: split_with_sizes expects split_sizes to sum exactly to 56 (input tensor's size at dimension 1), "
        "but got split_sizes=[32, 32]",
        EXPORT,
    ),
    Fault(
        "a convolution's inputs as they were",
        attribute("model.2.cv1.conv", "in_channels", 32),
        "model.2.cv1.conv: in_channels says 32, the weights say 16",
        WIDTHS,
    ),
    Fault(
        "a convolution's outputs as they were",
        attribute("model.1.conv", "out_channels", 32),
        "model.1.conv: out_channels says 32, the weights say 16",
        WIDTHS,
    ),
    Fault(
        "a batch norm's features as they were",
        attribute("model.1.bn", "num_features", 32),
        "model.1.bn: num_features says 32, the weights say 16",
        WIDTHS,
    ),
    Fault(
        "names of classes exchanged",
        names_exchanged,
        "the network says names[0] = 1, not 0",
        SETTINGS,
    ),
    Fault("fewer detections", attribute("model.22", "max_det", 1), "model.22 says max_det = 1, not nothing", SETTINGS),
    Fault(
        "a dropout behind an activation",
        attribute("model.3", "act", nn.Sequential(nn.SiLU(), nn.Dropout(0.5))),
        "model.3.act is not meant to be there",
        SETTINGS,
    ),
    FROZEN,
)
