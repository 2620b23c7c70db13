"""Print who may call what, and when it binds: docs/powers.md, read out of the contracts' own code.

    python scripts/print_powers.py > docs/powers.md

Who may call follows from the checks that a function reaches, when it binds from the windows that it reads, and whether
a pause stops it from the checks of a running exchange; what it does is the first sentence of its notice. The output is
committed, because a change of powers is a decision; `check_powers.py` compares it.
"""

import re
import sys
from pathlib import Path

from bizzan.contracts import ROOT, SOURCES, Abi, exported_abi

COMMITTED = ROOT / "docs" / "powers.md"
# An exported ABI, and the files that implement it.
CONTRACTS = {
    "Custody": tuple(sorted((SOURCES / "modules").glob("*.vy"))),
    "DepositAddresses": (SOURCES / "DepositAddresses.vy",),
    "OperatorBond": (SOURCES / "OperatorBond.vy",),
}
DEFINITION = re.compile(r"^@(?:external|internal)\n(?:@\w+\n)*def (\w+)\((.*?)\)[^\n]*:\n(.*?)(?=^\S|\Z)", re.M | re.S)
NOTICE = re.compile(r"@notice (.*?\.)(?:\s|$)", re.S)
LOGGED = re.compile(r"\blog \w+\.\w+\([^()]*\)")
CALL = re.compile(r"\b(self|[a-z]\w*)\.(_\w+)\(")
HEAD = """# Powers

Who may call which function, from when the call binds, and whether a pause stops it: read out of the contracts by
`scripts/print_powers.py`, compared by `make lint`. No function is missing here, and there is no proxy and no upgrade.
Before `launch` the owner's calls bind at once, and deposits are refused.
"""


class Function:
    """One function of a Vyper file: its parameters, its code, and all code that it reaches."""

    def __init__(self, module: str, parameters: str, body: str) -> None:
        self.module, self.parameters = module, parameters
        self.notice = " ".join(found[1].split()) if (found := NOTICE.search(body)) else ""
        self.code = re.sub(r'""".*?"""', "", body, flags=re.S)

    def reaches(self, functions: dict[tuple[str, str], "Function"]) -> str:
        """Its code and that of every function which it calls, in whichever module."""
        seen: dict[tuple[str, str], str] = {}
        self._collect(functions, seen)
        return self.code + "".join(seen.values())

    def _collect(self, functions: dict[tuple[str, str], "Function"], seen: dict[tuple[str, str], str]) -> None:
        for owner, name in CALL.findall(self.code):
            key = (self.module if owner == "self" else owner, name)
            if key in functions and key not in seen:
                seen[key] = functions[key].code
                functions[key]._collect(functions, seen)


def functions_of(paths: tuple[Path, ...]) -> dict[tuple[str, str], Function]:
    """Every function of some files by module and name."""
    return {
        (path.stem, name): Function(path.stem, parameters, body)
        for path in paths
        for name, parameters, body in DEFINITION.findall(path.read_text())
    }


def who(function: Function, reached: str) -> str:
    """Who may call."""
    for role in ("owner", "guardian", "operator", "bonder"):
        if f"_check_{role}(" in reached:
            return role
    if "self._pending_owner" in function.code:
        return "the proposed owner"
    if "in access._approvers, " in function.code:
        return "an approver, or anyone with its signature"
    if "_check_account(" in reached or "_check_author(" in reached:
        delegate = " or a live delegate's" if "_may_cancel(" in reached else ""
        approval = ", each with the co-signer's approval" if "_co_signer" in reached else ""
        return f"the account, or anyone with its{delegate} signature{approval}"
    if "msg.sender" in LOGGED.sub("", function.code) and "account: address" not in function.parameters:
        return "the account, for itself"
    return "anyone"


def binds(function: Function, reached: str) -> str:
    """From when the call binds."""
    if "_check_operation(" in reached:
        after = ", then the delay to halt" if "timing.DELAY" in reached else ""
        return f"scheduled, after the timelock{after}"
    if "timing.TIMELOCK" in reached:
        return "starts the timelock"
    if "_check_guardian(" in reached:
        return "at once, for at most `pause_max`" if "timing.PAUSE_MAX" in reached else "at once"
    if "timing.SILENCE" in reached:
        return "at once, after the silence"
    if "_check_due(" in reached:
        return "the bond's delay after `retire`"
    if "_freeze(" in function.code:
        return "at once, for settlement after the delay"
    if "enabled" in function.parameters:
        return "on at once, off after the delay"
    return "after the delay" if "timing.DELAY" in reached else "at once"


def row(name: str, function: Function, functions: dict[tuple[str, str], Function]) -> str:
    """One line of the table."""
    reached = function.reaches(functions)
    # what another contract's sweep brings in is a deposit there
    stops = "stops it" if "_check_running(" in reached or ").deposit(" in reached else "–"
    return f"| `{name}` | {who(function, reached)} | {binds(function, reached)} | {stops} | {function.notice} |"


def table(name: str, abi: Abi) -> str:
    """All functions of one contract that change something, then its views. KeyError for one without source."""
    functions = functions_of(CONTRACTS[name])
    external = {key[1]: function for key, function in functions.items()}
    entries = [entry for entry in abi if entry["type"] == "function"]
    calls = [str(entry["name"]) for entry in entries if entry["stateMutability"] not in ("view", "pure")]
    views = [f"`{entry['name']}`" for entry in entries if entry["stateMutability"] in ("view", "pure")]
    rows = "\n".join(row(call, external[call], functions) for call in calls)
    head = "| function | who may call | binds | a pause | what it does |\n| --- | --- | --- | --- | --- |"
    return f"\n## {name}\n\n{head}\n{rows}\n\nViews, for anyone: {', '.join(views)}.\n"


def powers() -> str:
    """The whole document."""
    return HEAD + "".join(table(name, exported_abi(name)) for name in CONTRACTS)


if __name__ == "__main__":
    sys.stdout.write(powers())
