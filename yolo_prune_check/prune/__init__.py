"""Carry a plan out: one file for each execution."""

from yolo_prune_check.prune.apply import CARRIED_OUT, check_carried_out, prune
from yolo_prune_check.prune.mask import MaskSet, weight_norm_count

__all__ = ["CARRIED_OUT", "MaskSet", "check_carried_out", "prune", "weight_norm_count"]
