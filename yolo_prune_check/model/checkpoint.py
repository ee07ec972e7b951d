"""Reading a `.pt` file without running anything it contains, unless the caller trusts it.

A checkpoint is a pickle, and a pickle may name any function to call. PyTorch's `weights_only` loader builds nothing but
tensors, plain containers and what it is explicitly allowed: here the network modules of PyTorch, torchvision and
Ultralytics, and the few plain classes that Ultralytics stores beside them. A file may ask to call what is allowed, with
arguments of its own: network classes are therefore only ever made empty, without their constructors, some of which
read YAMLs or fetch weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.quiet import prepare_ultralytics

# Their classes, at any depth below, are allowed if they are network modules.
_MODULE_PACKAGES = (
    "torch.nn.modules",
    "torchvision.models",
    "torchvision.ops",
    "ultralytics.nn.modules",
    "ultralytics.nn.tasks",
    "ultralytics.models.utils",  # RT-DETR's losses
    "yolo_prune_check.prune.scatter",  # execution `adapter`
)
# Their own classes are allowed: losses stay attached to a model that was trained and then saved whole, and classifiers
# bring what prepares their images.
_CLASS_MODULES = ("ultralytics.utils.loss", "ultralytics.utils.tal", "torchvision.transforms.transforms")
# A fused model, and some heads, hold one of these as an attribute.
_METHODS = frozenset({"forward", "forward_fuse", "forward_split"})

_HINT = "Give a checkpoint that Ultralytics saved, or one of its models saved with torch.save."
_TRUST = (
    "Save the model with stock classes only, or, if you know who made the file, say so: `trust_checkpoint: true` in "
    "its spec, --trust-checkpoint, pytest's --prune-trust-checkpoint or trust=True in load_model."
)


def read_checkpoint(file: Path, *, trust: bool = False) -> nn.Module:
    """The network in a checkpoint: its moving average (EMA) if it has one, as Ultralytics prefers it.

    Args:
        file: An Ultralytics checkpoint (a dict with `ema` or `model`), or a module saved whole.
        trust: Run the code that the file asks for, if it asks for more than network classes of PyTorch, torchvision
            and Ultralytics. Nothing of this is remembered: the next call decides anew.

    Returns:
        The module as stored: precision, mode and `requires_grad` unchanged. It has the arguments of its training in
        `args`, where the file tells them.

    Raises:
        UserError: The file cannot be read, holds no network, or asks for code and is not trusted.
    """
    prepare_ultralytics()
    content = _unpickle(file, trust=trust)
    candidates = [content]
    if isinstance(content, Mapping):
        candidates = [content.get("ema"), content.get("model")]
    for candidate in candidates:
        if isinstance(candidate, nn.Module):
            _require_whole(candidate, file)
            if isinstance(content, Mapping):
                _remember_training(candidate, content)
            return candidate
    raise UserError(f"the checkpoint holds no network but {_describe(content)}", where=str(file), hint=_HINT)


def foreign_names(file: Path) -> tuple[str, ...]:
    """The functions and classes that a checkpoint asks for beyond what is loaded without trust, sorted.

    Raises:
        UserError: The file cannot be read, or is no checkpoint.
    """
    prepare_ultralytics()
    return tuple(sorted(name for name in _wanted(file) if _allowed(name) is None))


def _remember_training(network: nn.Module, content: Mapping[str, Any]) -> None:
    """Give a network the arguments of its training where only the file has them, as for classifiers.

    Ultralytics does so whenever it loads one; the size of the images is among them.
    """
    arguments = content.get("train_args")
    if isinstance(arguments, Mapping) and getattr(network, "args", None) is None:
        network.args = dict(arguments)  # type: ignore[assignment]  # a plain attribute, no module


def _require_whole(network: nn.Module, file: Path) -> None:
    """Refuse a network that has something else where modules, parameters and buffers belong: the file is damaged."""
    kinds = {"_modules": nn.Module, "_parameters": torch.Tensor, "_buffers": torch.Tensor}
    left, seen = [network], set[int]()
    while left:
        module = left.pop()
        seen.add(id(module))
        for name, kind in kinds.items():
            held = vars(module).get(name)
            if not isinstance(held, dict) or not all(item is None or isinstance(item, kind) for item in held.values()):
                what = f"the checkpoint is damaged (a {type(module).__name__} has no {name.strip('_')})"
                raise UserError(what, where=str(file), hint=_HINT)
        left += [child for child in module._modules.values() if child is not None and id(child) not in seen]


@contextmanager
def _only_ours() -> Iterator[None]:
    """Without what other code of this process allows PyTorch to load; Ultralytics does while it trains."""
    theirs = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(theirs)


def _unpickle(file: Path, *, trust: bool) -> Any:
    refused = foreign_names(file)
    if not refused:
        try:
            with _only_ours():
                return _unpickle_strictly(file, _wanted(file))
        except UserError:
            if not trust:
                raise
    elif not trust:
        raise UserError(
            f"the checkpoint asks for code beyond the network modules of PyTorch and Ultralytics: {', '.join(refused)}",
            where=str(file),
            hint=f"It was not loaded, since that would run the code. {_TRUST}",
        )
    return _unpickle_trusted(file, refused)


def _wanted(file: Path) -> set[str]:
    """The names of functions and classes that a checkpoint asks for."""
    try:
        with file.open("rb") as stream:
            start = stream.read(4)
    except OSError as error:
        raise UserError(f"the checkpoint cannot be read ({error.strerror})", where=str(file)) from error
    try:
        with _only_ours():
            return set(torch.serialization.get_unsafe_globals_in_checkpoint(str(file)))
    except Exception as error:  # whatever damaged bytes lead PyTorch's reader to
        what = f"not a checkpoint that PyTorch can read ({_reason(start, error)})"
        raise UserError(what, where=str(file), hint=_HINT) from error


def _unpickle_strictly(file: Path, wanted: Iterable[str]) -> Any:
    entries: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = []
    for name in wanted:
        value = _allowed(name)
        if isinstance(value, type) and _is_made_empty(value):
            # No file can ask for the second name, which holds a space and was not found among the wanted ones.
            entries += [(_maker(value), name), (value, f"{name} made")]
        elif value is not None:
            entries.append((value, name))
    if "numpy.dtype" in wanted:
        entries += _number_types()  # made when read, so they are not among the names in the file
    try:
        with torch.serialization.safe_globals(entries):
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever damaged bytes lead PyTorch's reader to
        # PyTorch wraps what went wrong into advice on how to load the file all the same.
        lines = str(error).rpartition("WeightsUnpickler error: ")[2].strip().splitlines()
        first = lines[0] if lines else type(error).__name__
        hint = f"{_HINT} {_TRUST}" if isinstance(error, UnpicklingError) else _HINT
        raise UserError(f"the checkpoint cannot be loaded ({first})", where=str(file), hint=hint) from error


def _unpickle_trusted(file: Path, wanted: Sequence[str]) -> Any:
    try:
        return torch.load(file, map_location="cpu", weights_only=False)
    except Exception as error:  # whatever the file's own code raises
        lines = str(error).strip().splitlines()
        what = (
            f"the checkpoint cannot be loaded, though it is trusted ({': '.join([type(error).__name__, *lines[:1]])})"
        )
        asked = f"It asks for {', '.join(wanted)}: what defines that must be importable here." if wanted else _HINT
        raise UserError(what, where=str(file), hint=asked) from error


def _reason(start: bytes, error: Exception) -> str:
    if "torchscript" in str(error):
        return "it is a TorchScript archive, whose layers cannot be pruned"
    if not start:
        return "the file is empty"
    if start == b"PK\x03\x04":
        return "the archive is damaged, or PyTorch did not write it"
    return "it is not an archive written by torch.save"


def _allowed(name: str) -> Callable[..., Any] | None:
    """What a name in a checkpoint stands for, or None if it is not allowed."""
    known = _plain_classes().get(name)
    if known is not None:
        return known
    module, _, attribute = name.rpartition(".")
    inside = any(module == package or module.startswith(f"{package}.") for package in _MODULE_PACKAGES)
    if not inside and module not in _CLASS_MODULES:
        return None
    try:
        found = getattr(import_module(module), attribute, None)
    except ModuleNotFoundError:
        return None
    if not isinstance(found, type):
        return None
    if inside:
        return found if issubclass(found, nn.Module) else None
    return found if found.__module__ == module else None


def _is_made_empty(kind: type) -> bool:
    return issubclass(kind, nn.Module) or kind.__module__ in _CLASS_MODULES


def _maker(kind: type) -> type:
    """A stand-in for a class: called or not, with whatever arguments, it makes an empty object of the class."""
    return type(kind.__name__, (), {"__new__": lambda _cls, *_arguments: object.__new__(kind), "makes": kind})


def _method_or_member(owner: object, name: str) -> object:
    """All that is left of `getattr`: a network's forward pass, and a member of an enumeration."""
    if isinstance(owner, type) and issubclass(owner, Enum) and name in owner.__members__:
        return owner[name]
    kind = vars(owner).get("makes") if isinstance(owner, type) else type(owner)
    if name in _METHODS and isinstance(kind, type) and issubclass(kind, nn.Module):
        method = getattr(kind, name)
        return method if isinstance(owner, type) else method.__get__(owner)
    raise UnpicklingError(f"it asks for the attribute {name!r} of a {type(owner).__name__}")


@lru_cache(maxsize=1)
def _plain_classes() -> dict[str, Callable[..., Any]]:
    """Harmless classes that Ultralytics stores in checkpoints, by the names it has used for them."""
    import numpy as np
    from torchvision.transforms.functional import InterpolationMode
    from ultralytics.nn.tasks import DetectionModel
    from ultralytics.utils import IterableSimpleNamespace
    from ultralytics.utils.loss import E2EDetectLoss

    number = np.float64(0).__reduce__()[0]  # the function that rebuilds a NumPy number, such as the best fitness
    here = type(Path())
    return {
        "ultralytics.utils.IterableSimpleNamespace": IterableSimpleNamespace,
        "ultralytics.yolo.utils.IterableSimpleNamespace": IterableSimpleNamespace,
        "ultralytics.nn.tasks.YOLOv10DetectionModel": DetectionModel,
        "ultralytics.nn.modules.block.Silence": nn.Identity,
        "ultralytics.utils.loss.v10DetectLoss": E2EDetectLoss,
        "torchvision.transforms.functional.InterpolationMode": InterpolationMode,
        "builtins.getattr": _method_or_member,
        "numpy.core.multiarray.scalar": number,
        "numpy._core.multiarray.scalar": number,
        "numpy.dtype": np.dtype,
        # Paths of any system become this system's.
        **{f"{module}.{kind}Path": here for module in ("pathlib", "pathlib._local") for kind in ("Posix", "Windows")},
    }


def _number_types() -> list[Callable[..., Any]]:
    import numpy as np

    return [type(np.dtype(kind)) for kind in (np.float64, np.float32, np.int64)]


def _describe(content: object) -> str:
    if isinstance(content, Mapping):
        tensors = sum(isinstance(value, torch.Tensor) for value in content.values())
        if content and tensors == len(content):
            return f"a state_dict of {tensors} tensors, weights without their network"
        keys = ", ".join(str(key) for key in list(content)[:6])
        return f"a dict with the keys {keys}" if content else "an empty dict"
    return f"a {type(content).__name__}"
