"""What a module is called while it runs, the same to those who trace and to those who observe."""

from __future__ import annotations

from torch import nn


class RunningNames:
    """Names of a model's modules.

    One that several others know has a name in each. If it has parameters, it goes by its first alone, as these do;
    else (an activation that many share) by that under which the running module knows it.
    """

    def __init__(self, model: nn.Module) -> None:
        """Note all names."""
        self._names: dict[nn.Module, list[str]] = {}
        for name, module in model.named_modules(remove_duplicate=False):
            known = self._names.setdefault(module, [])
            if not known or next(module.parameters(), None) is None:
                known.append(name)

    def of(self, module: nn.Module, running: str) -> str | None:
        """Name of a module that begins to run inside another; None if it is no part of the model."""
        names = self._names.get(module)
        if names is None:
            return None
        return next((name for name in names if is_inside(name, running)), names[0])


def is_inside(name: str, outer: str) -> bool:
    """Whether one name is that of a module inside the other; everything is inside the model, which has none."""
    return not outer or name.startswith(f"{outer}.")
