"""What every test shares: one thread, no network, the profiles of hypothesis."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Before any test imports torch: results of sums do not depend on the number of cores, and parallel tests do not
# wait for each other's threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Ultralytics neither looks for updates nor downloads.
os.environ.setdefault("YOLO_OFFLINE", "true")

# Chosen by --hypothesis-profile, else by this variable, else by whether this is CI. `ci` replaces the profile of that
# name which hypothesis brings along and loads by itself where CI is set. A shared machine may be slow at any moment:
# time limits are pytest-timeout's business, and health checks that measure time say nothing.
_SLOW = [HealthCheck.too_slow]
settings.register_profile("dev", max_examples=25, deadline=None, suppress_health_check=_SLOW)
settings.register_profile(
    "ci", max_examples=50, deadline=None, suppress_health_check=_SLOW, derandomize=True, database=None, print_blob=True
)
settings.register_profile("nightly", max_examples=1000, deadline=None, suppress_health_check=_SLOW, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))
