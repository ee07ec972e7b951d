"""Whether there is a model of a name: a shipped one, a checkpoint or a model YAML. Imports no torch, reads no file."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path

from yolo_prune_check.data import SHIPPED_MODELS
from yolo_prune_check.errors import UserError
from yolo_prune_check.model.stock import finds_yaml, stock_names

_KINDS = f"a shipped name ({', '.join(SHIPPED_MODELS)}), a .pt checkpoint or a model .yaml"
_URL = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)  # two letters before the colon: not a Windows drive


def require_there(name: str) -> None:
    """Refuse the name of a model that is not there.

    Args:
        name: A shipped name, a `.pt` checkpoint, or a model YAML: a path or a stock name.

    Raises:
        UserError: It is the address of a download, a file that does not exist or is of another kind, or no name of any.
    """
    if _URL.match(name):
        raise UserError("a model is never downloaded", value=name, hint="Download it yourself and give its path.")
    if name in SHIPPED_MODELS:
        return
    suffix = Path(name).suffix.lower()
    if suffix == ".pt":
        _require_checkpoint(name)
    elif suffix not in {".yaml", ".yml"}:
        raise _unknown(name)
    elif not finds_yaml(name):
        raise no_such_yaml(name)


def no_such_yaml(name: str) -> UserError:
    """What is said of a model YAML that does not exist."""
    hint = _did_you_mean(name, stock_names()) or "Give a path, or a stock name such as 'yolov8n.yaml'."
    return UserError("no such model YAML", value=name, hint=hint)


def _require_checkpoint(name: str) -> None:
    file = Path(name).expanduser()
    if file.is_file():
        return
    if file.is_dir():
        raise UserError("a folder, not a checkpoint", value=name, hint="Give the .pt file itself.")
    shipped = _did_you_mean(name, SHIPPED_MODELS)
    stock = Path(name).with_suffix(".yaml").name
    untrained = f"The untrained model is {stock!r}." if stock in stock_names() else ""
    hint = " ".join(filter(None, (shipped, "Checkpoints are not downloaded.", untrained)))
    raise UserError("no such checkpoint", value=name, hint=hint)


def _unknown(name: str) -> UserError:
    if Path(name).expanduser().exists():
        return UserError("not a model", value=name, hint=f"Give {_KINDS}.")
    guess = _did_you_mean(name, (*SHIPPED_MODELS, *stock_names()))
    return UserError("no such model", value=name, hint=guess or f"Give {_KINDS}.")


def _did_you_mean(name: str, known: tuple[str, ...]) -> str:
    """A sentence that names the closest of `known`, or an empty one. Only the stems are compared."""
    by_stem = {Path(candidate).stem: candidate for candidate in known}
    close = get_close_matches(Path(name).stem.lower(), by_stem, n=1)
    return f"Did you mean {by_stem[close[0]]!r}?" if close else ""
