"""Did it happen: run a pruned model, observe it, and compare with the prediction."""

from yolo_prune_check.confirm.compare import Confirmation
from yolo_prune_check.confirm.confirm import confirm
from yolo_prune_check.confirm.observe import Observation

__all__ = ["Confirmation", "Observation", "confirm"]
