"""What a module is called while it runs, the same to those who trace and to those who observe."""

from __future__ import annotations

from torch import nn


class RunningNames:
    """Names of a model's modules.

    One that several others know has a name in each. If it has parameters, it goes by its first alone, as these do;
    else (an activation that many share) by that under which the running module knows it.

    Attributes:
        first: The first name of every module, in the order of the model.
    """

    def __init__(self, model: nn.Module) -> None:
        """Note all names."""
        self.first: dict[nn.Module, str] = {}
        names: dict[nn.Module, list[str]] = {}
        for name, module in model.named_modules(remove_duplicate=False):
            if module not in self.first:
                self.first[module] = name
            elif module in names or next(module.parameters(), None) is None:
                names.setdefault(module, [self.first[module]]).append(name)
        self._inside = {module: _by_outer(known) for module, known in names.items()}

    def of(self, module: nn.Module, running: str) -> str | None:
        """Name of a module that begins to run inside another; None if it is no part of the model."""
        first, inside = self.first.get(module), self._inside.get(module)
        return first if inside is None or first is None else inside.get(running, first)


def _by_outer(names: list[str]) -> dict[str, str]:
    """Of some names the first inside each module that has one inside it."""
    found: dict[str, str] = {}
    for name in names:
        outer = name
        while outer:
            outer = outer.rpartition(".")[0]
            found.setdefault(outer, name)
    return found


def is_inside(name: str, outer: str) -> bool:
    """Whether one name is that of a module inside the other; everything is inside the model, which has none."""
    return not outer or name.startswith(f"{outer}.")
