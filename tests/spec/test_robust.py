"""Whatever is written, the loader gives scenarios or one UserError: never another exception."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from tests.spec.texts import write
from yolo_prune_check.errors import UserError
from yolo_prune_check.spec import Suite, load_spec
from yolo_prune_check.spec.schema import AXES, NESTED, ScenarioInput, SpecFile

WORDS = ["mask", "local", "first", "all", "widest:2", "l1", "0-7,9", "2.10", "listed", "x.pt", "a", "", "../b.yaml"]
KEYS = sorted({*ScenarioInput.model_fields, *AXES, *(key for model in NESTED.values() for key in model.model_fields)})
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 300)
    | st.floats()
    | st.sampled_from(WORDS)
    | st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=4)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KEYS, "layer", "keep"]), inner, max_size=3)
    ),
    max_leaves=8,
)
SCENARIO = st.fixed_dictionaries({"id": st.just("a") | VALUES}) | st.dictionaries(st.sampled_from(KEYS), VALUES)
DOCUMENT = st.fixed_dictionaries(
    {"scenarios": st.lists(SCENARIO, max_size=2) | VALUES},
    optional={key: VALUES for key in SpecFile.model_fields if key != "scenarios"},
)


def load(text: str) -> Suite | str:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return load_spec(write(Path(folder), text))
        except UserError as error:
            message = str(error)
    assert message.startswith(str(Path(folder).resolve()))
    return message


@given(DOCUMENT)
@example({"include": "x" * 5000, "model": "y" * 5000 + ".pt", "scenarios": []})
@example({"scenarios": [{"id": "a", "blocks": [1], "layers": "all", "model": "y" * 5000 + ".pt"}]})
@example({"scenarios": [{"id": "a", "execution": {"b": 1}}]})
@example({"scenarios": [{"id": "a", "matrix": {"execution": [{"b": 1}], "seed": [[]]}}]})
@example({"scenarios": [{"id": "a", "select": {"criterion": []}, "tags": [[]], "expect": {"hazards": [{}]}}]})
def test_any_values(document: dict[str, object]) -> None:
    result = load(json.dumps(document, ensure_ascii=False))
    if isinstance(result, str):
        for line in result.split("\n"):
            assert re.search(r"x\.prune\.yaml:\d+:\d+: .+\.$", line), line


@given(st.text(alphabet=st.sampled_from(list("ab:-[]{}&*!|>'\"#,?%@`~<= \n\t0.1")), max_size=40))
@example("? [a]\n: b\n")
@example("a: =\n")
@example("!!set {a}\n")
@example("a: !!int x\n")
@example("a: !!float x\n")
@example("a: !!bool x\n")
@example('include: "\\ud800"\n"\\ud800": "\\0"\n')
@example("!<tag:yaml.org,2002:int> x: 1\n")
def test_any_text(text: str) -> None:
    load(text)
