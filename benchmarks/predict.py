"""How long a prediction takes, beside trial and error and beside Torch-Pruning, all in one run.

Run with ``make bench`` or ``python -m benchmarks.predict [--model NAME] [--json FILE] [--write FILE]``. Everything is
timed on one thread, in turns, and repeated; tables show medians.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import peer
from benchmarks.predict_page import page
from benchmarks.setting import one_thread
from benchmarks.speed import Speed, building, growing, many, one_plan
from yolo_prune_check.errors import UserError

SCALES = (*(f"yolov8{scale}.yaml" for scale in "nsmlx"), "yolov9e.yaml")
BUILT = ("yolov8n.yaml", "yolov5n.yaml", "yolov8s.yaml", "yolov8m.yaml")
CLASSIFIERS = ("resnet18", "resnext50_32x4d", "mobilenet_v3_small", "densenet121")
COUNTS = (1, 10, 100, 1_000, 10_000)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the page."""
    options = _parser().parse_args(arguments)
    if not peer.available():
        print("Torch-Pruning is not installed (pip install '.[bench]'): it is left out.", file=sys.stderr)
    one_thread()
    speed = Speed(model=options.model)
    print(f"one plan on {options.model}", file=sys.stderr)
    speed.one_plan = one_plan(options.model, options.repeats)
    for name in options.built:
        print(f"building the graph of {name}", file=sys.stderr)
        speed.building[name] = building(name, options.repeats)
    print(f"many plans on {options.model}", file=sys.stderr)
    speed.many = many(options.model, options.counts, options.limit)
    for name in options.scales:
        print(f"growth: {name}", file=sys.stderr)
        speed.growing[name] = growing(name, options.repeats)
    text = page(speed)
    print(text)
    if options.json:
        options.json.write_text(json.dumps(asdict(speed), indent=1) + "\n", encoding="utf-8")
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.predict", description=__doc__)
    parser.add_argument("--model", default="yolov8n.yaml", help="of the tables on one plan and on many")
    parser.add_argument("--scales", nargs="*", default=list(SCALES), metavar="NAME", help="of the table on growth")
    parser.add_argument("--built", nargs="*", default=[*BUILT, *CLASSIFIERS], metavar="NAME", help="graphs to build")
    parser.add_argument("--counts", nargs="+", type=int, default=list(COUNTS), help="plans at a time")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--limit", type=float, default=120, metavar="SECONDS", help="leave out counts that take longer")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page here, too")
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(f"error: {error}")
