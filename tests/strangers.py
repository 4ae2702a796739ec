"""A stranger's folder, with packages named like what bench imports, and a copy of bench as an installer leaves it."""

from __future__ import annotations

import shutil
from pathlib import Path

import bench

NAMES = ("bench", "torch", "numpy", "yaml", "pydantic", "cv2", "signal", "random", "socket", "queue", "selectors")

ENTRY = """\
import sys
sys.path.insert(1, {site!r})
from bench.cli import main
if __name__ == "__main__":
    main()
"""
"""What an installer writes as the command `bench`; the folder of packages is known to this Python alone."""


def strange_folder(folder: Path) -> Path:
    """Make a folder in which importing any of `NAMES` fails."""
    for name in NAMES:
        package = folder / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(f"raise RuntimeError('this is a stranger\\'s {name}')\n")
    return folder


def installed_copy(folder: Path) -> Path:
    """Copy the package into `folder / "site"`; returns the script that starts it."""
    source = Path(bench.__file__).parent
    shutil.copytree(source, folder / "site" / "bench", ignore=shutil.ignore_patterns("__pycache__"))
    script = folder / "bin" / "bench"
    script.parent.mkdir()
    script.write_text(ENTRY.format(site=str(folder / "site")))
    return script
