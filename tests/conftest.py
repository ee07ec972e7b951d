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
# name which hypothesis brings along and loads by itself where CI is set, and from which others would inherit. A shared
# machine may be slow at any moment:
# time limits are pytest-timeout's business, and health checks that measure time say nothing.
_BASE = settings(settings.get_profile("default"), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", _BASE, max_examples=25)
settings.register_profile("ci", _BASE, max_examples=50, derandomize=True, database=None, print_blob=True)
settings.register_profile("nightly", _BASE, max_examples=1000, derandomize=False, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))
