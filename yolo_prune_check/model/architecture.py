"""Building an untrained detector from an Ultralytics model YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.quiet import prepare_ultralytics, quietly

_SCALES = "nsmlx"


def build_model(name: str, seed: int) -> nn.Module:
    """Build the network that a YAML describes, with the weights that `seed` gives.

    A stock name such as `yolov8n.yaml` is found among Ultralytics' own files, the letter giving the scale, as
    Ultralytics does it. No global random generator is read or changed.

    Raises:
        UserError: There is no such YAML, it describes no detector, or it does not build.
    """
    prepare_ultralytics()
    from ultralytics.nn.tasks import DetectionModel, guess_model_task

    config = _read(name)
    task = guess_model_task(config)
    if task not in {None, "detect"}:
        raise UserError("only detection models can be loaded", where=name, value=task)
    try:
        with quietly(), _seeded(seed):
            model: nn.Module = DetectionModel(config, verbose=False)
    except Exception as error:  # Ultralytics' parser raises whatever a wrong YAML leads to
        raise UserError(
            f"the model YAML does not build ({_said(error)})", where=name, hint="Compare it with a stock one."
        ) from error
    return model


@lru_cache(maxsize=1)
def stock_names() -> tuple[str, ...]:
    """The YAML names that Ultralytics ships, with and without a scale letter."""
    prepare_ultralytics()
    import ultralytics

    found = Path(ultralytics.__file__).parent.joinpath("cfg", "models").rglob("*.yaml")
    names = []
    for stem in sorted(file.stem for file in found):
        names.append(f"{stem}.yaml")
        letters = _SCALES if re.match(r"yolo[a-z]*\d+", stem) else ""
        names += [re.sub(r"(yolo[a-z]*\d+)", rf"\g<1>{letter}", f"{stem}.yaml", count=1) for letter in letters]
    return tuple(names)


def did_you_mean(name: str, known: tuple[str, ...]) -> str:
    """A sentence that names the closest of `known`, or an empty one. Only the stems are compared."""
    by_stem = {Path(candidate).stem: candidate for candidate in known}
    close = get_close_matches(Path(name).stem.lower(), by_stem, n=1)
    return f"Did you mean {by_stem[close[0]]!r}?" if close else ""


def _read(name: str) -> dict[str, Any]:
    from ultralytics.nn.tasks import yaml_model_load

    try:
        with quietly():
            config = yaml_model_load(name)
    except FileNotFoundError as error:
        raise UserError(
            "no such model YAML",
            value=name,
            hint=did_you_mean(name, stock_names()) or "Give a path, or a stock name such as 'yolov8n.yaml'.",
        ) from error
    except Exception as error:  # PyYAML's errors, and a TypeError where the YAML is no mapping
        raise UserError(f"the model YAML cannot be read ({_said(error)})", where=name) from error
    missing = [key for key in ("backbone", "head", "nc") if key not in config]
    if missing:
        raise UserError(f"the model YAML lacks {', '.join(missing)}", where=name, hint="Compare it with a stock one.")
    return dict(config)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed PyTorch's CPU generator, with which weights are drawn, and put its state back afterwards."""
    state = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        with torch.device("cpu"):
            yield
    finally:
        torch.set_rng_state(state)


def _said(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
