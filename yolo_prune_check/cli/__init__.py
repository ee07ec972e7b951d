"""The command line, ``yolo-prune-check``. Nothing imports torch before a command needs it."""

from yolo_prune_check.cli.main import main

__all__ = ["main"]
