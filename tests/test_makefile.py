"""What ``make`` says while it installs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Stands in for Python: makes an environment whose own Python does nothing but say that it was called.
PYTHON = """#!/bin/sh
mkdir -p "$3/bin"
printf '#!/bin/sh\\necho called "$@"\\n' > "$3/bin/python"
chmod +x "$3/bin/python"
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(
    ("target", "does", "announced"),
    [
        ("demo", "pytest", []),
        ("test", "pytest", []),
        ("bench", "benchmarks.predict", ["what the benchmarks need besides, a minute in which pip says nothing …"]),
    ],
)
def test_each_installation_is_announced_before_it_begins_and_only_then(
    target: str, does: str, announced: list[str], tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text(PYTHON, encoding="utf-8")
    python.chmod(0o755)
    venv = tmp_path / "venv"
    command = ["make", "--silent", target, f"PYTHON={python}", f"VENV={venv}"]
    first, again = (
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
        for _ in range(2)
    )
    for what in ["some 7 GB, a few minutes in which pip says nothing …", *announced]:
        line, call, *first = first
        assert line == f"Installing into {venv}: {what}"
        assert call.startswith("called -m pip install")
    assert first[0].startswith(f"called -m {does}")
    assert first == again
