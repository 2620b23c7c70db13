"""The rules of `check_natspec.py` that look at a contract's syntax tree: what an external function's NatSpec must say,
and that what changes something says so in an event."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from vyper import ast as vyper_ast

READING = {"view", "pure"}
# Arguments that mean the same wherever they stand; every other one needs a @param, or its name in the text.
OBVIOUS = {
    *("account", "recipient", "sender", "receiver", "spender", "delegate", "nonce", "signature", "amount"),
    *("token", "token_id", "market_id", "base_token_id", "quote_token_id", "deposits_open", "halted", "to_funding"),
    *("owner", "operator", "standby_operator", "co_signer", "guardian", "fee_account"),
}
MONEY = re.compile(r"amount|fee|max_fee|value")
UNIT = re.compile(r"([Tt]oken|[Ll]edger) units?|\bwei\b|the ETH sent")
TIME = re.compile(r"duration|expiry|deadline|.*_at")
SECONDS = re.compile(r"[Ss]econds")
WHO = re.compile(
    r"[Tt]he caller|[Aa]ny(one|body)|owner|operator|guardian|bonder|[Tt]he account|Only|Become|The same by"
)
PAYMENT = re.compile(r"[Pp]a(y|ys|id)\b|[Ff]etch|[Cc]redit|[Dd]eposit|[Ss]weep|[Mm]ove")
ROUNDING = re.compile(r"round|whole|less than a ledger unit")
# External functions that change something and log nothing themselves.
SILENT = {
    "Custody.__default__": "runs the extension's function, which logs",
    "CustodyExtension.__default__": "runs the governance part's function, which logs",
    "DepositAddress.deposit": "custody logs Deposited, the factory logs Swept",
    "DepositAddress.pay_out": "the factory logs Recovered",
}


@dataclass(frozen=True)
class Function:
    """One function of one file."""

    file: str
    node: vyper_ast.FunctionDef
    lines: list[str] = field(repr=False)

    @property
    def name(self) -> str:
        """Its name in the file."""
        return str(self.node.name)

    @cached_property
    def decorators(self) -> set[str]:
        """external, view..."""
        return {str(node.node_source_code) for node in self.node.decorator_list}

    @cached_property
    def arguments(self) -> list[str]:
        """The names of its arguments."""
        return [str(argument.arg) for argument in self.node.args.args]

    @cached_property
    def natspec(self) -> str:
        """Its docstring in one line, empty when there is none."""
        source = "\n".join(self.lines[self.node.lineno - 1 : self.node.end_lineno])
        parts = source.split('"""')
        return " ".join(parts[1].split()) if len(parts) > 2 else ""

    @cached_property
    def calls(self) -> set[tuple[str, str]]:
        """The functions it calls, as (file, name); of other contracts none."""
        called = [node.func for node in self.node.get_descendants(vyper_ast.Call)]
        targets = [
            (str(func.value.id), str(func.attr))
            for func in called
            if isinstance(func, vyper_ast.Attribute) and isinstance(func.value, vyper_ast.Name)
        ]
        return {(self.file if owner == "self" else owner, name) for owner, name in targets}

    @property
    def logs(self) -> bool:
        """Whether it logs something itself."""
        return bool(self.node.get_descendants(vyper_ast.Log))


Program = dict[tuple[str, str], Function]


def program(paths: list[Path]) -> Program:
    """All functions of all files, by the file's name without suffix and their own."""
    functions: Program = {}
    for path in paths:
        text = path.read_text()
        for node in vyper_ast.parse_to_ast(text).get_children(vyper_ast.FunctionDef):
            functions[path.stem, str(node.name)] = Function(path.stem, node, text.splitlines())
    return functions


def tree(start: Function, functions: Program) -> list[Function]:
    """A function and all that it calls."""
    found: dict[tuple[str, str], Function] = {}
    waiting = [(start.file, start.name)]
    while waiting:
        key = waiting.pop()
        if key in functions and key not in found:
            found[key] = functions[key]
            waiting += functions[key].calls
    return list(found.values())


def problems(functions: Program) -> Iterator[str]:
    """What is wrong with the external functions, each with its place."""
    for function in functions.values():
        if "external" in function.decorators:
            for problem in problems_of(function, functions):
                yield f"{function.file}.{function.name} {problem}"
    for place in SILENT:
        if tuple(place.split(".")) not in functions:
            yield f"{place} does not exist: take it out of SILENT"


def problems_of(function: Function, functions: Program) -> Iterator[str]:
    """What is wrong with one external function."""
    text = function.natspec
    for name in function.arguments:
        if name not in OBVIOUS and f"@param {name} " not in text and f"`{name}`" not in text:
            yield f"does not say what {name} is"
    for name in re.findall(r"@param (\w+)", text):
        if name not in function.arguments:
            yield f"describes {name}, which it does not take"
    reach = tree(function, functions)
    amounts = [name for name in function.arguments if MONEY.fullmatch(name)]
    if (amounts or reads_money(function)) and not UNIT.search(text):
        yield "does not say in which units its amounts are"
    if any(TIME.fullmatch(name) for name in function.arguments) and not SECONDS.search(text) and "same" not in text:
        yield "does not say that its times are in seconds"
    if not READING & function.decorators:
        yield from problems_of_change(function, reach)


def problems_of_change(function: Function, reach: list[Function]) -> Iterator[str]:
    """What is wrong with one that changes something: who may call it, who pays, how it rounds, what it logs."""
    place = f"{function.file}.{function.name}"
    logs = any(one.logs for one in reach)
    if logs == (place in SILENT):
        yield "logs, so it does not belong in SILENT" if logs else "changes something and logs nothing"
    if function.name == "__default__" or function.file == "TestToken":
        return
    if not WHO.search(function.natspec):
        yield "does not say who may call it"
    if {"_pay", "_take"} & {one.name for one in reach} and not PAYMENT.search(function.natspec):
        yield "does not say who pays whom"
    rounds = any(one.file == "transfers" and one.node.get_descendants(vyper_ast.FloorDiv) for one in reach)
    if (rounds or function.node.get_descendants(vyper_ast.FloorDiv)) and not ROUNDING.search(function.natspec):
        yield "does not say how it rounds"


def reads_money(function: Function) -> bool:
    """Whether it is a view of an amount."""
    return bool(READING & function.decorators) and bool(re.search(r"balance|liabilit|refused|outflow", function.name))
