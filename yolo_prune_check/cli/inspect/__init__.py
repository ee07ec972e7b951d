"""``yolo-prune-check inspect``: blocks, edges and groups that people can read."""

from yolo_prune_check.cli.inspect.command import inspect

__all__ = ["inspect"]
