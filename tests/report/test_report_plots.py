"""What plots draw is what they are given, and their files hold nothing of the machine."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_hex

from yolo_prune_check.report.markdown import MARKER
from yolo_prune_check.report.plots import Curve, Point, curves, heat_map, pareto, svg
from yolo_prune_check.report.plots.canvas import COLOURS, MARKERS

POINTS = [
    Point(90.0, 0.7, 0.02, "a", "x", on_front=True),
    Point(60.0, 0.5, None, "a", "y", on_front=True),
    Point(95.0, 0.6, 0.01, "b", "x"),
]
LINES = [
    Curve((0.0, 1.0, 1.5), (0.8, 0.4, 0.6), (0.0, 0.1, 0.05), "a", "x", "left"),
    Curve((0.0, 1.0), (0.8, 0.3), (0.0, 0.0), "b", "x", "right"),
]


def test_every_model_is_a_point_and_the_front_leads_through_those_on_it() -> None:
    (axes,) = pareto(POINTS, cost="MACs left, %", score="mAP50-95").axes
    *drawn, front = [line for line in axes.lines if len(line.get_xdata()) and line.get_marker() not in ("|", "_")]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in drawn] == [(90.0, 0.7), (60.0, 0.5), (95.0, 0.6)]
    assert [to_hex(line.get_color()).upper() for line in drawn] == [COLOURS[0], COLOURS[0], COLOURS[1]]
    assert [line.get_marker() for line in drawn] == [MARKERS[0], MARKERS[1], MARKERS[0]]
    assert front.get_drawstyle() == "steps-post"
    assert np.asarray(front.get_xydata()).tolist() == [[60.0, 0.5], [90.0, 0.7]]
    bars = [segment for bar in axes.collections for segment in np.asarray(bar.get_segments()).tolist()]
    assert bars[0] == [[90.0, pytest.approx(0.68)], [90.0, pytest.approx(0.72)]]
    assert len(bars) == 2
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("MACs left, %", "mAP50-95")


def test_lines_have_bands_and_panels_of_their_own() -> None:
    figure = curves(LINES, x="step", y="mAP50-95", ticks=[(0.0, "before"), (1.0, "1")])
    left, right = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["left", "right"]
    assert np.asarray(left.lines[0].get_xydata()).tolist() == [[0.0, 0.8], [1.0, 0.4], [1.5, 0.6]]
    band = left.collections[0].get_paths()[0].vertices
    assert {(x, round(y, 2)) for x, y in band.tolist()} >= {(1.0, 0.3), (1.0, 0.5), (1.5, 0.55), (1.5, 0.65)}
    assert len(right.collections) == 0
    assert [label.get_text() for label in left.get_xticklabels()] == ["before", "1"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "x"]


def test_a_heat_map_shows_its_numbers_and_leaves_unknown_cells_empty() -> None:
    figure = heat_map(["one", "other"], ["1", "2"], [[0.25, 1.0], [None, 0.5]], x="block", what="left")
    axes = figure.axes[0]
    assert [(text.get_position(), text.get_text()) for text in axes.texts] == [
        ((0.5, 0.5), "0.25"), ((1.5, 0.5), "1.00"), ((1.5, 1.5), "0.50"),
    ]  # fmt: skip
    assert [text.get_color() for text in axes.texts] == ["white", "black", "white"]
    cells = axes.collections[0].get_array()
    assert np.ma.filled(cells, -1.0).tolist() == [[0.25, 1.0], [-1.0, 0.5]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "other"]


def test_a_heat_map_of_equal_numbers_is_drawn() -> None:
    assert heat_map(["one"], ["1"], [[0.5]], x="block", what="left").axes[0].texts[0].get_text() == "0.50"


def test_the_file_is_a_whole_drawing_on_white_without_date_or_font() -> None:
    text = svg(pareto(POINTS, cost="MACs left, %", score="mAP50-95"))
    assert text == svg(pareto(POINTS, cost="MACs left, %", score="mAP50-95"))
    assert text.startswith(f"{MARKER}\n<svg ")
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert not re.search(r"font-family|<text|metadata|20\d\d-\d\d", text)
    assert "#ffffff" in text
    points = re.findall(r'<use xlink:href="#m\w+" x="([\d.]+)" y="([\d.]+)" style="fill: (#\w+)', text)
    at = {(float(x), float(y)) for x, y, fill in points if fill.upper() == COLOURS[0]}
    assert len({x for x, _ in at}) >= 2


def test_letters_that_are_text_name_a_font_that_every_machine_has() -> None:
    def drawn(*, outlines: bool) -> str:
        figure = heat_map(["a.long.name"], ["1", "2"], [[0.25, 1.0]], x="block", what="left")
        return svg(figure, outlines=outlines)

    text, outlines = drawn(outlines=False), drawn(outlines=True)
    assert text == drawn(outlines=False)
    assert len(text) < len(outlines) / 2
    root = ElementTree.fromstring(text)
    written = [(each.text, each.get("style", "")) for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a.long.name", "1", "2", "0.25", "1.00", "block", "left"} <= {word for word, _ in written}
    assert all("font-family: 'DejaVu Sans', sans-serif" in style for _, style in written)
    assert ElementTree.fromstring(outlines).find(".//{http://www.w3.org/2000/svg}text") is None


def test_no_figure_is_left_with_pyplot() -> None:
    from matplotlib import pyplot

    curves(LINES, x="step", y="mAP50-95")
    assert pyplot.get_fignums() == []
