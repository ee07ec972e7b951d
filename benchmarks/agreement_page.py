"""The page of the agreement benchmark, made from its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tabulate import tabulate

from benchmarks.agreement_store import Result, add_up

_HEADERS = ("model", "plans", "execution", "tried", "break", "run but unsafe", "unknown", "agree", "agreement")

_INTRODUCTION = """# Predicted against executed

The claim of this package is that a prediction, which runs nothing, says what happens when the plan is carried out. This
page is the measurement, on every architecture that Ultralytics ships and on some of torchvision's: random plans of 2 to
6 steps, the ways of carrying them out taking turns, and for some models every layer alone, cut to half and to one
channel, in each of these ways. Plans by `group` have a page of their own, on [equality](equality.md). All BatchNorms
get random numbers first, because those of a fresh model have no shift and hide phantom channels.

A plan *agrees* if nothing at all differs between prediction and execution:

- whether the forward pass raises, in which innermost module, with which first line of PyTorch's error, to the letter;
- the number of active channels of every layer that ran, measured where the layer emits them;
- channels and active channels at every operand and result of every concat, split and residual add of feature maps;
- the output shape of every module, as torchinfo sees it;
- parameters and multiply-accumulates, as torchinfo counts them;
- whether a plan that runs is silently wrong: in float64, its features and outputs against those of the untouched model
  with the removed channels' outputs set to zero.

The predictor never runs the model, and the observer never reads a prediction or the channel graph; the import contracts
in `pyproject.toml` keep it so.
"""

_EXPLANATION = """
*break*: the forward pass raises. *run but unsafe*: nothing is raised, and the prediction names the hazard that makes
the plan wrong. *unknown*: the prediction says that it does not know what an operator, which it names, makes of the
plan; what it says of all that comes before is held against the execution all the same.
"""

_REPEAT = """## Measure it yourself

```bash
make bench                                                          # all of the above, and the other benchmarks
python -m benchmarks.agreement --families 11 12 --jobs 2            # two families
python -m benchmarks.agreement --models yolov8n.yaml --more 50 --seed 1
```

Results are kept in `build/agreement`, a file for each model; a run that was stopped goes on where it was, unless the
code has changed. It exits with 3 if a prediction was refuted. This page is what `--write docs/agreement.md` wrote.
"""


def page(results: Sequence[tuple[str, Sequence[Result]]], setting: Mapping[str, str]) -> tuple[str, int]:
    """The page in Markdown, and how many predictions were refuted.

    Args:
        results: Results of each model.
        setting: Versions that they depend on.
    """
    rows = [_row(model, result) for model, found in results for result in found if result.tried]
    every = [result for _, found in results for result in found]
    refuted = [(model, entry) for model, found in results for result in found for entry in result.disagreements]
    rows += _totals(every)
    parts = [
        _INTRODUCTION,
        tabulate(rows, _HEADERS, tablefmt="github"),
        _EXPLANATION,
        _time(every),
        "",
        f"Versions: {', '.join(f'{name} {number}' for name, number in setting.items() if name != 'code')}.",
        "",
        *_refuted(refuted),
        _REPEAT.rstrip(),
    ]
    return "\n".join(parts), len(refuted)


def _row(model: str, result: Result) -> tuple[object, ...]:
    share = f"{100 * result.agreed / result.tried:.2f} %" if result.tried else "–"
    counts = (result.tried, result.broke, result.wrong, result.unknown, result.agreed)
    return (model, result.kind, result.execution, *counts, share)


def _totals(results: Sequence[Result]) -> list[tuple[object, ...]]:
    totals: dict[str, Result] = {}
    for result in results:
        for execution in (result.execution, "all"):
            total = totals.setdefault(execution, Result("all", execution))
            add_up(total, result)
    last = totals.pop("all", None)
    return [_row("**all**", total) for total in (*totals.values(), *([last] if last else ())) if total.tried]


def _time(results: Sequence[Result]) -> str:
    predicting, executing = (sum(getattr(r, name) for r in results) for name in ("predicting", "executing"))
    if not predicting:
        return ""
    return f"Carrying out and observing took {executing / predicting:,.0f} times as long as predicting."


def _refuted(refuted: Sequence[tuple[str, Mapping[str, object]]]) -> list[str]:
    if not refuted:
        return []
    lines = ["## Refuted predictions", ""]
    for model, entry in refuted:
        steps = entry["steps"]
        assert isinstance(steps, dict)
        kept = ", ".join(f"{layer}: {len(keep)}" for layer, keep in steps.items())
        lines.append(f"- {model}, {entry['execution']} ({kept} kept): {entry['first']}")
    return [*lines, ""]
