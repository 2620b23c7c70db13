"""Lint every Vyper file with natrix's rules.

natrix's own program gives up on a module that uses more than one other module, because such a module does not compile
alone. Its rules need no more than the module's syntax tree, which the compiler does give.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from natrix.rules.common import Issue, RuleRegistry
from vyper.cli.vyper_compile import compile_files

ROOT = Path(__file__).resolve().parents[1]
ACCEPTED = {
    "NTX11",  # argument names carry no underscore in this project
}


def syntax_tree(path: Path) -> dict[str, Any]:
    """The compiler's annotated tree of one file, in the shape in which natrix's rules expect it."""
    output = compile_files([str(path.relative_to(ROOT))], ["annotated_ast_dict"], paths=[str(ROOT)])
    tree: dict[str, Any] = json.loads(json.dumps(next(iter(output.values()))["annotated_ast_dict"]))
    return tree


def issues_of(path: Path) -> list[Issue]:
    """What the rules find in one file."""
    tree = syntax_tree(path)
    found = [issue for rule in RuleRegistry.get_rules() for issue in rule.run(tree)]
    callers = [name for name, node in functions_of(tree) if calls_out(node)]
    return [issue for issue in found if issue.code not in ACCEPTED and not is_no_view(issue, callers)]


def functions_of(tree: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The functions of a file, by name."""
    body = tree["ast"]["body"]
    return [(node["name"], node) for node in body if node["ast_type"] == "FunctionDef"]


def calls_out(node: Any) -> bool:
    """Whether a part of the tree calls other code that may change state."""
    if isinstance(node, list):
        return any(calls_out(part) for part in node)
    if not isinstance(node, dict):
        return False
    return node.get("ast_type") == "ExtCall" or node.get("id") == "raw_call" or calls_out(list(node.values()))


def is_no_view(issue: Issue, callers: list[str]) -> bool:
    """Whether natrix, which knows storage only, asks to mark a function as `view` that calls other code."""
    return issue.code == "NTX4" and any(f"'{name}'" in issue.message for name in callers)


def main() -> int:
    """Lint; 1 when there is something to mend."""
    issues = [issue for path in sorted((ROOT / "contracts").rglob("*.vy")) for issue in issues_of(path)]
    for issue in issues:
        print(issue.cli_format())
    return 1 if issues else 0


if __name__ == "__main__":
    sys.exit(main())
