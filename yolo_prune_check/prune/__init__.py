"""Carry a plan out: one file for each execution."""

from yolo_prune_check.prune.apply import carry_out, meant_by, prune
from yolo_prune_check.prune.mask import MaskSet, weight_norm_count

__all__ = ["MaskSet", "carry_out", "meant_by", "prune", "weight_norm_count"]
