"""What a model's file asks for beyond stock classes, where that was accepted."""

from __future__ import annotations

from pathlib import Path

from yolo_prune_check.model.checkpoint import foreign_names


def trusted_names(model: str, *, trust: bool) -> tuple[str, ...]:
    """Names of functions and classes that a smaller model's file may ask for as well.

    Args:
        model: The untouched model as ``load_model`` took it; it was loaded with ``trust``.
        trust: Whether the code that it asks for was accepted. Nothing is, without.
    """
    source = Path(model).expanduser()
    return foreign_names(source) if trust and source.is_file() and source.suffix == ".pt" else ()
