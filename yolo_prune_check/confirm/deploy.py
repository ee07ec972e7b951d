"""Whether the file of a pruned model can be used where this package is not: loaded, fused, traced, exported."""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from yolo_prune_check.confirm import onnx_file
from yolo_prune_check.confirm.alike import unlike
from yolo_prune_check.confirm.check import Check
from yolo_prune_check.confirm.closeness import compared
from yolo_prune_check.confirm.elsewhere import Elsewhere, used_elsewhere
from yolo_prune_check.confirm.probe import probe_images
from yolo_prune_check.confirm.standalone import first_line, seen, told
from yolo_prune_check.confirm.widths import stale_widths
from yolo_prune_check.model.checkpoint import foreign_names
from yolo_prune_check.model.quiet import prepare_ultralytics, quietly
from yolo_prune_check.prune.copied import copied
from yolo_prune_check.prune.second import second_forwards

STOCK: Final = "file asks for stock classes only"
RELOADED: Final = "reloaded file equals the model"
PREDICTS: Final = "plain Ultralytics predicts with the file"
WIDTHS: Final = "width attributes are true"
FUSED: Final = "fused equals unfused"
SPLIT: Final = "export path equals forward"
TRACED: Final = "TorchScript equals PyTorch"

EXACT: Final = 1e-9
"""Relative, in float64, where the same numbers are computed in another order."""
REPEATED: Final = 1e-6
"""Relative, in float32, where the same operators run again."""


def deploy_checks(
    pruned: nn.Module,
    file: Path,
    *,
    imgsz: int,
    onnx: bool | None = None,
    trusted: Collection[str] = (),
    work_dir: Path | None = None,
) -> tuple[Check, ...]:
    """Check a pruned Ultralytics model and the file that it was saved to.

    Everything is computed on one random image on the CPU. What an operation under test raises makes its check fail;
    anything else is raised.

    Args:
        pruned: The model; not modified.
        file: Its checkpoint, as ``save_checkpoint`` writes it.
        imgsz: Image size in pixels.
        onnx: Export to ONNX and check that: always, never, or (None) where the extra ``onnx`` is installed; a row says
            so where it is not.
        trusted: Names beyond stock classes that the untouched model's own file asks for, and that were accepted.
        work_dir: Where a temporary folder `deploy-…` is made; where the system makes them by default.

    Returns:
        One check for each property, always in the same order.

    Raises:
        UserError: There is no such file, or it is no checkpoint.
    """
    prepare_ultralytics()
    network: Any = copied(pruned).cpu().float().eval()
    image = probe_images(network, imgsz)
    double, image64 = copy.deepcopy(network).double(), image.double()
    stock = _stock(file, trusted)  # first: a file that is not there is no failed check
    absent = onnx_file.missing()
    exports = onnx if onnx is not None else absent is None
    with tempfile.TemporaryDirectory(prefix="deploy-", dir=work_dir) as folder, quietly():
        elsewhere = used_elsewhere(file, image, Path(folder), onnx=exports and absent is None)
        checks = [
            stock,
            _reloaded(network, image, elsewhere),
            _predicts(image, elsewhere),
            _widths(network),
            _fused(double, image64),
            _split(double, image64),
            _traced(network, image),
        ]
        if onnx is not False:
            checks += _exported(network, image, elsewhere, absent, required=onnx is True)
    return tuple(checks)


def _attempt(name: str, deed: Callable[[], Check]) -> Check:
    try:
        return deed()
    except Exception as error:  # noqa: BLE001  # the operation under test: whatever it raises is its result
        return Check(name, False, None, first_line(error))


def _stock(file: Path, trusted: Collection[str]) -> Check:
    names = foreign_names(file)
    if names and set(names) <= set(trusted):
        return Check(STOCK, None, None, f"it needs {', '.join(names)}, as the untouched model does")
    what = f"it needs {', '.join(names)}" if names else "PyTorch and Ultralytics are enough to load it"
    return Check(STOCK, not names, None, what)


def _reloaded(network: Any, image: torch.Tensor, elsewhere: Elsewhere) -> Check:
    error = elsewhere.errors["load"]
    if error is not None:
        return Check(RELOADED, False, None, error)
    other = unlike(told(network), elsewhere.told)
    if other is not None:
        return Check(RELOADED, False, None, other)
    setting = "float32, in a Python without yolo-prune-check"
    return compared(RELOADED, seen(network, image), elsewhere.seen, REPEATED, setting)


def _predicts(image: torch.Tensor, elsewhere: Elsewhere) -> Check:
    error = elsewhere.errors["predict"]
    return Check(PREDICTS, error is None, None, error or f"YOLO(file).predict on an image of {image.shape[-1]} px")


def _widths(network: nn.Module) -> Check:
    stale = stale_widths(network)
    told = "; ".join(stale[:3]) + ("; …" if len(stale) > 3 else "")
    return Check(WIDTHS, not stale, None, told or "modules say of their widths what their weights say")


def _fused(network: Any, image: torch.Tensor) -> Check:
    def fused() -> Check:
        other = copy.deepcopy(network)
        wanted = _main_part(seen(network, image))
        return compared(FUSED, wanted, _main_part(seen(other.fuse(verbose=False), image)), EXACT, "float64")

    return _attempt(FUSED, fused)


def _split(network: Any, image: torch.Tensor) -> Check:
    """Ultralytics' exporter runs another method of C2f than a forward pass does, which trusts its ``c``."""

    def split() -> Check:
        ready = _exportable(network)
        wanted = seen(ready, image)
        with second_forwards(ready):
            return compared(SPLIT, wanted, seen(ready, image), EXACT, "float64")

    return _attempt(SPLIT, split)


def _traced(network: Any, image: torch.Tensor) -> Check:
    def traced() -> Check:
        source = _exportable(network)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch advises torch.export, and of sizes that become constants
            script: Any = torch.jit.trace(source, image, strict=False, check_trace=False)  # type: ignore[no-untyped-call]
            got = _outputs(script(image))
        return compared(TRACED, _only_outputs(seen(source, image)), got, REPEATED, "float32")

    return _attempt(TRACED, traced)


def _exported(
    network: Any, image: torch.Tensor, elsewhere: Elsewhere, absent: str | None, *, required: bool
) -> tuple[Check, ...]:
    if absent is not None:
        passed = False if required else None
        return tuple(Check(name, passed, None, absent) for name in (onnx_file.VALID, onnx_file.EQUAL))
    wanted = seen(_exportable(network), image) | _scores(network, image)
    maps = {name: tensor for name, tensor in wanted.items() if tensor.dim() == 4 or not name.startswith("input")}
    return onnx_file.onnx_checks(elsewhere.onnx, elsewhere.errors["onnx"], maps, image, len(network.model) - 1)


def _scores(network: Any, image: torch.Tensor) -> dict[str, torch.Tensor]:
    """The class scores that a detector's head decodes, if it tells them."""
    raw = copy.deepcopy(network)
    if hasattr(raw, "end2end"):
        raw.end2end = False
    with torch.no_grad():
        told = raw(image)
    while isinstance(told, (tuple, list)) and told:
        told = told[-1]
    if isinstance(told, dict):
        told = told.get("one2many", told).get("scores")
    return {onnx_file.SCORES: told} if isinstance(told, torch.Tensor) and told.dim() == 3 else {}


def _exportable(network: Any) -> Any:
    """A copy as Ultralytics' exporter prepares one, but neither fused nor with second forwards."""
    from ultralytics.nn.modules import Classify, Depth, Detect, RTDETRDecoder, SemanticSegment

    ready = copy.deepcopy(network)
    if hasattr(ready, "end2end"):
        ready.end2end = False  # exported as raw boxes, unless asked otherwise
    for module in ready.modules():
        if isinstance(module, (Classify, Depth, Detect, RTDETRDecoder, SemanticSegment)):
            module.export, module.format = True, "onnx"
    return ready


def _outputs(tree: Any) -> dict[str, torch.Tensor]:
    tensors = [tree] if isinstance(tree, torch.Tensor) else list(tree)
    return {f"output {number}": tensor for number, tensor in enumerate(tensors)}


def _only_outputs(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in tensors.items() if name.startswith("output")}


def _main_part(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without what follows the first output: fusing drops a head's branch that inference does not use."""
    first = "output 0"
    return {name: tensor for name, tensor in tensors.items() if name.startswith("input") or name == first}
