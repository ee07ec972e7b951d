"""What the small model is worth: half of the channels removed by ``group``, then trained as long as the dense model is.

Run with ``python -m benchmarks.accuracy [--epochs 20] [--ratio 0.5] [--seeds 0 1 2] [--write docs/accuracy.md]``. Both
models start from the shipped weights and get the same epochs, images, learning rate and seed.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from tabulate import tabulate
from torch import nn

from benchmarks.setting import one_thread, sentence
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.confirm.latency import Latency, latency
from yolo_prune_check.model.load import load_model
from yolo_prune_check.progress import Progress, progress
from yolo_prune_check.run.compact import compact
from yolo_prune_check.scores import Scores
from yolo_prune_check.select.everywhere import plan_everywhere
from yolo_prune_check.select.evidence import Evidence
from yolo_prune_check.spec.schema import FineTune
from yolo_prune_check.train.evaluate import evaluate
from yolo_prune_check.train.finetune import fine_tune

MODEL, DATA, IMGSZ = "yolov8n-digits", "digits", 128
BATCHES = (1, 32)


@dataclass(frozen=True)
class Row:
    """One model, for one seed."""

    name: str
    before: Scores
    after: Scores


def main(arguments: Sequence[str] | None = None) -> int:
    """Train both models for each seed, write the page."""
    options = _parser().parse_args(arguments)
    one_thread()
    shown, rows = progress(), list[Row]()
    dense = load_model(MODEL)
    graph = ChannelGraph.trace(dense, imgsz=IMGSZ)
    plan = plan_everywhere(Evidence(dense), graph, "l1", scope="group", ratio=options.ratio, round_to=8)
    with tempfile.TemporaryDirectory() as folder:
        done = compact(
            dense,
            graph,
            predict(graph, plan),
            imgsz=IMGSZ,
            data=None,
            training=None,
            seed=0,
            work_dir=Path(folder),
            progress=shown,
        )
    if not done.usable:
        raise SystemExit("the small model is not proven, or its file is of no use")
    took = [latency(dense, done.model, IMGSZ, batch=batch) for batch in BATCHES]
    for seed in options.seeds:
        for name, model in (("dense", dense), ("half of the channels", done.model)):
            rows.append(Row(name, *_trained(model, options.epochs, seed, shown)))
            print(rows[-1], flush=True)
    before, after = graph.costs, done.prediction
    text = _page(
        rows, options.epochs, options.ratio, (before.params(), after.params), (before.macs(), after.macs), took
    )
    print(text)
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")
    return 0


def _trained(model: nn.Module, epochs: int, seed: int, shown: Progress) -> tuple[Scores, Scores]:
    before = evaluate(model, data=DATA, imgsz=IMGSZ, progress=shown)
    with tempfile.TemporaryDirectory() as folder:
        settings = FineTune(epochs=epochs)
        result = fine_tune(
            model,
            data=DATA,
            imgsz=IMGSZ,
            settings=settings,
            seed=seed,
            masks=None,
            work_dir=Path(folder),
            progress=shown,
        )
    return before, evaluate(result.model, data=DATA, imgsz=IMGSZ, progress=shown)


def _page(
    rows: Sequence[Row],
    epochs: int,
    ratio: float,
    params: tuple[int, int],
    macs: tuple[int | None, int | None],
    took: Sequence[Latency],
) -> str:
    seeds = len(rows) // 2
    names = dict.fromkeys(row.name for row in rows)
    cells = []
    for name in names:
        own = [row for row in rows if row.name == name]
        scores = [row.after.budgeted for row in own]
        cells.append(
            [
                name,
                f"{own[0].before.first:.3f} / {own[0].before.budgeted:.3f}",
                f"{mean(row.after.first for row in own):.3f} / {mean(scores):.3f}",
                f"{min(scores):.3f} – {max(scores):.3f}",
            ]
        )
    table = tabulate(
        cells, ["model", "mAP50 / 50-95 before training", "after", "50-95, lowest – highest seed"], tablefmt="github"
    )
    small, large = macs[1] or 0, macs[0] or 1
    times = "; ".join(
        f"batch {item.batch}: {item.ratio:.2f} ({item.pruned_ms:.1f} ms of {item.dense_ms:.1f} ms)" for item in took
    )
    return "\n".join(
        [
            "# What half of the channels costs",
            "",
            f"`{MODEL}`: the share {ratio:g} of every bundle of dependency groups is removed by `group` (criterion "
            f"`l1`, widths multiples of 8), then both models train {epochs} epochs on `{DATA}` at {IMGSZ} px, "
            f"{seeds} seed{'' if seeds == 1 else 's'}.",
            "",
            table,
            "",
            f"- parameters: {params[0]:,} → {params[1]:,} ({1 - params[1] / params[0]:.1%} less)",
            f"- multiply-accumulates: {large:,} → {small:,} ({1 - small / large:.1%} less)",
            f"- latency of the small model as a share of the dense one's, {took[0].device}, {took[0].threads} thread, "
            f"medians of {took[0].runs} alternating runs: {times}",
            "",
            f"{sentence()} Again: `python -m benchmarks.accuracy --epochs {epochs} --write docs/accuracy.md`.",
        ]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--ratio", type=float, default=0.5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--write", type=Path)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
