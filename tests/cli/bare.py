"""A Python environment that has some distributions and what they require, and nothing else; nothing is downloaded."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path, PurePath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def required_by(names: Iterable[str]) -> dict[str, Distribution]:
    """Distributions, and what they require here, by their normalized names.

    Raises:
        PackageNotFoundError: One of them is not installed.
    """
    found = dict[str, Distribution]()
    left, seen = [Requirement(name) for name in names], set[tuple[str, frozenset[str]]]()
    while left:
        wanted = left.pop()
        name, extras = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found[name] = distribution(name)
        for line in found[name].requires or ():
            needed = Requirement(line)
            # An extra counts only where who requires it asks for it, as torch does of cuda-toolkit.
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                left.append(needed)
    return found


def make_bare(folder: Path, names: Iterable[str]) -> Path:
    """Make an environment of links to the files of these installed distributions, and to no others.

    A folder in which no other distribution has a file is one link: there are tens of thousands of files.

    Args:
        folder: Where; made.
        names: Normalized names of all distributions that are to be there.

    Returns:
        Its Python.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    base = {"base": str(folder), "platbase": str(folder)}
    packages = Path(sysconfig.get_path("purelib", scheme="venv", vars=base))
    own, others = dict[Path, Path](), set[PurePath]()
    wanted = set(names)
    for each in distributions():
        if canonicalize_name(each.name) not in wanted:
            others.update(parent for file in each.files or () for parent in file.parents)
            continue
        for file in each.files or ():
            if ".." not in file.parts and file.suffix != ".pth":  # no scripts; and a .pth may lead elsewhere
                own[Path(file)] = Path(str(each.locate_file(file)))
    linked = set[Path]()
    for file, at in own.items():
        # From the outermost folder inwards, then the file itself.
        ways = [*reversed(list(zip(file.parents, at.parents, strict=False))[:-1]), (file, at)]
        link, target = next(way for way in ways if way[0] == file or way[0] not in others)
        if link not in linked:
            linked.add(link)
            (packages / link).parent.mkdir(parents=True, exist_ok=True)
            (packages / link).symlink_to(target)
    return Path(sysconfig.get_path("scripts", scheme="venv", vars=base)) / "python"
