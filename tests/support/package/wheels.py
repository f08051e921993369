"""The sources of the repository copied elsewhere, wheels built of them, and what they need."""

import os
import shutil
import struct
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from scripts.supply.parts import folder_of, installed_in, required
from tests.support.profile import WHOLE

ROOT = Path(__file__).parents[3]
# What scripts/assets makes; without one of them a build asks npm for what it bundles.
BUNDLES = ("app/dashboard/static/built", "app/child/built")
# To install the program and to start it several times takes as long as hundreds of other tests.
by_night = pytest.mark.skipif(not WHOLE, reason="with TESTS=whole it is installed")


def needed() -> set[str]:
    """Return the distributions that the program needs without any extra, and what those need."""
    return required("helpline", installed_in(folder_of(Path(sys.executable))))


def listed() -> list[str]:
    """Return the names of the files that are in the repository, as a clone has them."""
    done = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("the files of the repository are known to git alone")
    return [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def copy_sources(folder: Path) -> None:
    """Copy what is in the repository."""
    for name in listed():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    if not WHOLE:
        # They are bundled already; with WHOLE the build bundles them, as in a new clone.
        for name in BUNDLES:
            shutil.copytree(ROOT / name, folder / name)


def lay_down_compiled(unpacked: Path) -> None:
    """Lay what is compiled here beside the files of a wheel that are the same."""
    for there in unpacked.rglob("*.py"):
        source = ROOT / there.relative_to(unpacked)
        cached = Path(cache_from_source(str(source)))
        # What is compiled may be of an earlier text, where the tests compile nothing.
        newest = cached.is_file() and cached.read_bytes()[8:16] == _head(source)
        if newest and there.read_bytes() == source.read_bytes():
            made = Path(cache_from_source(str(there)))
            made.parent.mkdir(exist_ok=True)
            made.write_bytes(compiled_for(there, cached))


def compiled_for(there: Path, cached: Path) -> bytes:
    """Return what is compiled as that of a file with the same text: Python compares its time and
    size."""
    content = cached.read_bytes()
    return content[:8] + _head(there) + content[16:]


def _head(source: Path) -> bytes:
    """Return the time and size of a file as they stand in what is compiled of it."""
    state = source.stat()
    return struct.pack("<II", int(state.st_mtime) & 0xFFFFFFFF, state.st_size & 0xFFFFFFFF)


def chosen() -> set[str]:
    """Return the names of the files that a build of the wheel here would pack."""
    builder = WheelBuilder(str(ROOT))
    with builder.config.set_build_data({"build_hooks": (), "artifacts": [], "force_include": {}}):
        return {one.distribution_path for one in builder.recurse_included_files()}


def built(source: Path, umask: int, **more: str) -> bytes:
    """Build the wheel in a folder. What it is built with is installed already."""
    out = source.parent / f"{source.name}-out"
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=source,
        env={**os.environ, **more},
        umask=umask,
        capture_output=True,
        check=True,
    )
    (wheel,) = out.iterdir()
    return wheel.read_bytes()


def copied(folder: Path, umask: int) -> Path:
    """Copy what is in the repository, with these rights. Return the folder."""
    before = os.umask(umask)
    try:
        copy_sources(folder)
    finally:
        os.umask(before)
    return folder


def built_elsewhere(folder: Path) -> bytes:
    """Build the wheel in a folder with a longer name, at another time and with other rights."""
    source = copied(folder / "a longer name" / "second", 0o077)
    for file in source.rglob("*"):
        if "built" not in file.parts:
            os.utime(file, (1_600_000_000, 1_600_000_000))
    return built(source, 0o077, TZ="Asia/Tokyo", PYTHONHASHSEED="2")
