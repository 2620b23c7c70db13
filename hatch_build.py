"""Builds what is compiled: Cython to C, C to an extension module beside its source.

    python hatch_build.py     builds both modules where they stand, unless they are newer than their sources

Without a compiler, or without Python's headers, nothing is built: the package runs on the reference engine, and hashes
orders in Python.
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

ENGINE = "exchange/engine/fast/core"
HASHING = "exchange/domain/hashing"
MODULES = (ENGINE, HASHING)
FLAGS = ("-O3", "-fno-strict-aliasing", "-w")


def target(root: Path, module: str = ENGINE) -> Path:
    """Where an extension module stands."""
    return root / f"{module}{sysconfig.get_config_var('EXT_SUFFIX')}"


def is_current(root: Path, module: str = ENGINE) -> bool:
    """Whether an extension module is there and newer than its sources."""
    built, source = target(root, module), root / f"{module}.pyx"
    sources = [Path(__file__), *source.parent.glob("*.px[di]"), source]
    return built.exists() and all(path.stat().st_mtime <= built.stat().st_mtime for path in sources)


def build(root: Path) -> str:
    """Build the modules where they stand; what went wrong, in words, or nothing."""
    try:
        for module in MODULES:
            if is_current(root, module):
                continue
            with tempfile.TemporaryDirectory() as work:
                _compile(root, module, Path(work))
    except (OSError, subprocess.CalledProcessError, ImportError) as error:
        detail = getattr(error, "stderr", "") or str(error)
        return f"not compiled, so the reference engine works, and orders are hashed in Python: {detail.strip()}"
    return ""


def _compile(root: Path, module: str, work: Path) -> None:
    source = work / "module.c"
    run = {"check": True, "capture_output": True, "text": True}
    name = module.replace("/", ".")
    cython = [sys.executable, "-m", "cython", "-3", f"{module}.pyx", "--module-name", name]
    subprocess.run([*cython, "-o", str(source)], cwd=root, **run)  # type: ignore[call-overload]
    built, compiler = work / "module.so", sysconfig.get_config_var("CC")
    link = shlex.split(sysconfig.get_config_var("LDSHARED"))
    include = f"-I{sysconfig.get_path('include')}"
    objects = str(work / "module.o")
    subprocess.run([*shlex.split(compiler), *FLAGS, "-fPIC", include, "-c", str(source), "-o", objects], **run)  # type: ignore[call-overload]
    subprocess.run([*link, objects, "-o", str(built)], **run)  # type: ignore[call-overload]
    temporary = target(root, module).with_suffix(".new")
    temporary.write_bytes(built.read_bytes())
    temporary.chmod(0o755)
    temporary.replace(target(root, module))


class CustomBuildHook(BuildHookInterface[Any]):
    """Builds the modules before a wheel, editable or not, is made."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Put the extension modules into the wheel, and the interpreter and machine it is for into its name."""
        if self.target_name != "wheel":
            return
        problem = build(Path(self.root))
        if problem:
            self.app.display_warning(problem)
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        if version != "editable":
            for module in MODULES:
                built = target(Path(self.root), module)
                build_data["force_include"][str(built)] = str(built.relative_to(self.root))


if __name__ == "__main__":
    sys.stderr.write(build(Path(__file__).parent))
