"""A data set of pictures of many sizes, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

SIZES = ((128, 128), (200, 90), (61, 143), (64, 32), (300, 301))  # width, height


def write_pictures(folder: Path, labels: Sequence[str | None], sizes: Sequence[tuple[int, int]] = SIZES) -> str:
    """One picture for each entry of `labels`: the lines of its label file, or None for no such file."""
    random = np.random.default_rng(0)
    for kind in ("images", "labels"):
        (folder / kind / "train").mkdir(parents=True)
    for number, lines in enumerate(labels):
        width, height = sizes[number % len(sizes)]
        pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / "train" / f"{number:03}.png")
        if lines is not None:
            (folder / "labels" / "train" / f"{number:03}.txt").write_text(lines, encoding="utf-8")
    names = "\n".join(f"  {number}: n{number}" for number in range(10))
    yaml = folder / "set.yaml"
    yaml.write_text(f"train: images/train\nval: images/train\nnames:\n{names}\n", encoding="utf-8")
    return str(yaml)
