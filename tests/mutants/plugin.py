"""Runs other tests on a mutant: ``MUTANT=chunk-halves-swapped pytest -p tests.mutants.plugin tests/channels``."""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest

VARIABLE = "MUTANT"
"""Environment variable with the id of a mutant."""


@pytest.hookimpl(trylast=True)  # after the conftest files, which choose the number of threads before torch is imported
def pytest_configure(config: pytest.Config) -> None:
    """https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_configure."""
    from tests.mutants.every import MUTANTS

    stack = ExitStack()
    stack.enter_context(MUTANTS[os.environ[VARIABLE]].applied())
    config.add_cleanup(stack.close)
