"""Write the ABI files in `interfaces/` from the contracts; with `--check` only say whether they are current.

A contract's ABI is its interface's, and this script refuses when the contract does not offer exactly that. The custody
contract is several parts behind one address, which are looked at together.
"""

import argparse
import json
import sys

from bizzan.contracts import INTERFACES, PARTS, Abi, artifact, interface_abi

Entry = tuple[str, str, str, str]


def signature(entry: dict[str, object]) -> Entry:
    """What callers depend on in one entry of an ABI: kind, name, types, mutability."""
    shape = {key: entry.get(key) for key in ("inputs", "outputs", "anonymous")}
    kind, name = str(entry["type"]), str(entry.get("name", ""))
    return kind, name, json.dumps(shape, sort_keys=True), str(entry.get("stateMutability", ""))


def callable_entries(abi: Abi) -> set[Entry]:
    """The functions and events of an ABI."""
    return {signature(entry) for entry in abi if entry["type"] in ("function", "event")}


def promised_abi(interface: str, *contracts: str) -> Abi:
    """The interface's ABI, once it is proved to be what the contracts together offer. Raises ValueError otherwise."""
    promised = interface_abi(interface)
    offered = {entry for name in contracts for entry in callable_entries(artifact(name).abi)}
    if wrong := callable_entries(promised) ^ offered:
        names = ", ".join(sorted({f"{kind} {name}" for kind, name, _, _ in wrong}))
        raise ValueError(f"contracts/interfaces/{interface}.vyi and the contract differ in: {names}")
    return promised


def exported() -> dict[str, Abi]:
    """Every ABI that is exported, by name."""
    return {
        "Custody": promised_abi("ICustody", *PARTS),
        "DepositAddresses": promised_abi("IDepositAddresses", "DepositAddresses"),
        "OperatorBond": promised_abi("IOperatorBond", "OperatorBond"),
        "TestToken": artifact("test_tokens/TestToken").abi,
    }


def main() -> int:
    """Write or check; 0 when the files are current afterwards."""
    parser = argparse.ArgumentParser(description="Export the ABI files.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is stale")
    check = parser.parse_args().check
    stale = []
    for name, abi in exported().items():
        path = INTERFACES / f"{name}.json"
        text = json.dumps(abi, indent=2) + "\n"
        if path.exists() and path.read_text() == text:
            continue
        stale.append(path.name)
        if not check:
            path.write_text(text)
    if check and stale:
        print(f"interfaces/{', '.join(stale)} is stale: run 'python scripts/export_abis.py'", file=sys.stderr)
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
