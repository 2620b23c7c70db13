"""Fail when a contract lacks what every contract has: title, licence, notice, how to stop it, both pragmas, a reason
for every assert, and NatSpec on each external function that says units, who calls, who pays and how it rounds; when
something changes without an event; or when a contract names an invariant that docs/invariants.md lacks."""

import re
import sys
from pathlib import Path

from bizzan.contracts import ROOT, SOURCES
from scripts import natspec_rules

PRAGMAS = ("# pragma version 0.4.3\n", "# pragma nonreentrancy on\n")
TAGS = ("@title ", "@license Apache-2.0", "@notice ", "@custom:kill ")
FUNCTION = re.compile(
    r"^@external\n(?:@\w+\n)*def (\w+)\([^\"]*?\)[^:\"]*:\n(?!    \"\"\"\n    @notice )", re.MULTILINE
)
BARE_ASSERT = re.compile(r"^ +assert (?!.*, \")[^\n]*$(?!\n[^\n]*\n? *\], \")", re.MULTILINE)


def problems(path: Path, invariants: str) -> list[str]:
    """What is wrong with one file."""
    text = path.read_text()
    header = text.split('"""')[1] if text.count('"""') >= 2 else ""
    found = [f"lacks {pragma.strip()}" for pragma in PRAGMAS if pragma not in text[:80]]
    found += [f"lacks {tag.strip()} in its docstring" for tag in TAGS if tag not in header]
    found += [f"{name} lacks a docstring with @notice" for name in FUNCTION.findall(text)]
    found += [f"has an assert without a reason: {line.strip()}" for line in BARE_ASSERT.findall(text)]
    for line in re.findall(r"@custom:invariant (.*)", header):
        found += [
            f"names {i}, which docs/invariants.md lacks" for i in line.split(", ") if f"| {i} |" not in invariants
        ]
    return [f"{path.relative_to(ROOT)} {problem}" for problem in found]


def main() -> int:
    """0 when every contract is in order."""
    invariants = (ROOT / "docs" / "invariants.md").read_text()
    paths = sorted(SOURCES.rglob("*.vy"))
    found = [problem for path in paths for problem in problems(path, invariants)]
    found += natspec_rules.problems(natspec_rules.program(paths))
    for problem in found:
        print(f"check_natspec: {problem}", file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
