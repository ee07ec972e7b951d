"""Whether an exported ONNX file is well-formed and computes what the model does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import torch

from yolo_prune_check.confirm.check import Check
from yolo_prune_check.confirm.closeness import Tensors, compared, relative_error
from yolo_prune_check.confirm.standalone import first_line

VALID: Final = "ONNX file passes onnx.checker"
EQUAL: Final = "ONNX equals PyTorch"
TOLERANCE: Final = 1e-4
"""Relative, in float32: onnxruntime fuses and reorders what PyTorch adds up one by one."""
FLOOR: Final = 0.01
"""What errors of decoded outputs are relative to at least: scores far below it are as exact as a sigmoid can be."""
SHARE: Final = 0.1
"""Share of a whole tensor's magnitude that errors in it are relative to at least, before the head."""
SCORES: Final = "class scores before the sigmoid"

_MODULES = ("onnx", "onnxruntime")
_TOO_SMALL = "output model too small"
"""What Ultralytics raises of a file below 0.1 MB, after it has written it."""


def missing() -> str | None:
    """Why nothing can be said of ONNX here; None if the extra is installed."""
    absent = [name for name in _MODULES if find_spec(name) is None]
    return f"{' and '.join(absent)} not installed: pip install 'yolo-prune-check[onnx]'" if absent else None


def onnx_checks(
    exported: Path | None, error: str | None, wanted: Tensors, image: torch.Tensor, head: int
) -> tuple[Check, ...]:
    """Check an exported file; the packages are there.

    Decoded boxes and scores hide errors. So the values that come into the head and the class scores before the sigmoid
    are compared as well, wherever the file's own names of its values tell which they are.

    Args:
        exported: The file, or None if the export failed.
        error: Why it failed.
        wanted: Outputs of the model in export mode, ``output 0`` and so on; inputs of the head, ``input 0 of the
            head`` and so on; and ``SCORES`` if there are any.
        image: ``(1, C, H, W)``, float32, on the CPU, which they were computed from.
        head: Number of the head's block.
    """
    small = error is not None and _TOO_SMALL in error
    if exported is None or (error is not None and not small):
        why = f"the export failed: {error}"
        return Check(VALID, False, None, why), Check(EQUAL, False, None, why)
    valid = _valid(exported)
    if small:
        valid = replace(valid, detail=f"{valid.detail}; Ultralytics writes it, and raises that it is too small")
    return valid, _equal(exported, wanted, image, head)


def _valid(exported: Path) -> Check:
    import onnx

    try:
        onnx.checker.check_model(str(exported), full_check=True)
    except Exception as error:  # noqa: BLE001  # the checker's verdict: it has exceptions of several kinds
        return Check(VALID, False, None, first_line(error))
    return Check(VALID, True, None, f"onnx {onnx.__version__}, shapes inferred")


def _equal(exported: Path, wanted: Tensors, image: torch.Tensor, head: int) -> Check:
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors alone: what it thinks of the graph is not asked here
    try:
        model = onnx.load(str(exported))
        outputs = [output.name for output in model.graph.output]
        inputs, scores = list(_head_inputs(model.graph, head)), list(_sigmoid_inputs(model.graph, head))
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys([*inputs, *scores]))
        session: Any = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        names = [*outputs, *inputs, *scores]
        arrays = session.run(names, {session.get_inputs()[0].name: image.numpy()})
    except Exception as error:  # noqa: BLE001  # onnxruntime's exceptions share no base class
        return Check(EQUAL, False, None, first_line(error))
    found = dict(zip(names, map(torch.from_numpy, arrays), strict=True))
    got = {f"output {number}": found[name] for number, name in enumerate(outputs)}
    got |= {f"input {number} of the head": found[name] for number, name in enumerate(inputs)}
    if SCORES in wanted:
        alike = [found[name] for name in scores if found[name].shape == wanted[SCORES].shape]
        if alike:
            got[SCORES] = min(alike, key=lambda tensor: relative_error(wanted[SCORES], tensor))
    setting = f"float32, onnxruntime {onnxruntime.__version__}, exported by Ultralytics"
    # Of the smallest maps a channel is a number or a few, and may be next to nothing beside the others.
    floors = {
        name: FLOOR if name.startswith("output") else SHARE * float(tensor.abs().max())
        for name, tensor in wanted.items()
    }
    return compared(EQUAL, wanted, got, TOLERANCE, setting, floors)


def _head_inputs(graph: Any, head: int) -> Iterator[str]:
    """Values that other blocks make and the head's block reads, in the order in which it first does.

    PyTorch names the nodes of a file by the module that they come from, as in ``/model.22/cv2.0/conv/Conv``.
    """
    prefix = f"/model.{head}/"
    producers = {output: node.name for node in graph.node for output in node.output}
    seen: dict[str, None] = {}
    for node in graph.node:
        if node.name.startswith(prefix):
            seen |= {name: None for name in node.input if producers.get(name, "").startswith("/model.")}
    yield from (name for name in seen if not producers[name].startswith(prefix))


def _sigmoid_inputs(graph: Any, head: int) -> Iterator[str]:
    """What the head itself, not a part of it, takes the sigmoid of."""
    prefix = f"/model.{head}/Sigmoid"
    yield from (node.input[0] for node in graph.node if node.op_type == "Sigmoid" and node.name.startswith(prefix))
