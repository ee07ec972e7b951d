"""The `digits` detection set: real handwritten digits over real photographs, made locally, without a download.

scikit-learn ships both ingredients: 1,797 handwritten digits of 8x8 pixels (`load_digits`) and two photographs
(`load_sample_images`). Each picture is a random crop of a photograph with two to five digits blended over it. No digit
sample of the training half appears in the validation half, and neither does any part of a photograph.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

VERSION = "digits-v1"
"""Name of the folder in the cache. Raise it whenever the pictures or labels change."""

CACHE_ENV = "YOLO_PRUNE_CHECK_CACHE"
IMAGE_SIZE = 128
CLASSES = 10
IMAGES = {"train": 1600, "val": 200}
SEED = 20240
VAL_SHARE = 0.2

_DIGITS_PER_IMAGE = (2, 5)  # both inclusive
_DIGIT_SIZE = (22, 44)  # nominal longer side, px, both inclusive; a digit with faint edges comes out a little larger
_INK = 128  # alpha (0..255) from which a pixel counts as ink; boxes are tight around these
_MAX_OVERLAP = 2  # px by which two boxes may overlap
_PHOTO_SPLIT = 0.36  # the share of a photograph's width, from the left, that serves validation
_STALE_SECONDS = 3600.0  # a build takes seconds, so an unfinished folder this old was abandoned

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """One picture and its labels.

    `image` is (128, 128, 3) uint8 RGB; `classes` is (n,) int; `boxes` is (n, 4) int, `x0, y0, x1, y1` in pixels with
    `x1` and `y1` exclusive; `sources` is (n,) int, the row in `load_digits` that each digit came from.
    """

    image: Image
    classes: NDArray[np.int64]
    boxes: NDArray[np.int64]
    sources: NDArray[np.int64]

    def label_lines(self) -> str:
        """The labels in Ultralytics format: `class cx cy w h`, each a share of the image side."""
        lines = []
        for label, (x0, y0, x1, y1) in zip(self.classes, self.boxes, strict=True):
            numbers = ((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0)
            lines.append(" ".join([str(int(label)), *(f"{float(n) / IMAGE_SIZE:.6f}" for n in numbers)]))
        return "\n".join(lines) + "\n"


def split_digits(labels: NDArray[np.int64], seed: int = SEED) -> dict[str, NDArray[np.int64]]:
    """Divide digit samples between training and validation, the same share of every class.

    Args:
        labels: (n,) class of each sample.
        seed: seed of the shuffle.

    Returns:
        `{"train": rows, "val": rows}`: sorted, disjoint, and together all n rows.
    """
    rng = np.random.default_rng([seed, 99])
    parts: dict[str, list[NDArray[np.int64]]] = {"train": [], "val": []}
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        cut = round(len(rows) * VAL_SHARE)
        parts["val"].append(rows[:cut])
        parts["train"].append(rows[cut:])
    return {name: np.sort(np.concatenate(rows)) for name, rows in parts.items()}


def scenes(split: str, count: int | None = None, seed: int = SEED, start: int = 0) -> Iterable[Scene]:
    """Compose the pictures of one half, one by one.

    Every picture has its own random stream, so the first k of n pictures do not depend on n.

    Args:
        split: `"train"` or `"val"`.
        count: how many; by default all of that half.
        seed: seed of the whole set.
        start: number of the first one; from `IMAGES[split]` on, pictures are in no published set.

    Raises:
        KeyError: `split` is neither of the two.
    """
    from sklearn.datasets import load_digits, load_sample_images

    samples = load_digits()
    labels = np.asarray(samples.target, dtype=np.int64)
    glyphs = np.asarray(samples.images)
    rows = split_digits(labels, seed)[split]
    photos = [_photo_part(np.asarray(photo, dtype=np.uint8), split) for photo in load_sample_images().images]
    rows_of_class = [rows[labels[rows] == label] for label in range(CLASSES)]
    split_id = list(IMAGES).index(split)
    for number in range(start, start + (IMAGES[split] if count is None else count)):
        rng = np.random.default_rng([seed, split_id, number])
        yield _compose(rng, photos, glyphs, rows_of_class)


def _photo_part(photo: Image, split: str) -> Image:
    """The part of a photograph (H, W, 3) that serves one half."""
    cut = int(photo.shape[1] * _PHOTO_SPLIT)
    return photo[:, cut:] if split == "train" else photo[:, :cut]


def _compose(
    rng: np.random.Generator,
    photos: Sequence[Image],
    glyphs: NDArray[Any],
    rows_of_class: Sequence[NDArray[np.int64]],
) -> Scene:
    """Draw one picture: a background, then digits one after another where there is room."""
    canvas = _background(rng, photos)
    classes: list[int] = []
    boxes: list[tuple[int, int, int, int]] = []
    sources: list[int] = []
    wanted = int(rng.integers(_DIGITS_PER_IMAGE[0], _DIGITS_PER_IMAGE[1] + 1))
    # A bounded number of attempts: five large digits do not always fit, and two always do.
    for _ in range(40):
        if len(classes) == wanted:
            break
        label = int(rng.integers(CLASSES))
        source = int(rng.choice(rows_of_class[label]))
        alpha = _stroke(glyphs[source], int(rng.integers(_DIGIT_SIZE[0], _DIGIT_SIZE[1] + 1)))
        height, width = alpha.shape
        x0 = int(rng.integers(0, IMAGE_SIZE - width + 1))
        y0 = int(rng.integers(0, IMAGE_SIZE - height + 1))
        box = (x0, y0, x0 + width, y0 + height)
        if any(_overlaps(box, other) for other in boxes):
            continue
        _blend(rng, canvas[y0 : y0 + height, x0 : x0 + width], alpha)
        classes.append(label)
        boxes.append(box)
        sources.append(source)
    return Scene(canvas, np.array(classes, np.int64), np.array(boxes, np.int64), np.array(sources, np.int64))


def _background(rng: np.random.Generator, photos: Sequence[Image]) -> Image:
    """A random square of a random photograph, scaled to the picture's size."""
    from PIL import Image as Pillow

    photo = photos[int(rng.integers(len(photos)))]
    side = int(rng.integers(IMAGE_SIZE * 3 // 4, IMAGE_SIZE * 3 // 2 + 1))
    y = int(rng.integers(0, photo.shape[0] - side + 1))
    x = int(rng.integers(0, photo.shape[1] - side + 1))
    crop = Pillow.fromarray(np.ascontiguousarray(photo[y : y + side, x : x + side]))
    return np.array(crop.resize((IMAGE_SIZE, IMAGE_SIZE), Pillow.Resampling.BILINEAR))


def _stroke(glyph: NDArray[Any], size: int) -> Image:
    """Enlarge an 8x8 digit (0..16) to an alpha map (h, w), cut to its ink, whose longer side is about `size` px."""
    from PIL import Image as Pillow

    # Pillow resamples 8-bit images in integer arithmetic, so the result does not depend on the processor.
    small = Pillow.fromarray(np.pad(np.asarray(glyph * 15.9, dtype=np.uint8), 1))
    inked = _ink_box(np.asarray(small))
    scale = size / max(inked[2] - inked[0], inked[3] - inked[1])
    side = max(1, round(small.width * scale))
    alpha = np.asarray(small.resize((side, side), Pillow.Resampling.BICUBIC), dtype=np.int32)
    # Steepen the soft edge that enlarging leaves, so that the ink's border is well defined.
    sharp = np.clip((alpha - 128) * 3 + 150, 0, 255).astype(np.uint8)
    x0, y0, x1, y1 = _ink_box(sharp)
    return sharp[y0:y1, x0:x1]


def _ink_box(alpha: Image) -> tuple[int, int, int, int]:
    """The smallest `x0, y0, x1, y1` (exclusive ends) around all ink."""
    ys, xs = np.nonzero(alpha >= _INK)
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


def _overlaps(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    """Whether two boxes share more than a border of `_MAX_OVERLAP` px."""
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    return wide > _MAX_OVERLAP and high > _MAX_OVERLAP


def _blend(rng: np.random.Generator, patch: Image, alpha: Image) -> None:
    """Paint the stroke on `patch` (h, w, 3) in place, bright on a dark ground and dark on a bright one."""
    under = int(patch.mean(dtype=np.float64))
    bright = under < 112 or (under <= 144 and bool(rng.integers(2)))
    colour = rng.integers(205, 256, size=3) if bright else rng.integers(0, 45, size=3)
    if bright:  # one channel is lowered for a tint: white alone would be a give-away
        colour[int(rng.integers(3))] = rng.integers(120, 256)
    opacity = int(rng.integers(218, 256))
    weight = (alpha.astype(np.int32) * opacity // 255)[..., None]
    patch[...] = (patch.astype(np.int32) * (255 - weight) + colour.astype(np.int32) * weight + 127) // 255


def cache_root() -> Path:
    """The folder that holds generated data: `$YOLO_PRUNE_CHECK_CACHE`, or the user's cache directory."""
    from platformdirs import user_cache_path

    override = os.environ.get(CACHE_ENV)
    return Path(override).expanduser().resolve() if override else user_cache_path("yolo-prune-check")


def digits_yaml() -> Path:
    """The data set's YAML file, after making the set if this is the first use (a few seconds).

    Safe to call from several processes at once: each builds in a folder of its own and the first to finish wins. A
    build that is killed leaves nothing that a later call would take as complete.

    Raises:
        UserError: the cache folder cannot be written.
    """
    from yolo_prune_check.errors import UserError

    root = cache_root() / VERSION
    try:
        if not root.is_dir():
            _publish(root)
        return _refresh_yaml(root)
    except OSError as error:
        raise UserError(
            "the digits data set cannot be written",
            value=str(error),
            where=str(root),
            hint=f"Set {CACHE_ENV} to a folder that can be written.",
        ) from error


def _publish(root: Path) -> None:
    """Build beside `root`, then rename: the rename is what makes a set complete."""
    root.parent.mkdir(parents=True, exist_ok=True)
    _sweep(root)
    workshop = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=root.parent))
    try:
        build(workshop)
        _refresh_yaml(workshop, final=root)
        workshop.chmod(0o755)  # mkdtemp's folders are private, a cache need not be
        try:
            workshop.rename(root)
        except OSError:
            if not root.is_dir():  # not a lost race, a real failure
                raise
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _sweep(root: Path) -> None:
    """Remove what killed builds left behind."""
    for leftover in root.parent.glob(f".{root.name}-*"):
        if leftover.is_dir() and time.time() - leftover.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(leftover, ignore_errors=True)


def build_fresh(root: Path, count: int = 400) -> Path:
    """Write a set whose validation half is new, and return its YAML file.

    The pictures follow those of the published validation half: the same held-out digits and photograph parts, newly
    arranged. A figure measured here is not flattered by checkpoints having been chosen on the published half.

    Args:
        root: folder to fill.
        count: how many pictures.
    """
    build(root, {"val": count}, start=IMAGES["val"])
    file = root / "digits.yaml"
    # Ultralytics insists on a training half; measuring never reads it.
    file.write_text(_yaml_text(root).replace("images/train", "images/val"), encoding="utf-8")
    return file


def _refresh_yaml(root: Path, final: Path | None = None) -> Path:
    """Write `digits.yaml` unless it already says where the set lies (a cache may have been moved)."""
    file = root / "digits.yaml"
    text = _yaml_text(final or root)
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        with tempfile.NamedTemporaryFile("w", dir=root, suffix=".tmp", delete=False, encoding="utf-8") as draft:
            draft.write(text)
        Path(draft.name).replace(file)
        file.chmod(0o644)
    return file


def _yaml_text(root: Path) -> str:
    names = "".join(f'  {label}: "{label}"\n' for label in range(CLASSES))
    where = str(root).replace("'", "''")
    return f"path: '{where}'\ntrain: images/train\nval: images/val\nnc: {CLASSES}\nnames:\n{names}"


def build(root: Path, counts: dict[str, int] | None = None, seed: int = SEED, start: int = 0) -> None:
    """Write pictures and labels below `root` (no YAML file).

    Args:
        root: folder to fill.
        counts: pictures per half; by default `IMAGES`.
        seed: seed of the whole set.
        start: number of the first picture of each half, as for `scenes`.
    """
    from PIL import Image as Pillow

    for split, count in (counts or IMAGES).items():
        images = root / "images" / split
        labels = root / "labels" / split
        images.mkdir(parents=True, exist_ok=True)
        labels.mkdir(parents=True, exist_ok=True)
        for number, scene in enumerate(scenes(split, count, seed, start), start):
            Pillow.fromarray(scene.image).save(images / f"{number:05d}.png", compress_level=1)
            (labels / f"{number:05d}.txt").write_text(scene.label_lines(), encoding="utf-8")


def content_hash(root: Path) -> str:
    """SHA-256 (hex) over every picture's pixels and every label below `root`.

    Pixels, not files: PNG bytes depend on the version of the encoder, pixels do not.
    """
    from PIL import Image as Pillow

    digest = hashlib.sha256()
    for image in sorted((root / "images").glob("*/*.png")):
        name = image.relative_to(root / "images").with_suffix("")
        digest.update(name.as_posix().encode())
        with Pillow.open(image) as picture:
            digest.update(np.asarray(picture.convert("RGB")).tobytes())
        digest.update((root / "labels" / name).with_suffix(".txt").read_bytes())
    return digest.hexdigest()


def contact_sheet(target: Path, columns: int = 6, rows: int = 3) -> None:
    """Save the first `columns * rows` validation pictures, boxes drawn, as one PNG."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    gap = 4
    step = IMAGE_SIZE + gap
    sheet = Pillow.new("RGB", (columns * step + gap, rows * step + gap), "white")
    for number, scene in enumerate(scenes("val", columns * rows)):
        tile = Pillow.fromarray(scene.image)
        pen = ImageDraw.Draw(tile)
        for label, (x0, y0, x1, y1) in zip(scene.classes, scene.boxes, strict=True):
            pen.rectangle((x0 - 1, y0 - 1, x1, y1), outline=(255, 230, 0))
            pen.text((x0 + 1, y0 - 11 if y0 > 11 else y1), str(label), fill=(255, 230, 0))
        sheet.paste(tile, (gap + number % columns * step, gap + number // columns * step))
    # 128 colours keep a sheet of photographs small enough for a repository.
    sheet.quantize(128).save(target, optimize=True)


def main(argv: Sequence[str] | None = None) -> None:
    """`python -m yolo_prune_check.data.digits`: make the set and print where it lies."""
    parser = argparse.ArgumentParser(prog="python -m yolo_prune_check.data.digits", description=main.__doc__)
    parser.add_argument("--contact-sheet", type=Path, metavar="PNG", help="also draw a sheet of sample pictures")
    options = parser.parse_args(argv)
    file = digits_yaml()
    print(file)
    print("content", content_hash(file.parent))
    if options.contact_sheet:
        contact_sheet(options.contact_sheet)


if __name__ == "__main__":
    main()
