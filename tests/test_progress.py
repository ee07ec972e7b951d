"""Progress: a bar on a terminal, plain lines elsewhere, silence when asked."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import pytest

from yolo_prune_check.progress import _Lines, progress


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def visible(text: str) -> str:
    """Terminal output without escape sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_plain_stream_gets_start_and_end_of_short_work() -> None:
    stream = io.StringIO()
    with progress(stream=stream).task("fine-tune", 4) as advance:
        for _ in range(4):
            advance(1)
    assert stream.getvalue() == "fine-tune: 0 of 4\nfine-tune: 4 of 4, done in 0 s\n"


def test_plain_lines_come_at_most_every_ten_percent() -> None:
    stream, clock = io.StringIO(), Clock()
    with _Lines(stream, clock).task("collect", 1000) as advance:
        for _ in range(1000):
            clock.now += 2.0 / 100  # 1000 units in 20 s: 10 % every 2 s
            advance(1)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "collect: 0 of 1000"
    assert lines[1:-1] == [
        f"collect: {n} of 1000, {n // 50} s, about {20 - n // 50} s left" for n in range(100, 1000, 100)
    ]
    assert lines[-1] == "collect: 1000 of 1000, done in 20 s"


def test_slow_work_shows_a_sign_of_life_every_ten_seconds() -> None:
    stream, clock = io.StringIO(), Clock()
    with _Lines(stream, clock).task("collect", 1000) as advance:
        for _ in range(25):
            clock.now += 1.0
            advance(1)
    assert stream.getvalue().splitlines() == [
        "collect: 0 of 1000",
        "collect: 10 of 1000, 10 s, about 16 min left",
        "collect: 20 of 1000, 20 s, about 16 min left",
        "collect: 25 of 1000, done in 25 s",
    ]


def test_fast_work_is_not_reported_more_than_once_a_second() -> None:
    stream, clock = io.StringIO(), Clock()
    with _Lines(stream, clock).task("scan", 10) as advance:
        for _ in range(10):
            clock.now += 0.3
            advance(1)
    assert len(stream.getvalue().splitlines()) <= 2 + 3


def test_plain_task_of_unknown_length() -> None:
    stream = io.StringIO()
    with progress(stream=stream).task("search") as advance:
        advance(3)
    assert stream.getvalue() == "search\nsearch: 3, done in 0 s\n"


@pytest.mark.parametrize("terminal", [False, True])
def test_an_error_in_a_task_passes_through(terminal: bool) -> None:
    stream = FakeTerminal() if terminal else io.StringIO()
    reporter = progress(stream=stream)

    def work() -> None:
        with reporter.task("divide", 3) as advance:
            advance(1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    if not terminal:
        assert stream.getvalue().splitlines()[-1] == "divide: 1 of 3, stopped after 0 s"
    with reporter.task("again", 1) as advance:  # the reporter still works
        advance(1)
    assert "again" in visible(stream.getvalue())


def test_terminal_gets_a_bar_and_keeps_titles_to_the_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = FakeTerminal()
    reporter = progress(stream=stream)
    with reporter.task("scenario[mask,front]", 5) as advance:
        advance(2)
        reporter.line("[bold] layer skipped")
    text = visible(stream.getvalue())
    assert "\x1b[" in stream.getvalue()
    assert "scenario[mask,front]" in text
    assert "2/5" in text
    assert re.search(r"2/5 0:00:0\d < ", text)
    assert "[bold] layer skipped" in text


def test_terminal_shows_nested_tasks_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = FakeTerminal()
    reporter = progress(stream=stream)
    with reporter.task("outer", 2) as outer:
        with reporter.task("inner", 7) as inner:
            inner(7)
        outer(1)
    text = visible(stream.getvalue())
    assert "outer" in text
    assert "7/7" in text
    assert "1/2" in text


def test_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream = FakeTerminal()
    with progress(stream=stream).task("a", 1) as advance:
        advance(1)
    assert stream.getvalue() == "a: 0 of 1\na: 1 of 1, done in 0 s\n"


def test_quiet_reports_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    stream = FakeTerminal()
    reporter = progress(quiet=True, stream=stream)
    with reporter.task("a", 1) as advance:
        advance(1)
    reporter.line("b")
    assert stream.getvalue() == ""
    assert capsys.readouterr() == ("", "")


def test_default_stream_is_the_present_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    progress().line("to standard error")
    assert capsys.readouterr() == ("", "to standard error\n")


def test_importing_it_loads_neither_torch_nor_rich() -> None:
    code = "import sys, yolo_prune_check.progress; print([m for m in ('torch', 'rich') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
