"""Building an untrained network from an Ultralytics model YAML."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from yolo_prune_check.errors import UserError
from yolo_prune_check.model.quiet import prepare_ultralytics, quietly
from yolo_prune_check.model.tasks import class_for
from yolo_prune_check.model.there import no_such_yaml


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
        raise no_such_yaml(name) from error
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
