"""The page of a matrix: its rows, its ruling and its differences are those of the records, and of nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.report.matrices import Axes, matrix
from tests.report.scored import precision
from yolo_prune_check.report import save_records, write_reports
from yolo_prune_check.report.comparison import drawings as drawing
from yolo_prune_check.report.comparison.effects import effects_of
from yolo_prune_check.report.comparison.matrix import Comparison, comparisons_of
from yolo_prune_check.report.comparison.standing import Standing
from yolo_prune_check.report.comparison.words import conclusion, effect_sentence
from yolo_prune_check.report.plots import Point, pareto
from yolo_prune_check.report.samples import Sample
from yolo_prune_check.run.record import Record, not_started
from yolo_prune_check.scores import Accuracy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tests.report.conftest import Build

SEEDS = ("0", "1", "2")
ORDERS = ("back-to-front", "front-to-back")
HIGHEST = "None is best: `a` has the highest mAP50-95 at the end, 0.600 ± 0.010, but cannot be told from"
PAGE = "comparisons/plans-first.md"
PLOTS = tuple(f"comparisons/plans-first-{name}.svg" for name in ("blocks", "pareto", "steps"))


def by_order(gap: float, spread: float) -> dict[str, list[float]]:
    """Scores of two orders with three seeds each: 0.5 and ``gap`` more, ± ``spread``, each by chance of its own."""
    return {
        order: [base + by * spread for by in shares]
        for order, base, shares in zip(ORDERS, (0.5, 0.5 + gap), ((-1, 0, 1), (0, 1, -1)), strict=True)
    }


def orders(build: Build, gap: float, spread: float) -> list[Record]:
    scores = by_order(gap, spread)
    return matrix(build, {"order": ORDERS, "seed": SEEDS}, lambda at: scores[at["order"]][int(at["seed"])])


def only(records: list[Record]) -> Comparison:
    (comparison,) = comparisons_of(records)
    return comparison


def page_of(records: list[Record], out: Path) -> str:
    write_reports(records, out)
    return (out / PAGE).read_text(encoding="utf-8")


def tables(page: str) -> list[list[dict[str, str]]]:
    found: list[list[dict[str, str]]] = []
    for lines in re.findall(r"(?:^\|.*\n)+", page, flags=re.M):
        rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines.splitlines()]
        found.append([dict(zip(rows[0], row, strict=True)) for row in rows[2:]])
    return found


def test_seeds_are_summed_up_as_mean_and_sample_deviation(build: Build, tmp_path: Path) -> None:
    page = page_of(orders(build, gap=0.1, spread=0.02), tmp_path)
    rows, effects = tables(page)
    assert rows[1] == {
        "order": "`front-to-back`",
        "verdict": "safe",
        "mAP50-95 before": "0.800",
        "right after pruning": "0.300 ± 0.000",
        "at the end": "**0.600 ± 0.020**",
        "MACs left": "90.0 %",
        "parameters left": "80.0 %",
        "n": "3",
        "all confirmed": "✓",
        "standing": "**best**",
    }
    assert [row["at the end"] for row in rows] == ["0.500 ± 0.020", "**0.600 ± 0.020**"]
    assert effects == [
        {
            "order": "`back-to-front` → `front-to-back`",
            "difference of mAP50-95": "+0.100 ± 0.035",
            "95 % interval": "+0.014 to +0.186",
            "p": "0.038",
            "second is higher, seeds": "3 of 3",
            "pairs": "3 of 3",
            "taken as": "different",
        }
    ]
    assert "**`front-to-back` is best: mAP50-95 0.600 ± 0.020 at the end, better than the other by more than " in page
    assert "`order` matters: `front-to-back` instead of `back-to-front` changes mAP50-95 by +0.100 ± 0.035 (" in page
    assert "What varies: `order` (`back-to-front`, `front-to-back`), 2 combinations; each with `seed` 0, 1, 2." in page
    assert "order `front" not in page.partition("## Combinations")[0].partition("What is the same")[2]


@pytest.mark.parametrize(("gap", "tied"), [(0.085, True), (0.087, False)])  # the interval is ± 0.0861
def test_a_difference_that_may_be_chance_is_a_tie(build: Build, gap: float, tied: bool) -> None:
    comparison = only(orders(build, gap, spread=0.02))
    standing = Standing.of(comparison)
    assert (standing.winner is None) is tied
    assert [standing.word(each) for each in comparison.combinations] == (["tied", "tied"] if tied else ["", "best"])
    words = conclusion(comparison, standing)
    assert words.startswith("Both combinations are tied, so that none is best" if tied else "`front-to-back` is best")


def test_an_effect_is_held_against_chance_and_told_by_the_values_of_another_axis(build: Build, tmp_path: Path) -> None:
    def final(at: Axes) -> float:
        turned = 0.1 if at["schedule"] == "sequential" else -0.1
        by_order = turned if at["order"] == "front-to-back" else 0.0
        by_seed = 0.001 * int(at["seed"]) * len(at["order"]) * len(at["schedule"])
        return 0.4 + by_order + by_seed + (0.2 if at["schedule"] == "sequential" else 0.0)

    records = matrix(build, {"order": ORDERS, "schedule": ("independent", "sequential"), "seed": SEEDS}, final)
    comparison = only(records)
    (order,), (schedule,) = (effects_of(comparison, axis) for axis in comparison.axes)
    assert order.difference.sample is not None
    assert (order.difference.sample.n, order.difference.pairs, order.difference.pairs_higher) == (3, 6, 3)
    assert not order.difference.is_clear
    assert schedule.difference.is_clear
    assert effect_sentence(comparison, "order").startswith(
        "What `order` changes depends on `schedule`: `front-to-back` instead of `back-to-front` changes mAP50-95 by "
        "+0.100 ± 0.000 with `sequential`, and by -0.100 ± 0.000 with `independent`. Over all values it is 0.000"
    )
    assert effect_sentence(comparison, "schedule").startswith("`schedule` matters: `sequential` instead of")
    _, (pooled,), parts, *_ = tables(page_of(records, tmp_path))
    assert (pooled["taken as"], pooled["second is higher, seeds"]) == ("depends on `schedule`", "0 of 3")
    assert [(row["where"], row["difference of mAP50-95"], row["pairs"]) for row in parts] == [
        ("`schedule` `independent`", "-0.100 ± 0.000", "0 of 3"),
        ("`schedule` `sequential`", "+0.100 ± 0.000", "3 of 3"),
    ]


def test_a_clear_effect_is_told_before_a_larger_one_that_is_not(build: Build) -> None:
    scores = {"a": [0.5, 0.51, 0.52], "b": [0.55, 0.561, 0.571], "c": [0.3, 0.9, 0.7]}
    axes = {"select.criterion": tuple(scores), "seed": SEEDS}
    comparison = only(matrix(build, axes, lambda at: scores[at["select.criterion"]][int(at["seed"])]))
    words = effect_sentence(comparison, "select.criterion")
    assert words.startswith(
        "`select.criterion` matters: `b` instead of `a` changes mAP50-95 by +0.051 ± 0.001 (3 seeds, 3 of 3 higher, "
        "95 % interval +0.049 to +0.052, p < 0.001), which is more than chance."
    )


def test_what_lies_within_a_small_difference_does_not_matter(build: Build) -> None:
    comparison = only(orders(build, gap=0.0, spread=0.002))
    words = effect_sentence(comparison, "order")
    assert words.startswith("`order` makes no difference of 0.010 or more: `front-to-back` instead of")
    assert re.search(
        r"95 % interval -0\.00\d to \+0\.00\d, p = [\d.]+\), and the interval lies within ±0\.010\.$", words
    )
    little = effect_sentence(only(orders(build, gap=0.005, spread=0.001)), "order")
    assert little.startswith("`order` changes little: ")
    assert little.endswith(", which is more than chance and less than 0.010.")
    wide = effect_sentence(only(orders(build, gap=0.0, spread=0.02)), "order")
    assert wide.startswith("Whether `order` matters cannot be told from this: `front-to-back` instead of")
    assert wide.endswith("), which chance could make.")


@pytest.mark.parametrize("gap", [0.003, 0.2])
def test_of_several_differences_the_largest_mean_is_no_bound(build: Build, gap: float) -> None:
    """Beyond the mean lies half of its interval: it is not what an axis changes at most."""
    scores = {"a": [0.5, 0.502, 0.501], "b": [0.501, 0.5015, 0.5015], "c": [0.502, 0.5 + gap, 0.5035]}
    axes = {"select.criterion": tuple(scores), "seed": SEEDS}
    comparison = only(matrix(build, axes, lambda at: scores[at["select.criterion"]][int(at["seed"])]))
    words = effect_sentence(comparison, "select.criterion")
    assert " at most" not in words
    largest = "the largest of 3 mean differences of mAP50-95, `c` instead of `a`, is +0."
    assert largest in words
    ending = "and every interval lies within ±0.010." if gap < 0.01 else "which chance could make."
    assert words.endswith(ending)


def test_pairs_of_the_same_models_tell_nothing_and_copies_count_once(build: Build, tmp_path: Path) -> None:
    def final(at: Axes) -> float:
        if at["schedule"] == "independent":  # both orders remove the same
            return 0.5 + int(at["seed"]) / 100
        return 0.6 + (0.1 if at["order"] == ORDERS[1] else 0.0)  # without training: the same with every seed

    axes = {"order": ORDERS, "schedule": ("independent", "sequential"), "seed": SEEDS}
    records = matrix(build, axes, final)
    comparison = only(records)
    (order,) = effects_of(comparison, "order")
    found = order.difference
    assert (found.sample, found.pairs, found.equal, found.copies) == (Sample(0.1, None, 1), 1, 3, 2)
    assert effect_sentence(comparison, "order") == (
        "`front-to-back` instead of `back-to-front` changes mAP50-95 by +0.100 (1 seed): measured once, so that it is "
        "not known what chance makes. Not counted: 3 pairs that ended alike, and 2 pairs that are copies of another."
    )
    alone = only([record for record in records if record.schedule == "sequential"])
    assert Standing.of(alone).winner is None
    assert conclusion(alone, Standing.of(alone)).endswith(
        "since every seed made the same models it is not known whether that is chance."
    )
    same = only([record for record in records if record.schedule == "independent"])
    assert effect_sentence(same, "order").startswith(
        "`order` changes nothing here: both scenarios of every pair ended alike."
    )
    page = page_of([record for record in records if record.schedule == "independent"], tmp_path)
    assert tables(page)[1][0]["taken as"] == "ended alike"


def test_an_axis_with_one_value_is_what_all_have_in_common(build: Build, tmp_path: Path) -> None:
    axes = {"order": ORDERS, "schedule": ("sessions",), "seed": ("0",)}
    page = page_of(matrix(build, axes, lambda at: 0.5 if at["order"] == ORDERS[0] else 0.6), tmp_path)
    assert "What varies: `order` (`back-to-front`, `front-to-back`), 2 combinations.\n" in page
    assert "schedule `sessions`" in page
    assert "### `schedule`" not in page


def test_of_seeds_alone_only_the_spread_is_told(build: Build, tmp_path: Path) -> None:
    page = page_of(matrix(build, {"seed": SEEDS}, lambda at: 0.5 + int(at["seed"]) / 100), tmp_path)
    (rows,) = tables(page)
    assert [row["at the end"] for row in rows] == ["0.510 ± 0.010"]
    assert "What varies: nothing but the seed; each with `seed` 0, 1, 2." in page
    assert "What each axis changes" not in page


@pytest.mark.parametrize(
    ("tied", "words"),
    [
        (0, "`a` is best: mAP50-95 0.600 ± 0.010 at the end, better than each of the other 4 by more than chance (p"),
        (1, f"{HIGHEST} `b`."),
        (2, f"{HIGHEST} `b` and `c`."),
        (3, f"{HIGHEST} 3 others."),
        (4, "All 5 combinations that can win are tied, so that none is best: the highest mAP50-95 at the end is 0.600"),
    ],
)
def test_what_is_tied_with_the_best_is_named_or_counted(build: Build, tied: int, words: str) -> None:
    names = ("a", "b", "c", "d", "e")
    middle = {name: 0.6 - 0.001 * rank if rank <= tied else 0.3 for rank, name in enumerate(names)}
    chance = {"a": (-1, 0, 1), "b": (0, 1, -1), "c": (1, -1, 0), "d": (1, 0, -1), "e": (0, -1, 1)}

    def final(at: Axes) -> float:
        return middle[at["select.criterion"]] + 0.01 * chance[at["select.criterion"]][int(at["seed"])]

    comparison = only(matrix(build, {"select.criterion": names, "seed": SEEDS}, final))
    standing = Standing.of(comparison)
    assert conclusion(comparison, standing).startswith(words)
    given = [standing.word(each) for each in comparison.combinations]
    assert given == (["tied"] * (tied + 1) if tied else ["best"]) + [""] * (4 - tied)


@pytest.mark.parametrize("verdict", ["unsafe", "partial"])
def test_what_is_unsafe_or_partial_with_one_seed_cannot_win(build: Build, verdict: str, tmp_path: Path) -> None:
    records = orders(build, gap=0.1, spread=0.02)
    records[-1] = replace(records[-1], verdict=verdict)
    page = page_of(records, tmp_path)
    rows, _ = tables(page)
    assert [row["verdict"] for row in rows] == ["safe", f"2 safe, 1 {verdict}"]
    assert [row["standing"] for row in rows] == ["–", "cannot win"]
    assert "**Only `back-to-front` is safe with every seed: mAP50-95 0.500 ± 0.020; 1 cannot win" in page


def test_a_plan_that_breaks_has_a_row_without_a_score(build: Build, tmp_path: Path) -> None:
    records = matrix(
        build,
        {"execution": ("group", "local"), "seed": SEEDS[:2]},
        lambda at: None if at["execution"] == "local" else 0.5,
    )
    rows, *effects = tables(page_of(records, tmp_path))
    assert (rows[1]["verdict"], rows[1]["at the end"], rows[1]["MACs left"]) == ("unsafe", "–", "–")
    assert effects == []


def test_a_single_seed_is_no_proof(build: Build) -> None:
    comparison = only(matrix(build, {"order": ORDERS}, lambda at: 0.5 if at["order"] == ORDERS[0] else 0.6))
    standing = Standing.of(comparison)
    assert standing.winner is None
    assert [standing.word(each) for each in comparison.combinations] == ["", "highest"]
    assert conclusion(comparison, standing).endswith("with a single seed it is not known whether that is chance.")


def test_the_pareto_front_is_marked_where_macs_differ(build: Build, tmp_path: Path) -> None:
    macs = {"0.25": 900, "0.5": 600, "0.75": 700}
    scores = {"0.25": 0.7, "0.5": 0.6, "0.75": 0.5}
    axes = {"select.ratio": tuple(macs)}
    rows, _ = tables(
        page_of(
            matrix(build, axes, lambda at: scores[at["select.ratio"]], macs=lambda at: macs[at["select.ratio"]]),
            tmp_path,
        )
    )
    assert [row["Pareto front"] for row in rows] == ["✓", "✓", "–"]
    assert (
        "Not all removed equally much, 60.0 % to 90.0 % of the MACs are left: a higher score may only mean that less "
        "went.\n\n|" in (tmp_path / PAGE).read_text("utf-8")
    )
    assert (tmp_path / PLOTS[1]).is_file()


@pytest.mark.parametrize(("schedules", "alike"), [(4, False), (5, True)])
def test_of_many_combinations_those_that_look_alike_are_told_of(
    build: Build, monkeypatch: pytest.MonkeyPatch, schedules: int, alike: bool
) -> None:
    """Four schedules by two criteria have a marker each; more than there are markers have not."""
    looks: list[tuple[str, str]] = []

    def noted(points: Sequence[Point], **words: str) -> Figure:
        looks.extend((point.colour, point.marker) for point in points)
        return pareto(points, **words)

    monkeypatch.setattr(drawing, "pareto", noted)
    axes = {"select.criterion": ("l1", "l2"), "order": ("a", "b", "c"), "schedule": tuple("vwxyz"[:schedules])}
    comparison = only(matrix(build, axes, lambda _: 0.5, macs=lambda at: 500 + 100 * "abc".index(at["order"])))
    costs = drawing.drawings(comparison, Standing.of(comparison))[0]
    assert (len(set(looks)) < len(looks)) == alike
    assert ("What differs in `select.criterion` alone looks alike." in costs.caption) == alike


def test_with_equal_macs_there_is_no_trade_off_to_draw(build: Build, tmp_path: Path) -> None:
    page = page_of(orders(build, gap=0.1, spread=0.02), tmp_path)
    assert not (tmp_path / PLOTS[1]).exists()
    assert "Not drawn: every combination that was measured at the end has the same multiply-accumulates" in page
    assert "Pareto front" not in page
    assert "removed equally much" not in page
    for plot in (PLOTS[0], PLOTS[2]):
        assert f"]({Path(plot).name})" in page
        assert (tmp_path / plot).is_file()


def test_a_classifier_is_compared_by_its_accuracy(build: Build, tmp_path: Path) -> None:
    records = [
        replace(
            record,
            metrics=replace(
                record.metrics, scores_before=Accuracy(0.9, 1.0, 0.1), scores_after=Accuracy(0.7, 1.0, 0.1)
            ),
        )
        for record in orders(build, gap=0.1, spread=0.02)
    ]
    page = page_of(records, tmp_path)
    assert "top-1 accuracy before" in page
    assert "Both combinations are tied" in page


def test_only_whole_matrices_that_were_measured_are_compared(build: Build) -> None:
    records = orders(build, gap=0.1, spread=0.02)
    assert comparisons_of(records[1:]) == ()
    assert comparisons_of([*records[1:], not_started(records[0], "bad input")]) == ()
    assert comparisons_of([*records[1:], replace(records[0], agrees=None)]) == ()
    assert comparisons_of([*records[1:], replace(records[0], verdict="stopped")]) == ()
    assert comparisons_of([replace(record, axes={}) for record in records]) == ()
    unmeasured = [replace(record, metrics=replace(record.metrics, scores_before=None)) for record in records]
    assert comparisons_of(unmeasured) == ()
    assert len(comparisons_of(records)) == 1


def test_a_matrix_that_is_not_whole_yet_is_named_with_how_far_it_is(build: Build, tmp_path: Path) -> None:
    records = orders(build, gap=0.1, spread=0.02)
    write_reports([*records[1:-1], replace(records[-1], verdict="stopped")], tmp_path)
    assert "`first` is not compared: 4 of 6 scenarios were carried out and measured." in (
        tmp_path / "plans.md"
    ).read_text("utf-8")
    assert not (tmp_path / PAGE).exists()
    predicted = [replace(record, agrees=None) for record in records]
    write_reports(predicted, tmp_path)
    assert "Side by side" not in (tmp_path / "plans.md").read_text("utf-8")


def test_pages_lead_to_it_and_back_and_it_goes_with_its_records(build: Build, tmp_path: Path) -> None:
    page = page_of(orders(build, gap=0.1, spread=0.02), tmp_path)
    assert "[Plans](../plans.md)" in page
    assert "[All reports](../index.md)" in page
    assert "(../plans.md#firstfront-to-back2)" in page
    assert f"[`first`]({PAGE}): `front-to-back` is best" in (tmp_path / "plans.md").read_text("utf-8")
    assert f"[Plans: `first`]({PAGE}): `front-to-back` is best" in (tmp_path / "index.md").read_text("utf-8")
    foreign = tmp_path / "comparisons/mine.svg"
    foreign.write_text("<svg/>", encoding="utf-8")
    written = write_reports([build.record("alone", spec="specs/other.prune.yaml")], tmp_path)
    assert written.removed == (PLOTS[0], PLOTS[2], PAGE, "plans.md")
    assert list((tmp_path / "comparisons").iterdir()) == [foreign]


def test_pages_and_plots_are_the_same_bytes_whatever_the_order_and_the_settings(build: Build, tmp_path: Path) -> None:
    import matplotlib as mpl

    scores = {"0.25": 0.7, "0.5": 0.6}
    axes = {"select.ratio": tuple(scores), "seed": SEEDS}
    records = matrix(
        build, axes, lambda at: scores[at["select.ratio"]], macs=lambda at: int(1000 * float(at["select.ratio"]))
    )
    write_reports(records, tmp_path / "one")
    with mpl.rc_context({"font.size": 20, "svg.fonttype": "none", "axes.grid": False, "figure.facecolor": "black"}):
        write_reports(records[::-1], tmp_path / "two")
        assert mpl.rcParams["font.size"] == 20
    for name in (PAGE, *PLOTS):
        content = (tmp_path / "one" / name).read_bytes()
        assert content == (tmp_path / "two" / name).read_bytes()
        assert len(content) < 150_000


def test_many_combinations_are_drawn_in_panels_and_small(build: Build, tmp_path: Path) -> None:
    axes = {
        "fine_tune": ("epochs=1+after=each+fraction=0.2", "epochs=5+after=last+fraction=0.2", "none"),
        "order": (*ORDERS, "shuffled:0"),
        "schedule": ("independent", "sequential", "sessions"),
        "seed": SEEDS,
    }
    records = matrix(build, axes, lambda at: 0.5 + int(at["seed"]) / 100, macs=lambda at: 900 - len(at["order"]))
    page = page_of(records, tmp_path)
    assert len(tables(page)[0]) == 27
    sizes = {plot: (tmp_path / plot).stat().st_size for plot in PLOTS}
    assert all(size < 150_000 for size in sizes.values()), sizes


def test_more_lines_than_can_be_told_apart_are_not_drawn(build: Build, tmp_path: Path) -> None:
    ratios = tuple(f"0.{number:02}" for number in range(1, 62))
    records = matrix(build, {"select.ratio": ratios}, lambda at: float(at["select.ratio"]))
    page = page_of(records, tmp_path)
    assert "Not drawn: more than 60 combinations: their lines could not be told apart." in page
    assert [name for name in PLOTS if (tmp_path / name).exists()] == []


def test_two_specs_of_one_name_have_pages_of_their_own(build: Build, tmp_path: Path) -> None:
    one = orders(build, gap=0.1, spread=0.02)
    other = [replace(record, spec="elsewhere/plans.prune.yaml") for record in one]
    save_records([*one, *other], tmp_path)
    write_reports([], tmp_path)
    pages = sorted(path.name for path in (tmp_path / "comparisons").glob("*.md"))
    assert len(pages) == 2
    assert pages[0].startswith("plans-first-")


def test_data_of_which_nothing_is_known_is_said_to_show_nothing(build: Build, tmp_path: Path) -> None:
    records = [
        replace(record, metrics=replace(record.metrics, scores_before=precision(0.01, 0.01)))
        for record in orders(build, gap=0.1, spread=0.02)
    ]
    assert "**The untouched model knows next to nothing of this data" in page_of(records, tmp_path)
