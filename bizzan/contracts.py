"""The contracts' compiled code, compiled once per change of the sources.

Artifacts are kept under `build/contracts`, keyed by a hash over every source, the compiler's version and its settings,
so that a start after the first one compiles nothing.

    CompileError   the compiler refused; the message is the compiler's own
"""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "contracts"
INTERFACES = ROOT / "interfaces"
BUILD = ROOT / "build" / "contracts"
EVM_VERSION = "cancun"
OPTIMIZE = "gas"
PARTS = ("Custody", "CustodyExtension", "CustodyGovernance")
"""The custody contract's code: each part runs the next on its own storage."""

Abi = list[dict[str, object]]


class CompileError(Exception):
    """The Vyper compiler refused a contract."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A compiled contract: its own ABI, the code that creates it, the code that stays, and what follows that code.

    Both codes are hexadecimal. A deployed contract is its `runtime` and then its immutables, whose names and places
    `immutables` gives: `module.NAME` to offset and length in bytes.
    """

    name: str
    abi: Abi
    bytecode: str
    runtime: str
    immutables: dict[str, tuple[int, int]]

    @property
    def runtime_size(self) -> int:
        """Bytes of the code that stays on chain, without its immutables."""
        return (len(self.runtime) - 2) // 2


def source_hash() -> str:
    """SHA-256, as 64 hexadecimal digits, over everything that decides the compiled code."""
    digest = hashlib.sha256(f"{version('vyper')} {EVM_VERSION} {OPTIMIZE}".encode())
    for path in sorted([*SOURCES.rglob("*.vy"), *SOURCES.rglob("*.vyi")]):
        content = path.read_bytes()
        digest.update(f"\n{path.relative_to(SOURCES).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def artifact(name: str) -> Artifact:
    """The compiled contract `name`, a path under `contracts/` without suffix. Raises CompileError."""
    path = BUILD / f"{name.replace('/', '-')}-{source_hash()[:24]}.artifact.json"
    if path.exists():
        kept = json.loads(path.read_bytes())
        return Artifact(**kept | {"immutables": {key: tuple(place) for key, place in kept["immutables"].items()}})
    compiled = _compile(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    # renamed into place, so that a reader beside us never sees half a file
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(asdict(compiled)))
    partial.replace(path)
    return compiled


def interface_abi(name: str) -> Abi:
    """The ABI that `contracts/interfaces/{name}.vyi` promises, in its order. Raises CompileError."""
    abi: Abi = json.loads(vyper("abi", f"interfaces/{name}.vyi"))
    return abi


def exported_abi(name: str) -> Abi:
    """The ABI of a contract as committed in `interfaces/`, for those who only call it."""
    abi: Abi = json.loads((INTERFACES / f"{name}.json").read_bytes())
    return abi


def vyper(output: str, source: str) -> str:
    """Run the compiler on a file under `contracts/` for one or more output formats. Raises CompileError."""
    command = [sys.executable, "-m", "vyper.cli.vyper_compile", "-f", output, "-O", OPTIMIZE]
    command += ["--evm-version", EVM_VERSION, str(SOURCES.relative_to(ROOT) / source)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise CompileError(f"contracts/{source} does not compile:\n{done.stderr.strip()}")
    return done.stdout


def _compile(name: str) -> Artifact:
    abi, bytecode, runtime, layout = vyper("abi,bytecode,bytecode_runtime,layout", f"{name}.vy").splitlines()[-4:]
    return Artifact(name, json.loads(abi), bytecode, runtime, _places(json.loads(layout).get("code_layout", {})))


def _places(tree: dict[str, Any], prefix: str = "") -> dict[str, tuple[int, int]]:
    """The immutables in a compiler's code layout, modules' own under the module's name."""
    found: dict[str, tuple[int, int]] = {}
    for name, entry in tree.items():
        if "offset" in entry:
            found[prefix + name] = (entry["offset"], entry["length"])
        else:
            found |= _places(entry, f"{prefix}{name}.")
    return found
