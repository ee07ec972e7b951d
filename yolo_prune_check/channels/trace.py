"""Record one small forward pass: which operators ran, on which values, inside which module.

ATen calls are recorded by a ``TorchDispatchMode``. Some things are gone by the time ATen sees them, so that a
``TorchFunctionMode`` around it keeps them: that a ``split`` was a ``chunk`` (whose sizes follow the tensor), that a
size was read from a tensor's shape, and that several calls with computed sizes were one ``matmul`` or ``reshape``.
"""

from __future__ import annotations

import torch
from torch import nn

from yolo_prune_check.channels.assemble import program_of
from yolo_prune_check.channels.modes import Dispatch, Functions, Writes
from yolo_prune_check.channels.naming import RunningNames
from yolo_prune_check.channels.program import Program
from yolo_prune_check.channels.recorder import Recorder
from yolo_prune_check.channels.sizes import Attribute, Dim, Remembered
from yolo_prune_check.channels.traceable import check_traceable
from yolo_prune_check.channels.unchanged import unchanged
from yolo_prune_check.channels.widths import name_widths
from yolo_prune_check.errors import UserError
from yolo_prune_check.images import image_channels

_NUMBERS = frozenset({int, torch.Size, list, tuple})  # what a module may hold whole numbers as


def trace_training(model: nn.Module, imgsz: int) -> Program | None:
    """The same, by the ways that the model's own code goes in training: norms and dropouts stay in eval mode.

    Returns:
        None where it cannot be traced so: it may want labels, or more than one image. What it reads is not known then.
    """
    try:
        return trace_program(model, imgsz, training=True)
    except UserError:
        return None


def trace_program(model: nn.Module, imgsz: int, *, training: bool = False) -> Program:
    """Run one image of zeros through the model and record the pass.

    The model is left as it was: parameters, buffers, attributes, hooks and train/eval mode; and so are random numbers.

    Args:
        model: Any module that takes an image batch ``(1, C, imgsz, imgsz)``; ``images`` says which C.
        imgsz: Height and width of the image, in pixels.
        training: Whether modules are told that they are in training, but for PyTorch's own.

    Raises:
        UserError: The model cannot be traced, or does not run on such an image.
    """
    naming = RunningNames(model)
    check_traceable(naming.first)
    recorder = Recorder(naming)
    with unchanged(tuple(naming.first), recorder.memory.overwritten), torch.no_grad():
        if not all(map(_is_evaluating, naming.first)):
            model.eval()
        if training:
            for module in naming.first:
                module.training = not type(module).__module__.startswith("torch.")
        _name_numbers(recorder)
        image = _image(model, imgsz)
        recorder.tape.image = recorder.tape.add(image, derived=True)
        try:
            with recorder.modules.listening(), recorder.uses.listening(), Dispatch(recorder), Functions(recorder):
                output = model(image)
        except Exception as error:
            _blame_the_model(model, imgsz, recorder, error)
            raise
    return program_of(recorder, output)


def _is_evaluating(module: nn.Module) -> bool:
    """Whether a module is in eval mode, and has no idea of its own of how to get there: it need not be told."""
    usual = (nn.Module.eval, nn.Module.train)
    known = (getattr(module.eval, "__func__", None), getattr(module.train, "__func__", None)) == usual
    return known and not module.training


def _image(model: nn.Module, imgsz: int) -> torch.Tensor:
    parameter = next(model.parameters(), torch.zeros(()))
    return torch.zeros(1, image_channels(model), imgsz, imgsz, device=parameter.device, dtype=parameter.dtype)


def _blame_the_model(model: nn.Module, imgsz: int, recorder: Recorder, traced: Exception) -> None:
    """Raise a ``UserError`` if the model does not run without being traced, either; then it is no defect of ours."""
    image = _image(model, imgsz)
    try:
        with Writes(recorder):
            model(image)
    except Exception as error:  # noqa: BLE001  # whatever a model may raise
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"the model does not run on an image of {imgsz} x {imgsz} pixels ({said})",
            value=type(model).__name__,
            hint=f"It was given {' x '.join(map(str, image.shape))} zeros. YOLO models need sizes that are multiples "
            "of 32, some of 64; a model that was pruned must run.",
        ) from traced


def _name_numbers(recorder: Recorder) -> None:
    """Make the whole numbers that modules hold tell which attribute they are, PyTorch's own their weight's width."""
    for module, owner in recorder.tape.names.items():
        name_widths(recorder.tape, module)
        if type(module).__module__.startswith("torch."):
            continue
        attributes = module.__dict__
        for name in [name for name, item in attributes.items() if type(item) in _NUMBERS]:
            item = attributes[name]
            if type(item) is int:
                attributes[name] = Dim(item, Attribute(item, owner, name, recorder.computed))
            elif type(item) is torch.Size:
                attributes[name] = torch.Size(Remembered(size) for size in item)
            elif item and all(type(part) is int for part in item):
                attributes[name] = type(item)(
                    Dim(part, Attribute(part, owner, name, recorder.computed, index, tuple(item)))
                    for index, part in enumerate(item)
                )
