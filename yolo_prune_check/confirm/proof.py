"""The proof of a pruned model: it computes what the model of full width does whose removed channels are silent.

On random and real images, at several sizes, in eval mode, after ``fuse()``, by its modules' second forwards (those that
Ultralytics' exporter uses), and in the gradients of train mode. All in float64, where 1e-9 relative is far above the
noise of sums in another order and far below any wrong channel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from math import inf, isfinite
from typing import Any

import torch
from torch import nn

from yolo_prune_check.confirm.alike import unlike
from yolo_prune_check.confirm.check import Check
from yolo_prune_check.confirm.meant import WRONG, Difference, Images, difference, distance, silencing
from yolo_prune_check.confirm.probe import probe_images, tensors_of
from yolo_prune_check.confirm.standalone import told
from yolo_prune_check.confirm.widths import stale_widths
from yolo_prune_check.prune.copied import copied
from yolo_prune_check.prune.reference import Reference
from yolo_prune_check.prune.scatter import adapters_in, names_without_adapters, numbers_without_adapters
from yolo_prune_check.prune.second import SECOND, second_forwards

_BATCH = 2
"""Images in train mode: batch statistics need several numbers for each channel."""
_NOISE = 1e-6
"""Share of the model's largest gradient below which a parameter's own are noise of sums, as a bias's before a norm."""

Photographs = Callable[[int], torch.Tensor]
"""Real images ``(N, C, size, size)`` in [0, 1] of a size in pixels."""


def prove(
    reference: Reference, pruned: nn.Module, sizes: Sequence[int], photographs: Photographs | None = None
) -> tuple[Check, ...]:
    """Compare a pruned model with what was meant, in every way in which it may be used.

    Args:
        reference: What was meant.
        pruned: The model after the plan, which runs. Neither is changed.
        sizes: Image sizes in pixels.
        photographs: Real images; None for none.

    Returns:
        One row for each comparison, the largest relative error in it, and, where it is too large, the first module that
        was given something else than was meant. Where running the pruned model raises an error, that is said.
    """
    return tuple(_rows(reference, pruned, sizes, photographs))


def _rows(
    reference: Reference, pruned: nn.Module, sizes: Sequence[int], photographs: Photographs | None
) -> Iterator[Check]:
    for size in sizes:
        for kind, images in _images(size, photographs):
            yield _row(f"eval, {kind}, {size} px", partial(difference, reference, pruned, size, images))
    size = sizes[0]
    if hasattr(pruned, "fuse"):
        name = f"fused, random image, {size} px"
        lost = _lost_by_fusing(pruned)
        if lost is None:
            yield _row(name, partial(_fused_difference, reference, pruned, size))
        else:
            yield Check(name, None, None, f"{lost}: use the model unfused")
    if any(hasattr(module, SECOND) for module in pruned.modules()):
        second = partial(_second_difference, reference, pruned, size)
        yield _row(f"forward for export, random image, {size} px", second)
    if reference.cut is not None:
        # Where a batch norm sees but one number of each image, gradients are differences of numbers that are alike.
        size = max(sizes)
        yield _row(f"gradients in train mode, {size} px", partial(_gradients, reference, reference.cut, pruned, size))
        yield _row("parameters and buffers", partial(_numbers_apart, reference.model, reference.cut, pruned))
    if adapters_in(pruned):
        return  # a layer with an adapter is another module, narrower than what it says, and emits just that
    stale = stale_widths(pruned)
    yield Check("width attributes", not stale, None, "; ".join(stale) or "modules say of their widths what is true")
    if reference.cut is not None:
        other = _told_otherwise(reference.model, reference.cut, pruned)
        yield Check("modules and settings", other is None, None, other or "names of classes and all else are as before")


def _lost_by_fusing(pruned: nn.Module) -> str | None:
    """Why ``fuse()`` cannot be used on a model with adapters, as where it adds the branches of a block; else None."""
    adapters = adapters_in(pruned)
    if not adapters:
        return None
    fused: Any = copied(pruned)
    try:
        fused.fuse(verbose=False)
    except Exception as error:  # noqa: BLE001  # it is another's method, and what it makes of our modules is its result
        return f"fuse() raises: {_raised(error)}"
    left = adapters_in(fused)
    return next((f"fuse() loses the adapter behind {place}" for place in adapters if place not in left), None)


def _images(size: int, photographs: Photographs | None) -> Iterator[tuple[str, Images]]:
    yield "random image", partial(probe_images, imgsz=size)
    if photographs is not None:
        yield "photographs", partial(_placed, photographs(size))


def _placed(images: torch.Tensor, model: nn.Module) -> torch.Tensor:
    parameter = next(model.parameters())
    return images.to(parameter.device, parameter.dtype)


def _row(name: str, compare: Callable[[], Difference]) -> Check:
    try:
        found = compare()
    except Exception as error:  # noqa: BLE001  # whatever the pruned model raises disproves it
        return Check(name, False, None, f"it raises: {_raised(error)}")
    if found.relative is None:
        return Check(name, False, None, "the outputs have other shapes than were meant")
    passed = found.first is None and found.relative <= WRONG
    return Check(name, passed, found.relative, "" if passed else f"first wrong at {found.first}")


def _raised(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _fused_difference(reference: Reference, pruned: nn.Module, size: int) -> Difference:
    """Fused in float64: rounding of the fold would hide what is wrong."""
    wide, small = (copied(model).double().eval() for model in (reference.model, pruned))
    for model in (wide, small):
        fuse: Any = model.fuse
        fuse(verbose=False)
    return difference(replace(reference, model=wide), small, size)


def _second_difference(reference: Reference, pruned: nn.Module, size: int) -> Difference:
    small = copied(pruned)
    with second_forwards(small):
        return difference(reference, small, size)


def _gradients(reference: Reference, cut: Callable[[nn.Module], None], pruned: nn.Module, size: int) -> Difference:
    """Gradients of what is left, of a fixed random sum of all outputs, with batch statistics.

    Not of features that a head hands on and that are narrower in one of the two. Whether a parameter is to be trained
    says nothing about the model, and a loaded one has often none that is: all have gradients here.
    """
    with _in_double():
        wide, small = (copied(model).double().train().requires_grad_(True) for model in (reference.model, pruned))
        images = probe_images(small, size, count=_BATCH)
        with silencing(reference, wide, size):
            meant = _differentiable(wide, images)
        outputs = meant, _differentiable(small, images)
        pairs = [(one, other) for one, other in zip(*outputs, strict=True) if one.shape == other.shape]
        wrong = max((_relative(one.detach(), other.detach()) for one, other in pairs), default=0.0)
        generator = torch.Generator().manual_seed(0)
        for pair in pairs:
            weights = torch.rand(pair[0].shape, generator=generator, dtype=torch.float64).to(pair[0].device)
            for output in pair:
                torch.autograd.backward((output * weights).sum(), retain_graph=True)
    for model in (wide, small):
        for parameter in model.parameters():
            parameter.data = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
    cut(wide)
    found = _apart(*(_parameters(model) for model in (wide, small)))
    if found.relative is None:
        return found
    largest = max(found.relative, wrong)
    return Difference(largest, largest, found.first or ("outputs" if wrong > WRONG else None))


def _numbers_apart(wide: nn.Module, cut: Callable[[nn.Module], None], pruned: nn.Module) -> Difference:
    """How far what is left of the parameters and buffers is from them, also where no output or gradient depends on it.

    As what only a loss reads, the biases of last layers, and the settings of batch norms, which are numbers as well.
    """
    meant = copied(wide)
    cut(meant)
    wanted, got = _numbers_of(meant), _numbers_of(pruned)
    if odd := [name for name in (*wanted, *got) if not (name in wanted and name in got)]:
        return Difference(inf, inf, odd[0])
    largest, first = 0.0, None
    for name, tensor in got.items():
        if tensor.shape != wanted[name].shape:
            return Difference(None, None, name)
        relative = _relative(wanted[name], tensor)
        largest = max(largest, relative)
        if relative > WRONG and first is None:
            first = name
    return Difference(largest, largest, first)


def _told_otherwise(wide: nn.Module, cut: Callable[[nn.Module], None], pruned: nn.Module) -> str | None:
    """What the pruned model says of itself that the other one does not: no output depends on the names of classes."""
    meant = copied(wide)
    cut(meant)
    return unlike(told(meant), told(pruned))


def _numbers_of(model: nn.Module) -> dict[str, torch.Tensor]:
    found = {name: tensor.detach().cpu().double() for name, tensor in numbers_without_adapters(model).items()}
    name_of = names_without_adapters(model)
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            momentum = -1.0 if module.momentum is None else module.momentum
            found[f"{name_of(f'{name}.')}eps and momentum"] = torch.tensor([module.eps, momentum]).double()
    return found


def _relative(wanted: torch.Tensor, got: torch.Tensor) -> float:
    error, scale = distance(wanted, got)
    return error / scale if scale else inf if error else 0.0


def _differentiable(model: nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
    """The outputs that have gradients, of a pass in which nothing is dropped and all that is drawn is the same."""
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.eval()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return [tensor for tensor in tensors_of(model(images)) if tensor.requires_grad]


def _parameters(model: nn.Module) -> dict[str, torch.Tensor]:
    names = names_without_adapters(model)
    return {names(name): parameter.detach() for name, parameter in model.named_parameters()}


def _apart(wanted: Mapping[str, torch.Tensor], got: Mapping[str, torch.Tensor]) -> Difference:
    """How far gradients are apart, as shares of the parameter's largest, or of the noise of the model's largest."""
    noise = _NOISE * max(float(gradient.abs().max()) for gradient in wanted.values() if gradient.numel())
    largest, first = 0.0, None
    if odd := [name for name in (*wanted, *got) if not (name in wanted and name in got)]:
        return Difference(inf, inf, odd[0])
    for name, gradient in got.items():
        meant = wanted[name]
        if meant.shape != gradient.shape:
            return Difference(None, None, name)
        if not meant.numel():
            continue
        relative = float((gradient - meant).abs().max()) / max(float(meant.abs().max()), noise)
        relative = relative if isfinite(relative) else inf  # what is no number must not pass for a small one
        largest = max(largest, relative)
        if relative > WRONG and first is None:
            first = name
    return Difference(largest, largest, first)


@contextmanager
def _in_double() -> Iterator[None]:
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(default)
