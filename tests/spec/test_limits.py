"""What is endless, huge or far too long ends in one short message."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.spec.texts import one, write
from yolo_prune_check.errors import UserError
from yolo_prune_check.spec import load_spec

BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]" for n in range(1, 9))]
)
CHAIN = "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 5000))])
WIDE = f"model: {[*range(90_000)]}\nscenarios: []\n"
NO_CHANNEL = "no layer has a channel {}: got {}. Channels are counted from 0 to 65535."

CASES = {
    "a list that holds itself": (
        "scenarios: &x [{id: a, why: *x}]\n",
        "1:12: an alias must not contain itself.",
    ),
    "a block list that holds itself": (
        "scenarios: &x\n  - id: a\n    why: *x\n",
        "1:12: an alias must not contain itself.",
    ),
    "an alias bomb": (
        f"{BOMB}\n",
        "1:1: not a spec: more than 100,000 values, each alias counted anew. Split it, or use fewer aliases.",
    ),
    "a chain of aliases": (f"{CHAIN}\n", "100:6: not a spec: nested too deeply."),
    "many channels": (
        one("steps: [{layer: 1.0, keep: 0-99999999999}]"),
        "4:40: " + NO_CHANNEL.format("99999999999", "'0-99999999999'"),
    ),
    "a channel in a list": (
        one("steps: [{layer: 1.0, keep: [0, 65536]}]"),
        "4:40: " + NO_CHANNEL.format("65536", "[0, 65536]"),
    ),
    "the same channels often": (
        one("steps: [{layer: 1.0, keep: '0-65535" + ",0-65535" * 3 + "'}]"),
        "4:40: channel 0 is named twice: got '0-65535,0-65535,0-65535,0-65535'. Name each once.",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_message_is_one_line(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text, message = CASES[case]
    with pytest.raises(UserError) as caught:
        load_spec(write(tmp_path, text))
    assert str(caught.value) == f"x.prune.yaml:{message}"


@pytest.mark.parametrize(
    "text",
    [
        WIDE,
        f"model: {'9' * 5000}\n",
        f"{'k' * 5000}: 1\n",
        one(f"seed: 0x{'f' * 5000}, blocks: [1], layers: all"),
        one(f"layers: ['{'9' * 5000}.0']"),
        one(f"layers: ['{'x' * 5000}!']"),
        one(f"blocks: {'x' * 5000}, layers: all"),
        one(f"steps: [{{layer: 1.0, keep: '{'9' * 5000}'}}]"),
        one(f"blocks: {['x'] * 5000}, layers: all"),
        one(f"order: {'x' * 5000}, blocks: [1], layers: all"),
        one(f"matrix: {{{'x' * 5000}: [1]}}, blocks: [1], layers: all"),
    ],
    ids=lambda text: text[:20] + text[60:80],
)
def test_a_long_value_is_cut(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        load_spec(write(tmp_path, text))
    lines = str(caught.value).splitlines()
    assert len(lines) <= 101
    assert all(len(line) < 700 for line in lines)


def test_what_65536_channels_take_is_read_at_once(tmp_path: Path) -> None:
    (scenario,) = load_spec(write(tmp_path, one("steps: [{layer: 1.0, keep: 0-65535}]"))).scenarios
    assert scenario.steps is not None
    assert scenario.steps[0].keep == tuple(range(65_536))


def test_a_message_ends_whatever_its_value_is() -> None:
    endless: list[object] = [1]
    endless.append(endless)
    shared: object = "x"
    for _ in range(40):
        shared = [shared] * 8
    for value in (endless, shared, 16**5000, {"a": endless}, (endless, endless), [*range(10**6)]):
        message = str(UserError("no", value=value))
        assert len(message) < 100
        assert message.endswith("….")


def test_a_value_that_is_short_enough_stands_as_python_writes_it() -> None:
    for value in (None, -1, 0.5, "it's", [1, "a"], (1,), (), {"a": [True], 2: {}}, {3}):
        assert str(UserError("no", value=value)) == f"no: got {value!r}."
