"""What every test shares: one thread, no network, the profiles of hypothesis."""

from __future__ import annotations

import os
import sys
from typing import Any

from hypothesis import HealthCheck, settings

# Before any test imports torch: results of sums do not depend on the number of cores, and parallel tests do not
# wait for each other's threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Ultralytics neither looks for updates nor downloads.
os.environ.setdefault("YOLO_OFFLINE", "true")

# Chosen by --hypothesis-profile, else by this variable, else by whether this is CI. `ci` replaces the profile of that
# name which hypothesis brings along and loads by itself where CI is set, and from which others would inherit. A shared
# machine may be slow at any moment:
# time limits are pytest-timeout's business, and health checks that measure time say nothing.
_BASE = settings(settings.get_profile("default"), deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same commit gives the same result, in whatever way the suite is run; only `nightly` looks for what is new.
_FIXED = settings(_BASE, derandomize=True, database=None, print_blob=True)
settings.register_profile("dev", _FIXED, max_examples=25)
settings.register_profile("ci", _FIXED, max_examples=50)
settings.register_profile("nightly", _BASE, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


def pytest_sessionstart() -> None:
    """What is drawn depends on the test alone where it is to be the same every time.

    Hypothesis also draws constants that it reads in whatever modules of the project are imported by then: which ones
    depends on the tests that ran before in this process. It has no setting for this, and older versions do not do it.
    """
    providers: Any = sys.modules.get("hypothesis.internal.conjecture.providers")
    if settings().derandomize and hasattr(providers, "_get_local_constants"):
        nothing = providers.Constants()
        providers._get_local_constants = lambda: nothing
