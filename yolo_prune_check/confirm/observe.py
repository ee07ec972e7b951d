"""Run a pruned model and write down what happened. Reads no prediction and no channel graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
import torchinfo
from torch import nn

from yolo_prune_check.channels.plan import Plan
from yolo_prune_check.channels.prediction import Mismatch
from yolo_prune_check.confirm.errors import read_error
from yolo_prune_check.confirm.junctions import JunctionWatch, SeenPort, active_channels
from yolo_prune_check.confirm.probe import probe_images, tensors_of
from yolo_prune_check.confirm.running import watch
from yolo_prune_check.prune.mask import weight_norm_count


@dataclass(frozen=True)
class Observation:
    """What a pruned model did.

    Attributes:
        failure: The error that its forward pass raised, or None.
        active: Channels with a non-zero output, by layer; of the layers that ran.
        weight_norms: Channels whose filter has a weight above 1e-6, by layer: the field notes' count.
        ports: Channels and active channels at every junction's operands and results, by operator and port.
        shapes: Output shapes by module, one for each time it ran, as torchinfo saw them; empty if the pass raised.
        params: Parameters, as torchinfo counts those of the whole model; None if the pass raised.
        macs: Multiply-accumulates of one image, as torchinfo counts; None if the pass raised.
        max_abs_error: Largest difference to the model that was meant (the one before the plan with the removed
            channels' outputs set to zero), over the inputs of the last module and all outputs, in float64; None if
            the pass raised, the outputs have other shapes, or no model was given to compare with.
        relative_error: The same divided by the largest magnitude that was meant.
    """

    failure: Mismatch | None
    active: dict[str, int]
    weight_norms: dict[str, int]
    ports: dict[tuple[str, str], SeenPort]
    shapes: dict[str, tuple[tuple[int, ...], ...]]
    params: int | None
    macs: int | None
    max_abs_error: float | None
    relative_error: float | None


def observe(
    model: nn.Module | None, pruned: nn.Module, plan: Plan, emitters: Mapping[str, str], imgsz: int
) -> Observation:
    """Run a pruned model on random images and measure it.

    Args:
        model: The model before the plan, for what was meant; None if there is none to compare with.
        pruned: The model after the plan. Neither is changed.
        plan: The plan, for which channels were meant to go.
        emitters: For each layer the module whose output holds its channels: where activity is measured.
        imgsz: Image size in pixels; shapes and the error's words depend on it.
    """
    pruned = deepcopy(pruned).eval()
    norms = {
        name: weight_norm_count(module) for name, module in pruned.named_modules() if isinstance(module, nn.Conv2d)
    }
    failure, active, ports = _run(pruned, emitters, imgsz)
    if failure is not None:
        return Observation(failure, active, norms, ports, {}, None, None, None, None)
    shapes, params, macs = _torchinfo(pruned, imgsz)
    error, relative = (None, None) if model is None else _difference(model, pruned, plan, emitters, imgsz)
    return Observation(None, active, norms, ports, shapes, params, macs, error, relative)


def _run(
    model: nn.Module, emitters: Mapping[str, str], imgsz: int
) -> tuple[Mismatch | None, dict[str, int], dict[tuple[str, str], SeenPort]]:
    failure: Mismatch | None = None
    with _outputs(model, emitters) as outputs, watch(model) as running, torch.no_grad():
        junctions = JunctionWatch(running)
        try:
            with junctions:
                model(probe_images(model, imgsz))
        except (RuntimeError, IndexError, ValueError) as error:
            failure = read_error(error, running.innermost)
    active = {layer: max(active_channels(tensor) for tensor in tensors) for layer, tensors in outputs.items()}
    return failure, active, junctions.ports


@contextmanager
def _outputs(model: nn.Module, emitters: Mapping[str, str]) -> Iterator[dict[str, list[torch.Tensor]]]:
    found: dict[str, list[torch.Tensor]] = {}

    def keep(layer: str) -> Any:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor):
                found.setdefault(layer, []).append(output.detach())

        return hook

    handles = [model.get_submodule(emitter).register_forward_hook(keep(layer)) for layer, emitter in emitters.items()]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _torchinfo(model: nn.Module, imgsz: int) -> tuple[dict[str, tuple[tuple[int, ...], ...]], int, int]:
    names = {id(module): name for name, module in model.named_modules()}
    summary = torchinfo.summary(
        model, input_data=[probe_images(model, imgsz)], verbose=0, depth=1000, col_names=("output_size",)
    )
    shapes: dict[str, tuple[tuple[int, ...], ...]] = {}
    for info in summary.summary_list:
        if info.executed and info.output_size:
            name = names[info.layer_id]
            shapes[name] = (*shapes.get(name, ()), tuple(info.output_size))
    # total_params counts containers again when a module such as a shared activation runs in several places
    return shapes, int(summary.summary_list[0].num_params), int(summary.total_mult_adds)


def _difference(
    model: nn.Module, pruned: nn.Module, plan: Plan, emitters: Mapping[str, str], imgsz: int
) -> tuple[float | None, float | None]:
    meant = deepcopy(model).eval().double()
    handles = [
        meant.get_submodule(emitters[layer]).register_forward_hook(_silence(keep))
        for layer, keep in plan.kept().items()
    ]
    images = probe_images(meant, imgsz)
    try:
        wanted = _features(meant, images)
    finally:
        for handle in handles:
            handle.remove()
    got = _features(pruned.double(), images)
    if [tensor.shape for tensor in wanted] != [tensor.shape for tensor in got]:
        return None, None
    error = max((float((a - b).abs().max()) for a, b in zip(wanted, got, strict=True) if a.numel()), default=0.0)
    scale = max((float(tensor.abs().max()) for tensor in wanted if tensor.numel()), default=0.0)
    return error, error / scale if scale else error


def _silence(keep: tuple[int, ...]) -> Any:
    def hook(module: nn.Module, args: Any, output: torch.Tensor) -> torch.Tensor:
        mask = torch.zeros(output.shape[1], dtype=output.dtype, device=output.device)
        mask[list(keep)] = 1
        return output * mask.view(1, -1, *[1] * (output.ndim - 2))

    return hook


def _features(model: nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
    """Inputs of the last leaf-most child of the model's trunk, and all outputs: decoded boxes alone hide errors."""
    found: list[torch.Tensor] = []

    def hook(module: nn.Module, args: Any) -> None:
        found.extend(tensor.detach().clone() for tensor in tensors_of(args))

    handle = _last_block(model).register_forward_pre_hook(hook)
    try:
        with torch.no_grad():
            output = model(images)
    finally:
        handle.remove()
    return [*found, *(tensor.detach() for tensor in tensors_of(output))]


def _last_block(model: nn.Module) -> nn.Module:
    """Last child of the last container of children: Ultralytics' head, or a classifier's last layer."""
    block = model
    while isinstance(block, nn.Sequential) or block is model:
        children = list(block.children())
        if not children:
            break
        block = children[-1]
    return block
