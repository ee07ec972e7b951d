"""What every test shares: one thread, no network, hypothesis without a deadline."""

from __future__ import annotations

import os

from hypothesis import settings

# Before any test imports torch: results of sums do not depend on the number of cores, and parallel tests do not
# wait for each other's threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Ultralytics neither looks for updates nor downloads.
os.environ.setdefault("YOLO_OFFLINE", "true")

# A shared machine may be slow at any moment: time limits are pytest-timeout's business.
settings.register_profile("yolo-prune-check", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("yolo-prune-check")
