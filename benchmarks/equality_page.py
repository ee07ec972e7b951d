"""The page of the equality benchmark, made from its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tabulate import tabulate

from benchmarks.equality_trial import Result
from yolo_prune_check.confirm.meant import WRONG

_KINDS = (
    "eval, random image",
    "eval, photographs",
    "fused, random image",
    "forward for export, random image",
    "gradients in train mode",
)
_SHORT = ("random image", "photographs", "fused", "for export", "gradients")

_INTRODUCTION = f"""# Pruned against masked

What execution `group` makes of a model, smaller and of the same module classes, must compute what the model of full
width does whose removed channels are silent. This page is the measurement: random plans on stock models, whose
BatchNorms get random numbers first. Two plans of three name up to five layers and keep anything from one channel to all
but one; the third names a third of all free layers or more, sometimes with scores, sometimes with `round_to: 8`. Plans
are drawn until there are as many safe ones as the table says. Each is carried out, and then

- everything is held against its *prediction*, as on [the page on predictions](agreement.md): shapes and active channels
  of every layer, junctions, parameters, multiply-accumulates;
- it is *proven* (`confirm/proof.py`), in float64, at 64 and 96 pixels (128 if there is a stride of 64): the inputs of
  every convolution and of the head, and all outputs, on a random image and on Ultralytics' two sample pictures; after
  `fuse()`; by the modules' forward for export; the gradients of all that is left, in train mode; every parameter and
  buffer; every number in an attribute that says how wide a module is, and all else that modules say of themselves. And
  what went is found to be what the plan asks for, by running the untouched model (`confirm/asked.py`).

A row of the proof holds if no number is further off than {WRONG:.0e} of the largest that was meant there. Columns give
the largest such error over all plans of a model, which is that of sums in another order.
"""

_REPEAT = """## Measure it yourself

```bash
make bench                                                           # all of the above, and the other benchmarks
python -m benchmarks.equality --jobs 2                               # this page alone
python -m benchmarks.equality --models yolo11n.yaml --plans 500 --seed 1
```

Results are kept in `build/equality`, a file for each model; a run that was stopped goes on where it was, unless the
code has changed. It exits with 3 if a plan failed. This page is what `--write docs/equality.md` wrote.
"""


def page(results: Sequence[tuple[str, Result]], left: Sequence[str], setting: Mapping[str, str]) -> tuple[str, int]:
    """The page in Markdown, and how many plans failed.

    Args:
        results: What is known of each model that was tried.
        left: Models of a full run that were not tried.
        setting: Versions that the results depend on.
    """
    headers = ("model", "parameters", "plans", "as predicted", "proven", *_SHORT, "parameters removed", "seconds")
    failed = [(model, entry) for model, result in results for entry in result.failures]
    parts = [
        _INTRODUCTION,
        tabulate([_row(*item) for item in results], headers, tablefmt="github", disable_numparse=True),
        "",
        _summary([result for _, result in results], len(failed)),
        "",
        *([f"Not run for this page, which `make bench` does in full: {', '.join(left)}.", ""] if left else []),
        f"Versions: {', '.join(f'{name} {number}' for name, number in setting.items() if name != 'code')}.",
        "",
        *_failures(failed),
        _REPEAT.rstrip(),
    ]
    return "\n".join(parts), len(failed)


def _row(model: str, result: Result) -> tuple[str, ...]:
    errors = (f"{result.errors[kind]:.1e}" if kind in result.errors else "–" for kind in _KINDS)
    removed = f"{100 * result.least:.1f}–{100 * result.most:.1f} %" if result.safe else "–"
    counts = (f"{result.params:,}", str(result.safe), str(result.agreed), str(result.proven))
    return (model, *counts, *errors, removed, f"{result.seconds:.0f}")


def _summary(results: Sequence[Result], failed: int) -> str:
    safe, drawn = sum(result.safe for result in results), sum(result.drawn for result in results)
    words = f"{safe:,} safe plans on {len(results)} models, of {drawn:,} that were drawn; "
    return words + ("none failed." if not failed else f"**{failed} failed.**")


def _failures(failed: Sequence[tuple[str, Mapping[str, object]]]) -> list[str]:
    if not failed:
        return []
    lines = ["## Failed plans", ""]
    for model, entry in failed:
        steps, wrong = entry["steps"], entry["wrong"]
        assert isinstance(steps, dict)
        assert isinstance(wrong, list)
        kept = ", ".join(f"{layer}: {len(keep)}" for layer, keep in list(steps.items())[:6])
        more = f" and {len(steps) - 6} more" if len(steps) > 6 else ""
        lines.append(f"- {model} ({kept}{more} kept): {wrong[0]}")
    return [*lines, ""]
