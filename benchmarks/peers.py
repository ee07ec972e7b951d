"""Every architecture: what Torch-Pruning makes of it, and what this package knows about it.

Run with ``make bench`` or ``python -m benchmarks.peers [--families v8 11] [--models …] [--json FILE] [--write FILE]``.
Each attempt of Torch-Pruning has a process of its own, with a limit on its time and its memory.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from tabulate import tabulate
from torch import nn

from benchmarks import peer
from benchmarks.peer import HELPS, Attempt, Help
from benchmarks.setting import one_thread, sentence
from benchmarks.timing import spoken
from benchmarks.zoo import FAMILIES, TORCHVISION, build
from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.prunable import cost_of, free_channels, half_of_every_group, total
from yolo_prune_check.errors import UserError

_IMGSZ = 64
_KILLED = -9
_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Ours:
    """What the channel graph says about a model.

    Attributes:
        params: Parameters of the untouched model.
        tracing: Seconds.
        channels: Output channels of all convolutions.
        free: Those that can be removed.
        prunable_params: Share of the parameters, 0 to 1; see ``channels.prunable``.
        prunable_macs: Share of the multiply-accumulates.
        halved: Parameters that are left when half of every free group is removed.
        unsupported: Operators without a rule.
        frozen: Channels that cannot be removed, by what takes them, as in ``view in Detect``; most first.
    """

    params: int
    tracing: float
    channels: int
    free: int
    prunable_params: float
    prunable_macs: float
    halved: int
    unsupported: int
    frozen: dict[str, int]


@dataclass(frozen=True)
class Row:
    """One model."""

    model: str
    ours: Ours
    attempts: dict[Help, Attempt]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every model and print the page."""
    options = _parser().parse_args(arguments)
    if not peer.available():
        print("Torch-Pruning is not installed (pip install '.[bench]'): its columns stay empty.", file=sys.stderr)
    one_thread()
    models = options.models or [FAMILIES[name][0] for name in options.families] + list(TORCHVISION)
    rows = []
    for number, name in enumerate(models, 1):
        rows.append(Row(name, ours(name), attempts(name, options)))
        said = "; ".join(f"{level}: {found.outcome}" for level, found in rows[-1].attempts.items())
        print(f"{number}/{len(models)} {name}: {said}", file=sys.stderr)
    text = page(rows, options)
    print(text)
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), choices=list(FAMILIES), metavar="NAME")
    parser.add_argument("--models", nargs="+", metavar="NAME", help="instead of each family's smallest")
    parser.add_argument("--timeout", type=float, default=60, metavar="SECONDS", help="for each attempt")
    parser.add_argument("--memory", type=float, default=8, metavar="GIB", help="for each attempt")
    parser.add_argument("--jobs", type=int, default=1, help="attempts at a time")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page here, too")
    return parser


def ours(name: str) -> Ours:
    """Trace a model and count what can be removed."""
    model = build(name)
    start = time.perf_counter()
    graph = ChannelGraph.trace(model, imgsz=_IMGSZ)
    tracing = time.perf_counter() - start
    free = free_channels(graph)
    whole, prunable = total(graph), cost_of(graph, free)
    return Ours(
        params=whole.params,
        tracing=tracing,
        channels=len(free),
        free=int(free.sum()),
        prunable_params=prunable.params / whole.params,
        prunable_macs=prunable.macs / whole.macs,
        halved=whole.params - cost_of(graph, half_of_every_group(graph)).params,
        unsupported=len(graph.unsupported),
        frozen=frozen(model, graph),
    )


def frozen(model: nn.Module, graph: ChannelGraph) -> dict[str, int]:
    """Channels that cannot be removed, by operator and class of the module that runs it."""
    found: Counter[str] = Counter()
    for group in graph.groups:
        if group.frozen is not None:
            found[_taker(model, group.frozen)] += group.size * len(group.members)
    return dict(found.most_common())


def _taker(model: nn.Module, reason: str) -> str:
    taken = reason.removeprefix("flows into ")
    operator = re.fullmatch(r"(\S+) in (\S+)", taken)
    if operator is None:
        return taken
    return f"{operator[1]} in {type(model.get_submodule(operator[2])).__name__}"


def attempts(name: str, options: argparse.Namespace) -> dict[Help, Attempt]:
    """What Torch-Pruning makes of a model, with ever more help; nothing if it is not installed."""
    if not peer.available():
        return {}
    with ThreadPoolExecutor(options.jobs) as threads:
        found = threads.map(lambda level: _attempt(name, level, options.timeout, options.memory), HELPS)
        return dict(zip(HELPS, found, strict=True))


def _attempt(name: str, level: Help, seconds: float, gibibytes: float) -> Attempt:
    command = [sys.executable, "-m", "benchmarks.peer", name, level, str(int(gibibytes * 2**30))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, cwd=_ROOT)
    except subprocess.TimeoutExpired:
        return Attempt(f"no answer within {seconds:g} s")
    if done.returncode == 0:
        return Attempt(**json.loads(done.stdout.splitlines()[-1]))
    if done.returncode == _KILLED or "MemoryError" in done.stderr:
        return Attempt(f"MemoryError within {gibibytes:g} GiB")
    said = done.stderr.strip().splitlines()
    return Attempt(said[-1] if said else f"exit code {done.returncode}")


def page(rows: Sequence[Row], options: argparse.Namespace) -> str:
    """The page in Markdown."""
    return "\n".join(
        [
            "# Every architecture, and what Torch-Pruning makes of it",
            "",
            "[Torch-Pruning](https://github.com/VainF/Torch-Pruning) is the reference for pruning whole dependency "
            "groups. Here it is asked to remove half of every group of each model at "
            f"{_IMGSZ} px: as the model stands; with the head and attention blocks ignored; and with every C2f "
            "replaced, besides, by a class that has two convolutions in place of the chunk, as its own YOLOv8 example "
            f"does. An attempt gets {options.timeout:g} s and {options.memory:g} GiB of address space.",
            "",
            "## What can be removed",
            "",
            _our_table(rows),
            "",
            "*prunable*: a parameter counts if the removal of some group that is not frozen removes it. A layer must "
            "keep a channel, so the share is what is open to pruning, not what pruning saves. *prunable channels*: "
            "output channels of convolutions that can be removed, alone or with their group. *halved*: parameters left "
            "when half of every group that is not frozen is removed, with the stock classes. Only convolutions are "
            "pruned: a linear layer's own outputs stay, which is why transformers keep a larger share.",
            "",
            "## The same by Torch-Pruning",
            "",
            "Parameters that are left; the last column is *halved* from above.",
            "",
            _peer_table(rows),
            "",
            _quotes(rows),
            "## What is frozen, and why",
            "",
            "Channels that cannot be removed, by what takes them: an operator, and the class of the module that runs "
            "it. Its result depends on how many there are or in which order, as in the decoding of a head, or it is "
            "not known which of its channels are which. "
            "`yolo-prune-check inspect MODEL` names each of them.",
            "",
            _frozen_table(rows),
            "",
            sentence(),
        ]
    )


def _our_table(rows: Sequence[Row]) -> str:
    headers = ("model", "parameters", "prunable channels", "prunable parameters", "prunable MACs", "halved", "trace")
    cells = [
        (
            row.model,
            f"{row.ours.params:,}",
            f"{row.ours.free:,} of {row.ours.channels:,} ({100 * row.ours.free / row.ours.channels:.1f} %)",
            f"{100 * row.ours.prunable_params:.1f} %",
            f"{100 * row.ours.prunable_macs:.1f} %",
            f"{row.ours.halved:,}",
            spoken(row.ours.tracing),
        )
        for row in rows
    ]
    return tabulate(cells, headers, tablefmt="github", disable_numparse=True)


def _peer_table(rows: Sequence[Row]) -> str:
    said = {text: number for number, text in enumerate(_failures(rows), 1)}
    cells = []
    for row in rows:
        tried = [_cell(row.attempts[level], said) if level in row.attempts else "–" for level in HELPS]
        cells.append((row.model, *tried, f"{row.ours.halved:,}"))
    headers = ("model", *(f"Torch-Pruning, {level}" for level in HELPS), "ours, predicted")
    return tabulate(cells, headers, tablefmt="github", disable_numparse=True)


def _frozen_table(rows: Sequence[Row]) -> str:
    cells = [
        (row.model, ", ".join(f"{count:,} × {taker}" for taker, count in row.ours.frozen.items()) or "nothing")
        for row in rows
    ]
    return tabulate(cells, ("model", "channels × what takes them"), tablefmt="github", disable_numparse=True)


def _cell(found: Attempt, said: dict[str, int]) -> str:
    if found.params is None:
        return f"fails ({said[found.outcome]})"
    return f"{found.params:,}" + ("" if found.outputs_kept else ", other outputs")


def _failures(rows: Sequence[Row]) -> list[str]:
    """Every failure once, in the order of the table."""
    found = [attempt.outcome for row in rows for attempt in row.attempts.values() if attempt.params is None]
    return list(dict.fromkeys(found))


def _quotes(rows: Sequence[Row]) -> str:
    failures = _failures(rows)
    lines = [f"{number}. `{text}`" for number, text in enumerate(failures, 1)]
    heads = "*other outputs*: the pruned model runs, and its first output has another shape than the model's: the "
    heads += "head, which was not ignored, lost channels that it decodes."
    return "\n".join([heads, "", *(["Its failures, in its own words:", "", *lines, ""] if lines else [])])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(f"error: {error}")
