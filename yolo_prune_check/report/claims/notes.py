"""Titles of the field notes that the claims are quoted from."""

from __future__ import annotations

INDEPENDENT = "Independent Layer Pruning - The Working Solution"
OPTIONS = "Fix Options for Sequential Multi-Layer Pruning"
SEQUENTIAL = "Sequential Activation Pruning Fix"
BLOCKS = "Analysis: Pruning Blocks 1, 2, 3 - Will Channel Mismatches Occur?"
LIMITATION = "Architecture Limitation: Why Sequential Pruning Fails Across Blocks"

TITLES = (INDEPENDENT, OPTIONS, SEQUENTIAL, BLOCKS, LIMITATION)
"""In the order in which the page shows them."""
