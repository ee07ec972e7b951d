"""What the user declares: spec files, their schema, and the scenarios that come out of them. Knows nothing of torch."""

from yolo_prune_check.spec.loader import load_spec
from yolo_prune_check.spec.schema import Scenario
from yolo_prune_check.spec.suite import Suite

__all__ = ["Scenario", "Suite", "load_spec"]
