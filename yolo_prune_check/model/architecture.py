"""Building an untrained network from an Ultralytics model YAML."""

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
from yolo_prune_check.model.tasks import class_for

# A family and its version, such as `yolov8`, `yolo11` or `yoloe-26`, and what follows where no scale letter does.
_UNSCALED = re.compile(r"(yolo(?:e-)?v?\d+)([-.].*)")


def build_model(name: str, seed: int) -> nn.Module:
    """Build the network that a YAML describes, with the weights that `seed` gives.

    A stock name such as `yolov8n.yaml` is found among Ultralytics' own files, the letter giving the scale, as
    Ultralytics does it. No global random generator is read or changed.

    A backbone from torchvision is built without the weights that the YAML names: they would be downloaded.

    Raises:
        UserError: There is no such YAML, its last block is no head, or it does not build.
    """
    prepare_ultralytics()
    config = read_architecture(name)
    kind = class_for(config, name)
    try:
        with quietly(), _seeded(seed):
            # Told the number of classes, YOLO-World makes as many text features.
            model = kind(_without_weights(config), nc=config["nc"], verbose=False)
            _embed_classes(model)
    except Exception as error:  # Ultralytics' parser raises whatever a wrong YAML leads to
        raise UserError(
            f"the model YAML does not build ({_said(error)})", where=name, hint="Compare it with a stock one."
        ) from error
    return model


def _without_weights(config: dict[str, Any]) -> dict[str, Any]:
    """The YAML's content with `weights` of every `TorchVision` block set to None: random ones."""

    def row(block: Any) -> Any:
        if not isinstance(block, list) or len(block) < 4 or block[2] != "TorchVision":
            return block
        channels, *arguments = block[3]
        return [*block[:3], [channels, *arguments[:1], None, *arguments[2:]]]

    return {**config, **{part: [row(block) for block in config[part]] for part in ("backbone", "head")}}


def _embed_classes(model: nn.Module) -> None:
    """Give a fresh YOLOE random class embeddings, as Ultralytics gives a fresh YOLO-World.

    Its own stand-in is all zeros. What it is multiplied with would never reach the output.
    """
    from ultralytics.nn.tasks import YOLOEModel

    if isinstance(model, YOLOEModel):
        model.pe = nn.functional.normalize(torch.randn(1, model.yaml["nc"], model.model[-1].embed), dim=-1)


@lru_cache(maxsize=1)
def stock_names() -> tuple[str, ...]:
    """The YAML names that Ultralytics ships, and those with the scale letters that each file defines."""
    prepare_ultralytics()
    import ultralytics

    found = Path(ultralytics.__file__).parent.joinpath("cfg", "models").rglob("*.yaml")
    names = []
    for file in sorted(found, key=lambda file: file.name):
        names.append(file.name)
        unscaled = _UNSCALED.fullmatch(file.name)
        if unscaled:
            names += [f"{unscaled[1]}{letter}{unscaled[2]}" for letter in _scales(file)]
    return tuple(names)


def _scales(file: Path) -> str:
    """The letters that a stock YAML defines and that Ultralytics finds in a name."""
    text = file.read_text(encoding="utf-8")
    below = re.search(r"^scales:.*\n((?:[ \t]+.*\n|\s*\n)+)", text, re.MULTILINE)
    return "".join(re.findall(r"^\s+([nsmlx]):", below[1], re.MULTILINE)) if below else ""


def did_you_mean(name: str, known: tuple[str, ...]) -> str:
    """A sentence that names the closest of `known`, or an empty one. Only the stems are compared."""
    by_stem = {Path(candidate).stem: candidate for candidate in known}
    close = get_close_matches(Path(name).stem.lower(), by_stem, n=1)
    return f"Did you mean {by_stem[close[0]]!r}?" if close else ""


def read_architecture(name: str) -> dict[str, Any]:
    """What a model YAML says, with its scale, which Ultralytics finds in the name.

    Raises:
        UserError: There is no such YAML, or it cannot be read.
    """
    prepare_ultralytics()
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
