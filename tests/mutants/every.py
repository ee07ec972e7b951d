"""All mutants, declared by importing the modules that declare them."""

from __future__ import annotations

from tests.mutants import of_graph, of_groups, of_rules, of_verdicts  # noqa: F401  # importing declares them
from tests.mutants.mutant import MUTANTS, Mutant

__all__ = ["MUTANTS", "Mutant"]
