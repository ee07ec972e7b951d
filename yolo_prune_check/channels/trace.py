"""Record one small forward pass: which operators ran, on which values, inside which module.

ATen calls are recorded by a ``TorchDispatchMode``. Some things are gone by the time ATen sees them, so that a
``TorchFunctionMode`` around it keeps them: that a ``split`` was a ``chunk`` (whose sizes follow the tensor), that a
size was read from a tensor's shape, and that several calls with computed sizes were one ``matmul`` or ``reshape``.
"""

from __future__ import annotations

import torch
from torch import nn

from yolo_prune_check.channels.modes import Dispatch, Functions
from yolo_prune_check.channels.program import Program
from yolo_prune_check.channels.recorder import Recorder
from yolo_prune_check.channels.sizes import Attribute, Dim
from yolo_prune_check.channels.unchanged import unchanged


def trace_program(model: nn.Module, imgsz: int) -> Program:
    """Run one image of zeros through the model and record the pass.

    The model is left as it was: parameters, buffers, attributes, hooks and train/eval mode.

    Args:
        model: Any module that takes an image batch ``(1, 3, imgsz, imgsz)``.
        imgsz: Height and width of the image, in pixels.
    """
    parameter = next(model.parameters(), None)
    device = parameter.device if parameter is not None else torch.device("cpu")
    dtype = parameter.dtype if parameter is not None else torch.float32
    recorder = Recorder(model)
    with unchanged(model, recorder.written), torch.no_grad():
        model.eval()
        _name_numbers(recorder)
        image = torch.zeros(1, 3, imgsz, imgsz, device=device, dtype=dtype)
        recorder.image = recorder.add(image, derived=True)
        with recorder.module_calls(), recorder.comparisons(), Dispatch(recorder), Functions(recorder):
            output = model(image)
    return recorder.program(output)


def _name_numbers(recorder: Recorder) -> None:
    """Make the whole numbers that modules hold tell which attribute they are; PyTorch's own hold no sizes."""
    for module, owner in recorder.names.items():
        if type(module).__module__.startswith("torch."):
            continue
        for name, item in list(module.__dict__.items()):
            if type(item) is int:
                module.__dict__[name] = Dim(item, Attribute(item, owner, name, recorder.computed))
            elif type(item) in (list, tuple) and item and all(type(part) is int for part in item):
                module.__dict__[name] = type(item)(
                    Dim(part, Attribute(part, owner, name, recorder.computed, index, tuple(item)))
                    for index, part in enumerate(item)
                )
