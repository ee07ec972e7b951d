"""What the page on sensitivity says of ratios that remove nothing: nothing."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from yolo_prune_check.report.sensitivity.drawings import drop_curves
from yolo_prune_check.report.sensitivity.page import sensitivity_page
from yolo_prune_check.report.sensitivity.words import summary, verdict
from yolo_prune_check.run.sensitivity_record import Point, Sensitivity, UnitRecord
from yolo_prune_check.scores import MeanAveragePrecision

RATIOS = (0.25, 0.5, 0.75)
Seen = float | str
"""A drop, ``nothing`` where nothing goes, or ``unsafe``."""


def unit(name: str, *seen: Seen) -> UnitRecord:
    return UnitRecord(name, (name,), 3, tuple(map(point, RATIOS, seen)))


def point(ratio: float, seen: Seen) -> Point:
    if seen == "nothing":
        return Point(ratio, "unchanged", 0, drop=0.0, macs_cut=0.0, params_cut=0.0)
    if seen == "unsafe":
        return Point(ratio, "unsafe", 1, reason="the head decodes it")
    drop = float(seen)
    return Point(ratio, "measured", 1, drop, MeanAveragePrecision(0.9, 0.8 - drop), 0.1, 0.1)


def found(*units: UnitRecord) -> Sensitivity:
    dense = MeanAveragePrecision(0.9, 0.8)
    return Sensitivity("m.pt", "d", 64, "group", "taylor", RATIOS, "1/2", 7, 0, "cpu", dense, 1000, 100, units)


@pytest.mark.parametrize(
    ("seen", "word"),
    [
        (("nothing", "nothing", "nothing"), "nothing goes"),
        (("nothing", 0.4, 0.5), "hurts"),
        (("nothing", 0.03, 0.5), "costs"),
        (("nothing", 0.001, 0.5), "cheap up to 50 %"),
        (("nothing", 0.001, 0.002), "cheap"),
        (("nothing", "unsafe", "unsafe"), "unsafe"),
        ((0.001, "unsafe", "unsafe"), "cheap up to 25 %"),
        (("unsafe", 0.001, 0.002), "cheap"),
        ((0.001, 0.4, 0.0), "cheap up to 25 %"),
        ((0.02, 0.0, 0.0), "costs"),
    ],
)
def test_the_word_is_that_of_the_ratios_at_which_something_goes(seen: tuple[Seen, ...], word: str) -> None:
    assert verdict(unit("a", *seen)) == word


def test_a_part_of_which_nothing_goes_is_neither_ranked_nor_drawn_nor_called_cheap() -> None:
    measured = found(
        unit("narrow", "nothing", "nothing", "nothing"),
        unit("dear", "nothing", 0.3, 0.4),
        unit("cheap", 0.001, 0.002, 0.003),
    )
    assert summary(measured) == "3 groups: 1 cheap, 1 hurt, 1 of which nothing goes"
    page = sensitivity_page(measured, curves=True)
    assert re.findall(r"^\| `(\w+)`", page, re.MULTILINE) == ["cheap", "dear", "narrow"]
    assert page.count("cheap costs least, dear most]") == 2
    drawn = drop_curves(measured)
    assert drawn is not None
    assert "dear" in drawn
    assert "narrow" not in drawn
    assert measured.units[1].mean_drop == pytest.approx(0.35)
    assert drop_curves(found(measured.units[0])) is None


def test_few_images_are_told_to_say_little() -> None:
    few = found(unit("cheap", 0.001, 0.002, 0.003))
    words = "**7 images tell little: a single one can move mAP50-95 by some hundredths.**"
    assert words in sensitivity_page(few, curves=True)
    assert "tell little" not in sensitivity_page(replace(few, images=50), curves=True)


def test_parts_that_go_by_whole_heads_are_named_with_how_many_they_have() -> None:
    heads = unit("attn.qkv", 0.1, 0.1, 0.3)
    points = tuple(replace(each, whole_parts=count) for each, count in zip(heads.points, (1, 2, 3), strict=True))
    measured = found(replace(heads, points=points, whole_parts=4), unit("cheap", 0.001, 0.002, 0.003))
    page = sensitivity_page(measured, curves=True)
    assert "Channels of some groups go only by whole heads of an attention, or whole conv groups." in page
    title = "How many heads or conv groups go of each (1 group)"
    assert f"<summary>{title}</summary>\n\n- `attn.qkv`, of 4: 1 at 25 %, 2 at 50 %, 3 at 75 %\n" in page
    assert "whole heads" not in sensitivity_page(found(measured.units[1]), curves=True)
