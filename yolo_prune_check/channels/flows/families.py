"""Names of operators that are treated alike, where more than one file asks."""

from __future__ import annotations

from yolo_prune_check.channels.rules import activation
from yolo_prune_check.channels.rules.layout import SAME

MATMUL = frozenset({"matmul", "bmm", "mm"})
PERMUTING = frozenset({"permute", "t", "transpose"})
SOFTMAX = frozenset({"_softmax", "softmax", "_log_softmax", "log_softmax"})
UNARY = frozenset(activation.RULES) - {"prelu"}  # which may have a number for each channel
UNCHANGED = frozenset(SAME)
