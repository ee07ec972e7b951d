"""``inspect --mermaid``: a valid flowchart, the same each time, and the one in the docs."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.cli.conftest import CommandLine
from tests.models import graph_of, stock
from yolo_prune_check.cli.inspect.diagram import diagram
from yolo_prune_check.cli.inspect.parts import Parts, parts_of

NODE = re.compile(r'    (\w+)(\["[^"]*"\]|\{\{"[^"]*"\}\}|\(\["[^"]*"\]\))')
ARROW = re.compile(r"    (\w+) -->(\|\d+\|)? (\w+)")


@pytest.mark.parametrize("name", ["yolov8n.yaml", "yolov9t.yaml", "yolo11n.yaml", "yolov10n.yaml"])
def test_every_line_is_a_node_an_arrow_or_a_style(name: str) -> None:
    parts = parts_of(stock(name), graph_of(name))
    first, *lines = diagram(parts).splitlines()
    assert first == "flowchart TD"
    nodes = {found[1] for line in lines if (found := NODE.fullmatch(line))}
    arrows = [found for line in lines if (found := ARROW.fullmatch(line))]
    styles = [line for line in lines if line.startswith(("    classDef ", "    class "))]
    assert len(nodes) + len(arrows) + len(styles) == len(lines)
    assert nodes == {"image", "output", *(f"b{part.index}" for part in parts.all)}
    assert {end for arrow in arrows for end in (arrow[1], arrow[3])} == nodes
    assert len(arrows) == sum(len(part.from_) for part in parts.all) + sum(not part.feeds for part in parts.all)
    assert all(f'b{part.index}{{{{"' in diagram(parts) for part in parts.all if part.type == "Concat")


def test_a_concat_takes_in_as_many_channels_as_it_puts_out() -> None:
    for part in parts_of(stock(), graph_of()).all:
        if part.type == "Concat":
            assert sum(width or 0 for width in part.in_channels) == part.out_channels


def test_names_are_escaped() -> None:
    parts = parts_of(stock(), graph_of())
    odd = replace(parts.all[0], type='A"<b>#')
    assert 'b0["0 A&quot;&lt;b&gt;&num;<br/>16 channels"]' in diagram(Parts((odd, *parts.all[1:]), blocks=True))


def test_it_excludes_other_outputs(command_line: CommandLine) -> None:
    for other in (("--json",), ("--layer", "2.0")):
        ran = command_line("inspect", "yolov8n.yaml", "--mermaid", *other)
        assert ran.code == 2
        assert "cannot be combined with" in ran.err
