"""Builds the fast matching engine's core: Cython to C, C to an extension module beside its source.

    python hatch_build.py     builds it where it stands, unless it is newer than its sources

Without a compiler, or without Python's headers, nothing is built and the package runs on the reference engine.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("exchange/engine/fast")
SOURCE = "core.pyx"
FLAGS = ("-O3", "-fno-strict-aliasing", "-w")


def target(root: Path) -> Path:
    """Where the extension module stands."""
    return root / FOLDER / f"core{sysconfig.get_config_var('EXT_SUFFIX')}"


def is_current(root: Path) -> bool:
    """Whether the extension module is there and newer than its sources."""
    built = target(root)
    sources = [Path(__file__), *(root / FOLDER).glob("*.px[di]"), root / FOLDER / SOURCE]
    return built.exists() and all(path.stat().st_mtime <= built.stat().st_mtime for path in sources)


def build(root: Path) -> str:
    """Build the core where it stands; what went wrong, in words, or nothing."""
    if is_current(root):
        return ""
    try:
        with tempfile.TemporaryDirectory() as work:
            _compile(root, Path(work))
    except (OSError, subprocess.CalledProcessError, ImportError) as error:
        detail = getattr(error, "stderr", "") or str(error)
        return f"the fast matching engine was not built, the reference engine does its work: {detail.strip()}"
    return ""


def _compile(root: Path, work: Path) -> None:
    source = work / "core.c"
    run = {"check": True, "capture_output": True, "text": True}
    cython = [sys.executable, "-m", "cython", "-3", str(FOLDER / SOURCE), "--module-name", "exchange.engine.fast.core"]
    subprocess.run([*cython, "-o", str(source)], cwd=root, **run)  # type: ignore[call-overload]
    built, compiler = work / "core.so", sysconfig.get_config_var("CC")
    link = shlex.split(sysconfig.get_config_var("LDSHARED"))
    include = f"-I{sysconfig.get_path('include')}"
    objects = str(work / "core.o")
    subprocess.run([*shlex.split(compiler), *FLAGS, "-fPIC", include, "-c", str(source), "-o", objects], **run)  # type: ignore[call-overload]
    subprocess.run([*link, objects, "-o", str(built)], **run)  # type: ignore[call-overload]
    temporary = target(root).with_suffix(".new")
    temporary.write_bytes(built.read_bytes())
    temporary.chmod(0o755)
    temporary.replace(target(root))


class CustomBuildHook(BuildHookInterface[Any]):
    """Builds the core before a wheel, editable or not, is made."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Put the extension module into the wheel, and the interpreter and machine it is for into its name."""
        if self.target_name != "wheel":
            return
        problem = build(Path(self.root))
        if problem:
            self.app.display_warning(problem)
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        if version != "editable":
            built = target(Path(self.root))
            build_data["force_include"][str(built)] = str(built.relative_to(self.root))


if __name__ == "__main__":
    sys.stderr.write(build(Path(__file__).parent))
