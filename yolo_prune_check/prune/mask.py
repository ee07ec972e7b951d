"""Masking: channels switched off in place, shapes unchanged.

A mask is a promise about weights, kept by writing zeros. Training breaks the promise at every step (the gradient of a
zeroed filter is not zero, nor is that of its BatchNorm), so whoever trains applies the mask again after each step; see
`yolo_prune_check.train`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from yolo_prune_check.channels.plan import MASK_KINDS, MaskKind, Plan
from yolo_prune_check.errors import UserError

_COUNTED = 1e-6


def weight_norm_count(conv: nn.Conv2d) -> int:
    """Filters whose absolute weights sum to more than 1e-6: what the field notes call active channels.

    A zeroed filter is not counted, whether or not its channel still emits something (a phantom channel).
    """
    norms = conv.weight.detach().abs().sum(dim=(1, 2, 3))
    return int((norms > _COUNTED).sum().item())


@dataclass(frozen=True)
class LayerMask:
    """The mask of one layer.

    Attributes:
        layer: Qualified name of a `Conv2d`.
        keep: Output channels that stay, sorted; all others are masked.
        kind: `silent`: filter, bias and the BatchNorm's weight and bias are zero, so that SiLU or ReLU emit zero, in
            eval and in train mode, whatever the running statistics (which are left as they are). `weights`: only
            the filter is zero, as the field notes did; bias and BatchNorm go on emitting a constant.
        norm: Name of the layer's BatchNorm; None if it has none. Ignored by `weights`. One without weight and bias
            cannot be silenced: there `silent` zeroes filter and bias, and the channel emits a constant.
    """

    layer: str
    keep: tuple[int, ...]
    kind: MaskKind
    norm: str | None = None


@dataclass(frozen=True)
class MaskSet:
    """Masks of some layers of one model, valid for every copy of it, on any device and in any dtype.

    >>> model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    >>> masks = MaskSet((LayerMask("0", keep=(0, 2), kind="silent", norm="1"),))
    >>> masks.apply(model)
    >>> model[1].weight.tolist()
    [1.0, 0.0, 1.0, 0.0]
    >>> masks.regrown(model)
    {'0': 0}
    """

    masks: tuple[LayerMask, ...] = ()

    @classmethod
    def from_plan(cls, plan: Plan, norms: Mapping[str, str | None]) -> MaskSet:
        """The masks that a plan asks for.

        Args:
            plan: Its `mask` is the kind; its steps say which channels stay.
            norms: BatchNorm of every layer of the plan, by the layer's name; None for a layer without.

        Raises:
            UserError: A silent mask of a layer that `norms` does not know: it would leave phantom channels.
        """
        masks = []
        for layer, keep in plan.kept().items():
            if plan.mask == "silent" and layer not in norms:
                raise UserError(
                    "a silent mask must know the layer's BatchNorm",
                    where=layer,
                    hint="Name it, or give None for a layer without one.",
                )
            masks.append(LayerMask(layer, keep, plan.mask, norms[layer] if plan.mask == "silent" else None))
        return cls(tuple(masks))

    def __bool__(self) -> bool:
        return bool(self.masks)

    def merge(self, other: MaskSet) -> MaskSet:
        """Both sets at once: a channel that either masks is masked.

        A layer masked in both kinds keeps both masks; the same kind twice keeps what both keep.

        Raises:
            UserError: The two name different BatchNorms for one layer.
        """
        merged: dict[tuple[str, MaskKind], LayerMask] = {}
        for mask in (*self.masks, *other.masks):
            known = merged.get((mask.layer, mask.kind))
            if known is None:
                merged[mask.layer, mask.kind] = mask
                continue
            if known.norm != mask.norm:
                raise UserError("two masks name different BatchNorms", where=mask.layer, value=(known.norm, mask.norm))
            both = tuple(sorted(set(known.keep) & set(mask.keep)))
            merged[mask.layer, mask.kind] = LayerMask(mask.layer, both, mask.kind, mask.norm)
        return MaskSet(tuple(merged.values()))

    def removed(self, model: nn.Module) -> dict[str, tuple[int, ...]]:
        """Masked channels by layer, sorted.

        Raises:
            UserError: A layer or BatchNorm is not in the model, or a channel is out of range.
        """
        found: dict[str, set[int]] = {}
        for mask in self.masks:
            found.setdefault(mask.layer, set()).update(_removed(mask, _conv(model, mask)))
        return {layer: tuple(sorted(channels)) for layer, channels in found.items()}

    @torch.no_grad()
    def apply(self, model: nn.Module) -> None:
        """Write the zeros into `model`, in place.

        Raises:
            UserError: A layer or BatchNorm is not in the model, or a channel is out of range. Nothing is written then.
        """
        for tensor, channels, _mask in list(self._targets(model)):
            tensor.index_fill_(0, channels, 0)

    @torch.no_grad()
    def stop_gradients(self, model: nn.Module) -> None:
        """Zero the gradients of everything masked, so that it neither moves nor counts when gradients are clipped.

        Raises:
            UserError: As `apply`.
        """
        for tensor, channels, _mask in list(self._targets(model)):
            if tensor.grad is not None:
                tensor.grad.index_fill_(0, channels, 0)

    @torch.no_grad()
    def regrown(self, model: nn.Module) -> dict[str, int]:
        """Per layer, how many masked channels have a non-zero value where the mask wrote zero.

        Raises:
            UserError: As `apply`.
        """
        back: dict[str, set[int]] = {mask.layer: set() for mask in self.masks}
        for tensor, channels, mask in self._targets(model):
            # "not zero" rather than "above zero": NaN has come back, too.
            alive = tensor[channels].reshape(len(channels), -1).ne(0).any(dim=1)
            back[mask.layer].update(channels[alive].tolist())
        return {layer: len(channels) for layer, channels in back.items()}

    def parameters(self, model: nn.Module) -> list[tuple[nn.Module, str]]:
        """Every module that a mask writes zeros into, with the name that its parameter has there.

        Raises:
            UserError: As `apply`.
        """
        masks = [mask for mask in self.masks if _removed(mask, _conv(model, mask))]
        return [place for mask in masks for place in _masked_parameters(model, mask)]

    def _targets(self, model: nn.Module) -> Iterator[tuple[torch.Tensor, torch.Tensor, LayerMask]]:
        """Every tensor that a mask zeroes, with the indices along its first axis."""
        for mask in self.masks:
            conv = _conv(model, mask)
            channels = torch.tensor(_removed(mask, conv), dtype=torch.long, device=conv.weight.device)
            if len(channels):
                for module, name in _masked_parameters(model, mask):
                    yield getattr(module, name), channels, mask


def _conv(model: nn.Module, mask: LayerMask) -> nn.Conv2d:
    try:
        module = model.get_submodule(mask.layer)
    except AttributeError:
        raise UserError("no such layer", where=mask.layer, hint="The model was built or changed differently.") from None
    if not isinstance(module, nn.Conv2d):
        raise UserError("only a Conv2d can be masked", where=mask.layer, value=type(module).__name__)
    return module


def _norm(model: nn.Module, mask: LayerMask) -> nn.BatchNorm2d | nn.SyncBatchNorm | None:
    if mask.norm is None:
        return None
    try:
        module = model.get_submodule(mask.norm)
    except AttributeError:
        module = None
    if not isinstance(module, (nn.BatchNorm2d, nn.SyncBatchNorm)):
        raise UserError(
            "no BatchNorm to silence here",
            where=mask.norm,
            value=type(module).__name__,
            hint="A fused model has none left; load the unfused one.",
        )
    width = _conv(model, mask).out_channels
    if module.num_features != width:
        raise UserError(f"the BatchNorm of {mask.layer} has another width", where=mask.norm, value=module.num_features)
    return module


def _masked_parameters(model: nn.Module, mask: LayerMask) -> list[tuple[nn.Module, str]]:
    conv = _conv(model, mask)
    places: list[tuple[nn.Module, str]] = [(conv, "weight")]
    if mask.kind == "silent":
        norm = _norm(model, mask)
        places += [(conv, "bias"), *(() if norm is None else ((norm, "weight"), (norm, "bias")))]
    return [(module, name) for module, name in places if getattr(module, name) is not None]


def _removed(mask: LayerMask, conv: nn.Conv2d) -> list[int]:
    if mask.kind not in MASK_KINDS:
        raise UserError("unknown kind of mask", where=mask.layer, value=mask.kind)
    wrong = next((index for index in mask.keep if not 0 <= index < conv.out_channels), None)
    if wrong is not None:
        raise UserError(
            "a kept channel is out of range",
            where=mask.layer,
            value=wrong,
            hint=f"The layer has channels 0 to {conv.out_channels - 1}.",
        )
    kept = set(mask.keep)
    return [channel for channel in range(conv.out_channels) if channel not in kept]
