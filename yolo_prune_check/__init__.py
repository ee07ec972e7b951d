"""Will a channel-pruning plan for a YOLO model fit, is it what was meant, and what does it cost and save?

>>> import yolo_prune_check as ypc
>>> model = ypc.load_model("yolov8n.yaml")
>>> graph = ypc.ChannelGraph.trace(model, imgsz=64)
>>> plan = ypc.Plan([ypc.Step("model.1.conv", keep=range(16))], execution="local")
>>> ypc.predict(graph, plan).failure.module
'model.2.cv1.conv'

Names are loaded when first used (PEP 562): importing the package, or collecting specs with its pytest plugin, does not
import torch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from inspect import Signature, signature
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yolo_prune_check.channels.graph import ChannelGraph
    from yolo_prune_check.channels.plan import Plan, Step
    from yolo_prune_check.channels.predict import predict
    from yolo_prune_check.confirm import confirm
    from yolo_prune_check.errors import UserError
    from yolo_prune_check.model.load import load_model
    from yolo_prune_check.prune import prune
    from yolo_prune_check.run import run
    from yolo_prune_check.spec import load_spec

__version__ = "0.1.0"

__all__ = [
    "ChannelGraph",
    "Plan",
    "Step",
    "UserError",
    "__version__",
    "confirm",
    "load_model",
    "load_spec",
    "predict",
    "prune",
    "run",
]

_HOMES = {
    "ChannelGraph": "channels.graph",
    "Plan": "channels.plan",
    "Step": "channels.plan",
    "UserError": "errors",
    "confirm": "confirm",
    "load_model": "model.load",
    "load_spec": "spec",
    "predict": "channels.predict",
    "prune": "prune",
    "run": "run",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{home}")
    if home == name:
        return module  # callable, see below
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Room(ModuleType):
    """A room that can be called: `ypc.prune(…)` is `ypc.prune.prune(…)`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    @property
    def __signature__(self) -> Signature:
        return signature(self._function)

    @property
    def _function(self) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(self, self.__name__.rpartition(".")[2])
        return function


class _Package(ModuleType):
    """This package, in which `prune`, `confirm` and `run` name a room and the room's function at once.

    After it has imported `yolo_prune_check.prune`, Python sets that module as the attribute `prune` of its parent,
    after all code of the room itself: the name cannot be the function. Nor should it be, because
    `import yolo_prune_check.prune.mask as …` looks for `mask` there. So the module stays, and is made callable.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, ModuleType) and _HOMES.get(name) == name:
            value.__class__ = _Room
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
