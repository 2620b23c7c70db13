"""Fail when the contracts' reasons are not in order: each has the shape `subject: fact` in at most 32 bytes, one
meaning, a test that expects it, and one row, so one stable code, in `exchange.domain.contract_refusals`;
`docs/errors.md` is that table.

    python scripts/check_reasons.py --write    write docs/errors.md
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vyper import ast as vyper_ast

from backend.errors import STATUS
from bizzan.contracts import ROOT, SOURCES
from exchange.domain.contract_refusals import CONTRACT_REFUSALS, contract_refusal
from exchange.domain.errors import ErrorCode

DOCUMENT = ROOT / "docs" / "errors.md"
TESTS = (ROOT / "tests" / "unit" / "contracts", ROOT / "tests" / "integration" / "contracts")
SHAPE = re.compile(r"[a-z][a-z -]*: [a-z0-9][^:]*")
MAX_BYTES = 32
# Refused for one reason under conditions that are written differently, because they look at different things.
REPEATED = frozenset(
    {
        "allow list: no change",
        "approval: fewer than threshold",
        "deposit: bad account",
        "exit: not requested",
        "ledger: balance overflow",
        "ledger: too little trading",
        "order: expiry too far",
        "order: nonce out of range",
        "order: overfilled",
        "order: unknown scheme",
        "permit: wrong signer",
        "request: none",
        "roles: fee account is custody",
        "roles: zero address",
        "signature: high s",
        "signature: invalid",
        "signature: wallet refused",
        "signature: wrong signer",
        "token: no code",
        "token: not listed",
        "token: refused",
    }
)
HEAD = """# Errors

What a refusal says. The API answers with a stable `code`; a contract reverts with a reason, which stands here with the
code that the API, the keepers' logs and the Python client (`TransactionFailed.code`, `.advice`) give it. Codes and
reasons are never renamed or reused. This page is written by `python scripts/check_reasons.py --write`.

A revert without a reason comes from another contract (a token, a wallet), from a callback that met the lock, or from an
argument out of its type's range; its code is `contract_refused`.

## Reasons of the contracts

| reason | code | meaning | what to do |
| --- | --- | --- | --- |
"""
CODES = """
## Codes of the API

| status | codes |
| --- | --- |
"""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One assert or raise of a contract; no reason is None."""

    reason: str | None
    where: str
    condition: str


def refusals() -> Iterator[Refusal]:
    """Every assert and raise under `contracts/`."""
    for path in sorted(SOURCES.rglob("*.vy")):
        tree = vyper_ast.parse_to_ast(path.read_text())
        for node in tree.get_descendants((vyper_ast.Assert, vyper_ast.Raise)):
            is_assert = isinstance(node, vyper_ast.Assert)
            reason = node.msg if is_assert else node.exc
            condition = " ".join(node.test.node_source_code.split()) if is_assert else ""
            text = reason.value if isinstance(reason, vyper_ast.Str) else None
            yield Refusal(text, f"{path.stem}.{node.get_ancestor(vyper_ast.FunctionDef).name}", condition)


def expected_in_tests() -> set[str]:
    """Every text that stands by itself in a test of the contracts."""
    return {
        node.value
        for folder in TESTS
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def problems_of(reason: str, found: list[Refusal], expected: set[str]) -> Iterator[str]:
    """What is wrong with one reason."""
    if not SHAPE.fullmatch(reason):
        yield "is not of the shape 'subject: fact'"
    if len(reason.encode()) > MAX_BYTES:
        yield f"has more than {MAX_BYTES} bytes"
    conditions = {refusal.condition for refusal in found if refusal.condition}
    if len(conditions) > 1 and reason not in REPEATED:
        yield f"is given for {len(conditions)} conditions: give each its own, or add it to REPEATED if they mean one"
    if reason not in expected:
        yield "is expected by no test in tests/unit/contracts"
    if reason not in CONTRACT_REFUSALS:
        yield "has no row in exchange.domain.contract_refusals"


def problems(by_reason: Mapping[str | None, list[Refusal]]) -> Iterator[str]:
    """What is wrong with all of them."""
    expected = expected_in_tests()
    for reason, found in by_reason.items():
        where = ", ".join(sorted({refusal.where for refusal in found}))
        if reason is None:
            yield f"{where}: an assert or raise without a literal reason"
        else:
            for problem in problems_of(reason, found, expected):
                yield f"{where}: {reason!r} {problem}"
    for reason in CONTRACT_REFUSALS.keys() - by_reason.keys():
        yield f"exchange.domain.contract_refusals: no contract says {reason!r}"
    for reason in REPEATED - by_reason.keys():
        yield f"REPEATED: no contract says {reason!r}"


def document(by_reason: Mapping[str | None, list[Refusal]]) -> str:
    """The text of docs/errors.md."""
    lines = [HEAD]
    for reason in sorted(r for r in by_reason if r):
        row = contract_refusal(reason)
        lines.append(f"| `{reason}` | `{row.code}` | {row.meaning} | {row.advice} |\n")
    lines.append(CODES)
    only_contract = {row.code for row in CONTRACT_REFUSALS.values()} | {ErrorCode.contract_refused}
    by_status: dict[int, list[str]] = defaultdict(list)
    for code, status in STATUS.items():
        by_status[status].append(f"`{code}`" + (" *" if code in only_contract else ""))
    lines += [f"| {status} | {', '.join(codes)} |\n" for status, codes in sorted(by_status.items())]
    lines.append("\n\\* stands for reasons of the contracts as well, or only for those.\n")
    return "".join(lines)


def main() -> int:
    """0 when everything is in order."""
    by_reason: dict[str | None, list[Refusal]] = defaultdict(list)
    for refusal in refusals():
        by_reason[refusal.reason].append(refusal)
    if "--write" in sys.argv:
        DOCUMENT.write_text(document(by_reason))
        return 0
    found = list(problems(by_reason))
    if not DOCUMENT.exists() or DOCUMENT.read_text() != document(by_reason):
        found.append("docs/errors.md is stale: run 'python scripts/check_reasons.py --write'")
    for problem in found:
        print(f"check_reasons: {problem}", file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
