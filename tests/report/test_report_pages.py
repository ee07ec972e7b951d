"""What a reader finds on the pages, and what must hold of every page whatever the records say."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.report.scored import precision
from yolo_prune_check.errors import UserError
from yolo_prune_check.report import (
    load_records,
    record_path,
    save_records,
    scenario_failure_text,
    write_reports,
)
from yolo_prune_check.report.markdown import MARKER, NONE, slugs
from yolo_prune_check.report.site import page_of, relative, slug_of
from yolo_prune_check.report.tally import Tally
from yolo_prune_check.report.wording import advice, headline, reason
from yolo_prune_check.run.record import MetricsRecord, Record, not_started
from yolo_prune_check.scores import Accuracy

if TYPE_CHECKING:
    from tests.report.conftest import Build

CUT = "use `execution: group`, which cuts all that hangs on them as well, or `mask`, which leaves every shape alone"


def sample(build: Build) -> list[Record]:
    """One record of every verdict, over three suites, one of which is not of the field notes."""
    facts = build.wiring()
    names = [("model.1.conv", "1.0"), ("model.2.cv1.conv", "2.0"), ("model.3.conv", "3.0")]
    return [
        build.record(
            "first[mask]",
            steps=tuple(
                build.step(i, name, at, scores_pruned=precision(0.93, 0.7), scores_tuned=precision(0.945, 0.75))
                for i, (name, at) in enumerate(names)
            ),
            edges=(build.edge(), build.edge(operator="model.4:cat", observed=None, observed_active=None)),
            facts=facts,
            fine_tune="1 epoch",
        ),
        build.record(
            "phantoms",
            mask="weights",
            verdict="unsafe",
            expected="verdict unsafe, hazards phantom-channel",
            reasons=("model.1.conv: 16 zeroed channels still emit a constant",),
            steps=(build.step(active=32),),
            hazards=(build.hazard(message="a | b"),),
            facts=facts,
        ),
        build.unsafe("cut", facts=facts),
        build.record(
            "no-such-layer",
            verdict="refused",
            steps=(),
            agrees=None,
            expected="refused with “no Conv2d”",
            reasons=("a.prune.yaml:7: block 1 has no Conv2d to prune. Name a block that has one.",),
            metrics=MetricsRecord(),
        ),
        build.record("first[group]", execution="group", fine_tune="1 epoch"),
        build.unsafe(
            "skipping",
            verdict="partial",
            on_mismatch="skip",
            steps=(build.step(), build.broken(1, "model.3.conv", "3.0", status="skipped")),
            reasons=("1 of 2 steps were skipped",),
            spec="specs/field_notes/other_notes.prune.yaml",
            suite="other_notes",
        ),
        build.record(
            "refuted",
            spec="specs/quick.prune.yaml",
            suite="quick",
            tags=(),
            passed=False,
            agrees=False,
            failures=("a prediction was refuted, which is a defect of this tool: step 1: active channels differ",),
            steps=(build.step(agrees=False, differences=("active channels: predicted 16, observed 17",)),),
            edges=(build.edge(agrees=False, observed_active=9),),
        ),
    ]


def pages(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.md")}


def tables(page: str) -> list[list[list[str]]]:
    """Every table of a page as rows of cells."""
    found: list[list[list[str]]] = [[]]
    for line in page.splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif found[-1]:
            found.append([])
    return [[table[0], *table[2:]] for table in found if table]


def anchors(page: str) -> set[str]:
    headings = [line.lstrip("# ").replace("`", "") for line in page.splitlines() if re.match(r"#+ ", line)]
    return set(slugs(headings))


def test_every_link_leads_to_a_heading_of_a_written_page(build: Build, tmp_path: Path) -> None:
    written = write_reports(sample(build), tmp_path).pages
    found = pages(tmp_path)
    assert set(found) == {path.relative_to(tmp_path).as_posix() for path in written}
    links = 0
    for name, content in found.items():
        for target in re.findall(r"\]\(([^)]*)\)", content):
            links += 1
            path, _, anchor = target.partition("#")
            reached = (tmp_path / name).parent.joinpath(path).resolve() if path else tmp_path.resolve() / name
            page = found[reached.relative_to(tmp_path.resolve()).as_posix()]
            assert not anchor or anchor in anchors(page), f"{name}: {target}"
    assert links > 30


def test_every_table_is_rectangular(build: Build, tmp_path: Path) -> None:
    write_reports(sample(build), tmp_path)
    found = [table for page in pages(tmp_path).values() for table in tables(page)]
    assert len(found) > 15
    for table in found:
        assert {len(row) for row in table} == {len(table[0])}, table[0]


def test_pages_depend_on_nothing_but_the_records(build: Build, tmp_path: Path) -> None:
    records = sample(build)
    write_reports(records, tmp_path / "a")
    write_reports(records[::-1], tmp_path / "b" / "deeper")
    first, second = pages(tmp_path / "a"), pages(tmp_path / "b" / "deeper")
    assert first == second
    assert str(tmp_path) not in "".join(first.values())


def test_the_index_counts_what_the_records_hold(build: Build, tmp_path: Path) -> None:
    records = sample(build)
    write_reports(records, tmp_path)
    summary, suites, scenarios = tables((tmp_path / "index.md").read_text())[:3]
    numbers = {row[0]: row[1] for row in summary[1:]}
    assert numbers["scenarios"] == str(len(records))
    for verdict in ("safe", "partial", "unsafe", "refused"):
        assert numbers[verdict] == str(sum(record.verdict == verdict for record in records))
    assert sum(int(numbers[word]) for word in ("safe", "partial", "unsafe", "refused")) == len(records)
    assert numbers["ended as expected, of those that ran"] == "6 of 7"
    assert numbers["safe, mAP50 measured"] == "3"
    assert numbers["safe, accuracy not measured"] == "0"
    # six steps in the safe and partial plans, one each in the two unsafe ones and in the refuted one
    assert numbers["steps that went as predicted"] == "8 of 9"
    assert numbers["concat, split and residual edges as predicted"] == "2 of 3"
    for column, name in enumerate(suites[0]):
        if name in ("scenarios", "safe", "partial", "unsafe", "refused"):
            assert sum(int(row[column]) for row in suites[1:]) == int(numbers[name]), name
    assert len(scenarios) - 1 == len(records)


def test_the_first_sentence_names_what_needs_attention(build: Build, tmp_path: Path) -> None:
    write_reports(sample(build), tmp_path)
    quick = (tmp_path / "quick.md").read_text()
    assert "**The plan is safe to use.** Look first at `refuted`, which did not end as its spec expects." in quick
    assert "a refuted prediction is a defect of this tool" in quick
    notes = (tmp_path / "field_notes/sample.md").read_text()
    assert (
        "**2 of 5 plans are safe to use; 2 must not be used as written and 1 was refused for wrong input.** "
        "Every scenario ended as its spec expects; the ones that are not safe were declared to show that. "
        "All 6 predictions were confirmed by running what they are about."
    ) in notes


def test_a_plan_that_fits_but_ruins_the_detector_is_not_called_good(build: Build, tmp_path: Path) -> None:
    ruined = MetricsRecord(scores_before=precision(0.99), scores_after=precision(0.0))
    write_reports([build.record("ruin", metrics=ruined)], tmp_path)
    page = (tmp_path / "field_notes/sample.md").read_text()
    assert "**The plan fits, but it loses more than 0.10 mAP50.**" in page
    assert "safe to use" not in page
    assert "[`ruin`](#ruin): fits, but loses more than 0.10 mAP50; remove fewer channels or fine-tune longer." in page

    write_reports([build.record("ruin", metrics=ruined), build.record("good"), build.unsafe()], tmp_path)
    page = (tmp_path / "field_notes/sample.md").read_text()
    assert "**2 of 3 plans fit, but 1 of them loses more than 0.10 mAP50; 1 must not be used as written.**" in page
    assert re.search(r"safe, but at a notable loss of mAP50 +\| +1 \|", (tmp_path / "index.md").read_text())


def test_a_page_leads_with_what_to_do(build: Build, tmp_path: Path) -> None:
    write_reports(sample(build), tmp_path)
    notes = (tmp_path / "field_notes/sample.md").read_text()
    assert notes.index("**What to do**") < notes.index("| scenario")
    assert f"- [`cut`](#cut): do not use as written; {CUT}." in notes
    assert "[`phantoms`](#phantoms): do not use as written; use `mask: silent`, which zeroes" in notes


def test_a_step_shows_weights_beside_outputs_and_its_phantoms(build: Build, tmp_path: Path) -> None:
    write_reports([build.record(mask="weights", steps=(build.step(active=30),))], tmp_path)
    header, row = next(
        table for table in tables((tmp_path / "field_notes/sample.md").read_text()) if "block" in table[0]
    )
    cells = dict(zip(header, row, strict=True))
    assert cells["layer (address)"] == "`model.1.conv` (1.0)"
    assert cells["channels → kept"] == "32 → 16"
    assert cells["non-zero filters after pruning"] == "16"
    assert cells["active channels after pruning"] == "30"
    assert cells["phantom channels after pruning"] == "14"
    assert cells["agree"] == "✓"


def test_a_failing_step_gives_the_words_of_pytorch_once_if_they_were_foretold(build: Build, tmp_path: Path) -> None:
    write_reports([build.unsafe()], tmp_path)
    page = (tmp_path / "field_notes/sample.md").read_text()
    message = build.mismatch().message
    assert (
        "failed, as predicted to the letter: breaks in `model.2.cv1.conv` "
        f"(direct edge, expected 32, got 16): `{message}`" in page
    )

    other = build.mismatch(module="model.3.conv")
    write_reports([build.unsafe(steps=(build.broken(observed_failure=other, agrees=False),), agrees=False)], tmp_path)
    page = (tmp_path / "field_notes/sample.md").read_text()
    assert "predicted to break in `model.2.cv1.conv`" in page
    assert "broke in `model.3.conv`" in page


def test_a_layer_whose_channels_were_never_chosen_claims_no_kept_ones(build: Build, tmp_path: Path) -> None:
    step = build.broken(kept=32, status="skipped", weight_norm_count=None, active=None)
    write_reports([build.unsafe(verdict="partial", activations="sliced", steps=(step,))], tmp_path)
    assert f"| 32 → {NONE} " in (tmp_path / "field_notes/sample.md").read_text()


def test_edges_are_counted_and_folded(build: Build, tmp_path: Path) -> None:
    edges = (build.edge(), build.edge(port="in1", agrees=False, observed_active=9))
    write_reports([build.record(edges=edges)], tmp_path)
    page = (tmp_path / "field_notes/sample.md").read_text()
    assert "<summary>Concat, split and residual edges touched: 2, 1 of 2 as predicted</summary>" in page
    _, *rows = next(table for table in tables(page) if table[0][0] == "operator")
    assert rows[0] == ["`model.2:cat`", "concat", "in0", "`model.2.cv1.conv`", "16", "16", "16", "16", "8", "8", "✓"]
    assert rows[1][-1] == "✗"


def test_parameters_and_macs_stand_beside_their_prediction(build: Build, tmp_path: Path) -> None:
    metrics = MetricsRecord(
        params_before=3_000_000, params_after=2_400_000, predicted_params=2_400_001, macs_before=100, macs_after=80
    )
    write_reports([build.record(metrics=metrics)], tmp_path)
    page = (tmp_path / "field_notes/sample.md").read_text()
    _, *rows = next(table for table in tables(page) if "predicted" in table[0] and "before" in table[0])
    assert rows[0] == ["parameters", "3,000,000", "2,400,000", "-20.0 %", "2,400,001"]
    assert rows[1][:4] == ["MACs per image", "100", "80", "-20.0 %"]


def test_no_map_is_claimed_for_a_model_that_does_not_run(build: Build, tmp_path: Path) -> None:
    write_reports([build.unsafe()], tmp_path)
    page = (tmp_path / "field_notes/sample.md").read_text()
    rows = next(table for table in tables(page) if table[0][0] == "" and "before" in table[0])
    assert next(row for row in rows if row[0] == "mAP50")[2] == NONE
    assert "mAP50 went" not in page


def test_the_command_that_reproduces_a_scenario_is_given(build: Build, tmp_path: Path) -> None:
    write_reports([build.record("first[a,b]")], tmp_path)
    page = (tmp_path / "field_notes/sample.md").read_text()
    assert '```bash\npytest "specs/field_notes/sample.prune.yaml::first[a,b]"\n```' in page


def test_words_are_explained_where_they_occur_and_only_there(build: Build, tmp_path: Path) -> None:
    write_reports(sample(build), tmp_path)
    assert "**phantom channel**" in (tmp_path / "field_notes/sample.md").read_text()
    assert "**phantom channel**" not in (tmp_path / "field_notes/other_notes.md").read_text()


def test_absolute_paths_stay_out_of_the_pages(build: Build, tmp_path: Path) -> None:
    record = build.record(checkpoint="/somewhere/final.pt", spec="/somewhere/x.prune.yaml", model="/somewhere/m.pt")
    write_reports([record], tmp_path)
    shown = "".join(pages(tmp_path).values())
    assert "/somewhere" not in shown
    assert "`m.pt`" in shown


def test_claims_are_written_only_for_the_field_notes(build: Build, tmp_path: Path) -> None:
    write_reports([build.record(tags=())], tmp_path / "plain")
    write_reports([build.record(tags=("field-notes",))], tmp_path / "notes")
    assert not (tmp_path / "plain" / "claims.md").exists()
    assert "claims.md" not in (tmp_path / "plain" / "index.md").read_text()
    assert "(claims.md)" in (tmp_path / "notes" / "index.md").read_text()
    assert "(../claims.md)" in (tmp_path / "notes" / "field_notes" / "sample.md").read_text()


def test_stored_records_make_the_same_pages(build: Build, tmp_path: Path) -> None:
    records = sample(build)
    write_reports(records, tmp_path / "a")
    paths = save_records(records, tmp_path / "b")
    assert len(set(paths)) == len(records)
    assert load_records(tmp_path / "b" / "records") == sorted(records, key=lambda record: (record.spec, record.id))
    write_reports(load_records(tmp_path / "b" / "records"), tmp_path / "b")
    assert pages(tmp_path / "a") == pages(tmp_path / "b")


def test_a_run_of_one_suite_keeps_what_is_known_of_the_others(build: Build, tmp_path: Path) -> None:
    records = sample(build)
    save_records(records, tmp_path)
    write_reports(records, tmp_path)
    before = pages(tmp_path)
    changed = replace(records[-1], passed=True, failures=())

    write_reports([changed], tmp_path)

    after = pages(tmp_path)
    assert set(after) == set(before)
    assert {name for name in after if after[name] != before[name]} == {"quick.md", "index.md"}
    assert "| ended as expected, of those that ran | 7 of 7 |" in re.sub(" +", " ", after["index.md"])


def test_pages_whose_records_are_gone_are_deleted_and_foreign_files_are_not(build: Build, tmp_path: Path) -> None:
    write_reports(sample(build), tmp_path)
    (tmp_path / "README.md").write_text("somebody's own\n")

    written = write_reports([build.record(spec="specs/quick.prune.yaml", suite="quick", tags=())], tmp_path)

    assert written.removal == (
        "removed 4 pages that no record stands behind: claims.md, executions.md, field_notes/other_notes.md, "
        "field_notes/sample.md"
    )
    assert set(pages(tmp_path)) == {"index.md", "quick.md", "README.md"}
    assert not (tmp_path / "field_notes").exists()
    assert (tmp_path / "quick.md").read_text().startswith(MARKER)


def test_pages_of_a_report_below_are_left_alone(build: Build, tmp_path: Path) -> None:
    for june in ("june", "deep/er/june"):
        write_reports(sample(build), tmp_path / june)
    before = pages(tmp_path)
    plain = build.record(spec="specs/quick.prune.yaml", suite="quick", tags=())

    assert write_reports([plain], tmp_path).removed == ()
    assert write_reports([replace(plain, spec="specs/june/other.prune.yaml")], tmp_path).removed == ("quick.md",)
    assert write_reports([plain], tmp_path).removed == (), "june/other.md may belong to the report in june by now"
    assert before.keys() <= pages(tmp_path).keys()


def test_a_file_somebody_else_wrote_is_not_overwritten(build: Build, tmp_path: Path) -> None:
    mine = tmp_path / "field_notes/sample.md"
    mine.parent.mkdir()
    mine.write_text("my notes\n")
    with pytest.raises(UserError, match=r"sample\.md: a page would overwrite a file that is no report of ours\. Name"):
        write_reports([build.record()], tmp_path)
    assert set(pages(tmp_path)) == {"field_notes/sample.md"}, "nothing is half-written"
    assert mine.read_text() == "my notes\n"


@pytest.mark.parametrize("list_", ["", "[", "{}", '["../mine.md", 1]'])
def test_pages_nobody_is_known_to_have_written_here_are_not_deleted(build: Build, tmp_path: Path, list_: str) -> None:
    out = tmp_path / "out"
    write_reports([build.record()], out)
    (tmp_path / "mine.md").write_text(f"{MARKER}\n")
    before = pages(out)
    (out / ".pages.json").write_text(list_)

    assert write_reports([build.record(spec="specs/quick.prune.yaml", tags=())], out).removed == ()

    assert before.keys() <= pages(out).keys()
    assert (tmp_path / "mine.md").exists()


def test_nothing_to_report_and_contradictory_records_are_refused(build: Build, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to report"):
        write_reports([], tmp_path)
    with pytest.raises(UserError, match="two different records of the same scenario"):
        write_reports([build.record(), build.record(why="another")], tmp_path)
    write_reports([build.record(), build.record()], tmp_path)
    with pytest.raises(UserError, match="no such folder of records"):
        load_records(tmp_path / "nowhere")
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "x.json").write_text("{}")
    with pytest.raises(UserError, match="record of another format"):
        write_reports([build.record()], tmp_path)


def test_two_specs_of_one_name_get_two_pages_and_two_places(build: Build, tmp_path: Path) -> None:
    one, two = build.record(spec="/a/x.prune.yaml"), build.record(spec="/b/x.prune.yaml")
    written = write_reports([one, two], tmp_path).pages
    assert len(written) == len(set(written)) == 4  # index, claims and the two
    assert record_path(one, tmp_path) != record_path(two, tmp_path)


@pytest.mark.parametrize(
    ("spec", "page"),
    [
        ("specs/field_notes/multi_block_pruning.prune.yaml", "field_notes/multi_block_pruning.md"),
        ("specs/quick_start.prune.yaml", "quick_start.md"),
        ("elsewhere/specs/a/b.prune.yml", "a/b.md"),
        ("../x.prune.yaml", "x.md"),
        ("C:\\plans\\x.prune.yaml", "x.md"),
    ],
)
def test_the_page_is_named_after_the_spec(spec: str, page: str) -> None:
    assert page_of(spec) == page


def test_links_are_relative_to_the_page_they_stand_on() -> None:
    assert relative("index.md", "field_notes/x.md") == "../index.md"
    assert relative("field_notes/x.md#a", "field_notes/x.md") == "#a"
    assert relative("field_notes/x.md#a", "index.md") == "field_notes/x.md#a"


def test_scenarios_that_differ_only_in_signs_get_different_files() -> None:
    assert slug_of("a[b]") != slug_of("a(b)")
    assert re.fullmatch(r"[\w.-]+", slug_of("a[b,c]"))


def test_a_spec_named_index_does_not_overwrite_the_index(build: Build, tmp_path: Path) -> None:
    write_reports([build.record(spec="specs/index.prune.yaml")], tmp_path)
    assert "# Pruning safety reports" in (tmp_path / "index.md").read_text()


def test_predictions_alone_count_as_neither_confirmed_nor_refuted(build: Build) -> None:
    record = build.record(agrees=None, steps=(build.step(agrees=None),), edges=(build.edge(),))
    tally = Tally.of([record])
    assert (tally.predictions, tally.edges) == (0, 0)


def test_reporting_imports_no_torch() -> None:
    code = "import sys, yolo_prune_check.report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_several_hazards_are_counted_in_the_one_line_reason(build: Build, tmp_path: Path) -> None:
    hazards = (build.hazard(), build.hazard(layer="model.3.conv"), build.hazard("regrowth"))
    record = build.record(verdict="unsafe", hazards=hazards, reasons=("model.1.conv: 16 filters emit", "another"))
    write_reports([record], tmp_path)
    wanted = "`phantom-channel` in 2 layers, `regrowth` in 1 layer; first, model.1.conv: 16 filters emit"
    assert wanted in (tmp_path / "index.md").read_text()


def test_a_mask_is_not_sold_as_a_smaller_model(build: Build, tmp_path: Path) -> None:
    remark = "Masking makes the model neither smaller nor faster"
    write_reports([build.record()], tmp_path)
    assert remark in (tmp_path / "field_notes/sample.md").read_text()
    write_reports([build.record(execution="group")], tmp_path)
    assert remark not in (tmp_path / "field_notes/sample.md").read_text()


def test_the_report_begins_with_what_could_not_be_started(build: Build, tmp_path: Path) -> None:
    message = "specs/sample.prune.yaml:4: unknown block: got 77. yolov8n-digits has blocks 0 to 22."
    bad = not_started(build.record("typo"), message)
    for records, words in (
        ([bad], "**The scenario could not be started, because its input is wrong: nothing is known of its safety.**"),
        ([bad, replace(bad, id="b")], "**None of the 2 scenarios could be started, because their input is wrong:"),
        (
            [bad, build.record()],
            "**1 of 2 scenarios could not be started, because its input is wrong: nothing is known of it.** "
            "**The plan is safe to use.**",
        ),
    ):
        assert headline(records).startswith(words)
    write_reports([bad, build.record()], tmp_path)
    index, notes = (tmp_path / "index.md").read_text(), (tmp_path / "field_notes/sample.md").read_text()
    summary, suites, scenarios = tables(index)[:3]
    assert ["not started", "1"] in summary
    assert ["ended as expected, of those that ran", "1 of 1"] in summary
    assert suites[1][suites[0].index("not started")] == "1"
    row = next(row for row in scenarios if "typo" in row[1])
    assert row[3:] == ["not started", "✗", message]
    assert "**not started** ones could not be started" in index
    assert "[`typo`](#typo): could not be started; correct the input that its message names." in notes
    part = notes[notes.index("## `typo`") :]
    assert f"**Not started**. The scenario could not be started, because its input is wrong. {message}" in part
    assert part.count(message) == 1


def test_the_index_says_which_model_data_and_size_a_suite_was_tried_on(build: Build, tmp_path: Path) -> None:
    write_reports([build.record(), build.record("b", model="yolov8s.yaml", data=None)], tmp_path)
    index = (tmp_path / "index.md").read_text()
    _, suites, *_ = tables(index)
    cell = suites[1][suites[0].index("model · data · image size")]
    assert cell == "`yolov8n-digits` · `digits` · 128 px; `yolov8s.yaml` (untrained) · no data · 128 px"
    assert "trained YOLO model" not in index


def test_pages_name_gpus_and_say_nothing_of_the_cpu(build: Build, tmp_path: Path) -> None:
    on_cpu, on_gpus = build.record(), build.record("b", device="0,1", execution="group")
    write_reports([on_cpu, on_gpus], tmp_path)
    _, suites, *_ = tables((tmp_path / "index.md").read_text())
    cell = suites[1][suites[0].index("model · data · image size")]
    assert cell == "`yolov8n-digits` · `digits` · 128 px; `yolov8n-digits` · `digits` · 128 px · GPU 0,1"
    page = (tmp_path / page_of(on_cpu.spec)).read_text()
    hows = [line for line in page.splitlines() if line.startswith("How: ")]
    assert {"execution `group`" in how: "128 px, GPU 0,1, " in how for how in hows} == {False: False, True: True}
    assert "GPU" not in scenario_failure_text(on_cpu, "")
    assert ", 128 px, GPU 0,1, execution group, order " in scenario_failure_text(on_gpus, "")


def test_a_plan_whose_accuracy_was_not_measured_is_not_called_safe_to_use(build: Build, tmp_path: Path) -> None:
    blind = [build.record(name, data=None, metrics=MetricsRecord()) for name in ("a", "b")]
    write_reports(blind[:1], tmp_path)
    page = (tmp_path / "field_notes/sample.md").read_text()
    assert "**The plan fits, but its accuracy was not measured.**" in page
    assert "**Safe**, but accuracy was not measured." in page
    assert "[`a`](#a): every operator fits, but accuracy was not measured; measure it" in page
    assert "1 layer masked, every operator fits, accuracy not measured" in page
    assert "safe to use" not in page
    ruined = build.record("ruin", metrics=MetricsRecord(scores_before=precision(0.99), scores_after=precision(0.5)))
    for records, words in (
        (blind, "Both plans fit, but neither of them was measured for accuracy."),
        ([blind[0], build.record()], "Both plans fit, but 1 of them was not measured for accuracy."),
        (
            [*blind, build.record(), build.unsafe()],
            "3 of 4 plans fit, but 2 of them were not measured for accuracy; 1 must not be used as written.",
        ),
        (
            [*blind, ruined],
            "All 3 plans fit, but 1 of them loses more than 0.10 mAP50 and 2 of them were not measured for accuracy.",
        ),
    ):
        assert f"**{words}**" in headline(records)
    write_reports([*blind, build.record()], tmp_path)
    numbers = dict(row[:2] for row in tables((tmp_path / "index.md").read_text())[0])
    assert (numbers["safe, accuracy not measured"], numbers["safe, mAP50 measured"]) == ("2", "1")


def test_a_plan_is_not_called_safe_to_use_where_there_was_no_accuracy_to_lose(build: Build, tmp_path: Path) -> None:
    nothing = MetricsRecord(scores_before=precision(0.0004), scores_after=precision(0.0004))
    blind = [build.record(name, metrics=nothing) for name in ("a", "b")]
    write_reports(blind[:1], tmp_path)
    page = (tmp_path / "field_notes/sample.md").read_text()
    assert "**The plan fits, but this data cannot show what it costs in accuracy.**" in page
    assert "**Safe**, but this data cannot show what the plan costs in accuracy." in page
    assert "[`a`](#a): fits, but the untouched model finds next to nothing in this data; measure it" in page
    assert "mAP50 0.000 → 0.000, which says nothing: there was none to lose" in page
    assert "safe to use" not in page
    for records, words in (
        (blind, "Both plans fit, but the data cannot show what any of them costs."),
        ([blind[0], build.record()], "Both plans fit, but the data cannot show what 1 of them costs."),
        ([blind[0], build.unsafe()], "1 of 2 plans fits, but the data cannot show what it costs; 1 must not be"),
    ):
        assert f"**{words}" in headline(records)
    write_reports([*blind, build.record()], tmp_path)
    numbers = dict(row[:2] for row in tables((tmp_path / "index.md").read_text())[0])
    assert (numbers["safe, mAP50 of the untouched model about 0"], numbers["safe, mAP50 measured"]) == ("2", "1")


def test_safe_and_a_notable_loss_stand_in_one_sentence(build: Build, tmp_path: Path) -> None:
    write_reports(
        [build.record("ruin", metrics=MetricsRecord(scores_before=precision(0.99), scores_after=precision(0.87)))],
        tmp_path,
    )
    page = (tmp_path / "field_notes/sample.md").read_text()
    assert "**Safe**, but mAP50 went from 0.990 to 0.870, a loss of more than 0.10." in page
    assert page.count("mAP50 went from") == 1


def test_a_failed_expectation_says_where_the_plan_breaks(build: Build) -> None:
    record = build.unsafe(passed=False, failures=("the verdict is unsafe, expected safe",))
    assert reason(record) == (
        "the verdict is unsafe, expected safe; once `model.1.conv` is cut, the network breaks in `model.2.cv1.conv`: "
        "expected 32, got 16"
    )


def test_several_remedies_do_not_run_into_one_another(build: Build) -> None:
    record = build.unsafe(hazards=(build.hazard("no-op", remedy="Keep fewer channels."),))
    assert advice(record) == (f"do not use as written; {CUT}; keep fewer channels")


def test_numbers_are_right_aligned_where_pages_are_shown(build: Build, tmp_path: Path) -> None:
    write_reports([build.record()], tmp_path)
    lines = (tmp_path / "index.md").read_text().splitlines()
    rule = lines[next(i for i, line in enumerate(lines) if re.match(r"\| +\| +number \|", line)) + 1]
    assert re.fullmatch(r"\|:-+\|-+:\|", rule)


def test_the_index_says_what_the_field_notes_are(build: Build, tmp_path: Path) -> None:
    write_reports([build.record()], tmp_path)
    assert "The field notes are five documents by somebody who pruned" in (tmp_path / "index.md").read_text()


def test_a_plan_that_was_only_predicted_is_not_said_to_have_run(build: Build, tmp_path: Path) -> None:
    step = build.step(status="predicted", observed="", active=None, weight_norm_count=None, agrees=None)
    edge = build.edge(observed=None, observed_active=None)
    record = build.record("alone", steps=(step,), edges=(edge,), agrees=None, metrics=MetricsRecord())
    write_reports([record], tmp_path)
    page = (tmp_path / page_of(record.spec)).read_text(encoding="utf-8")
    assert "Nothing was carried out: 1 step was predicted." in page
    assert "touched: 1, predicted, nothing was run" in page
    assert "as predicted</summary>" not in page
    assert "can be used as written" not in page


def test_a_structural_plan_is_not_told_of_in_the_words_of_masks(build: Build, tmp_path: Path) -> None:
    """What is gone can neither emit nor grow back."""
    words = ("non-zero filters", "phantom channel", "grown back in fine-tuning")
    step = build.step(regrown=0, active=16, scores_pruned=precision(0.9), scores_tuned=precision(0.9))
    write_reports([build.record(steps=(step,))], tmp_path / "mask")
    masked = (tmp_path / "mask" / "field_notes/sample.md").read_text()
    assert all(word in masked for word in words)
    for execution, done in (("group", "cut with what is tied to them"), ("adapter", "cut behind adapters")):
        write_reports([build.record(execution=execution, steps=(step,))], tmp_path / execution)
        page = (tmp_path / execution / "field_notes/sample.md").read_text()
        assert not [word for word in words if word in page]
        assert f"1 layer {done}, every operator fits" in page


def test_what_went_besides_is_told_by_layer(build: Build, tmp_path: Path) -> None:
    slices = ("model.2.m.0.cv2.conv[1:2]", "model.2.m.0.cv2.conv[5:9]", "model.4.cv1.conv[0:2]")
    step = build.step(added=slices, returned=("model.1.conv[3:4]",))
    write_reports([build.record(execution="group", steps=(step,))], tmp_path)
    page = (tmp_path / "field_notes/sample.md").read_text()
    assert "it: channels 1, 5-8 of `model.2.m.0.cv2.conv`, channels 0-1 of `model.4.cv1.conv`\n" in page
    assert "stayed after all, for symmetry or round widths: channel 3 of `model.1.conv`\n" in page


def test_how_channels_were_chosen_is_said_in_full(build: Build, tmp_path: Path) -> None:
    write_reports([build.record(selected="l1, ratio 0.125")], tmp_path)
    assert "channels chosen by l1, ratio 0.125, activations" in (tmp_path / "field_notes/sample.md").read_text()


def test_each_plan_is_told_of_in_its_own_measure(build: Build, tmp_path: Path) -> None:
    lost = MetricsRecord(scores_before=Accuracy(0.9, 1.0, 0.1), scores_after=Accuracy(0.5, 0.875, 0.1))
    step = build.step(scores_pruned=Accuracy(0.5, 0.875, 0.1))
    classifier = build.record("cls", metrics=lost, steps=(step,))
    write_reports([classifier], tmp_path)
    page = (tmp_path / "field_notes/sample.md").read_text()
    assert "**The plan fits, but it loses more than 0.10 top-1 accuracy.**" in page
    assert "**Safe**, but top-1 accuracy went from 0.900 to 0.500, a loss of more than 0.10." in page
    assert "mAP" not in page
    steps, costs = tables(page)[1:3]
    assert steps[0][-2] == "top-1 / top-5 accuracy after pruning"
    assert steps[1][-2] == "0.500 / 0.875"
    assert [row[:4] for row in costs if "accuracy" in row[0]] == [
        ["top-1 accuracy", "0.900", "0.500", "-0.400"],
        ["top-5 accuracy", "1.000", "0.875", "-0.125"],
    ]
    write_reports([classifier, build.record("det")], tmp_path)
    numbers = dict(row[:2] for row in tables((tmp_path / "index.md").read_text())[0])
    assert numbers["safe, mAP50 or top-1 accuracy measured"] == "2"
    assert numbers["safe, but at a notable loss of mAP50 or top-1 accuracy"] == "1"
    assert "mAP50, mAP50-95" in (tmp_path / "index.md").read_text()
