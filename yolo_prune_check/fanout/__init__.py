"""Work on many items at once: in processes of this machine, or on a cluster of dask or Ray. Imports no torch.

>>> from yolo_prune_check.progress import progress
>>> sorted(fan_out(abs, [-3, 4], jobs=1, shown=progress(quiet=True)))
[(0, 3), (1, 4)]

With a cluster or several jobs it must be closed if it is not taken to its end, so that nothing is left running::

    with closing(fan_out(measure, points, jobs=4, shown=shown, name=lambda point: point.layer)) as outcomes:
        for index, outcome in outcomes:
            if isinstance(outcome, LostError):  # its worker died again and again
                raise outcome
            save(points[index], outcome)
"""

from yolo_prune_check.fanout.fan_out import BACKENDS, Backend, LostError, fan_out, require_place

__all__ = ["BACKENDS", "Backend", "LostError", "fan_out", "require_place"]
