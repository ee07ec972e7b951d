"""Plots of reports: functions from plain numbers to figures, and figures as SVG that is the same on every machine.

Matplotlib is imported where a figure is made, not before: most runs draw none.
"""

from yolo_prune_check.report.plots.canvas import svg
from yolo_prune_check.report.plots.curves import Curve, curves
from yolo_prune_check.report.plots.heat_map import heat_map
from yolo_prune_check.report.plots.pareto import Point, pareto

__all__ = ["Curve", "Point", "curves", "heat_map", "pareto", "svg"]
