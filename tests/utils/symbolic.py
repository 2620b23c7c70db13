"""Vyper functions run on symbols: what the sources of the contracts compute, as formulas for the solver z3.

It reads the sources as they are and knows the part of the language in which words are packed: 256-bit arithmetic,
comparisons, local variables, `if`, `assert`, storage maps of words, several values returned together, calls within a
module and of other modules. What it
does not know it refuses, so that nothing is skipped unseen. Checked arithmetic adds the condition that it did not
revert; every unchecked operation is kept in `Path.unchecked`, so that a proof can demand that it did not wrap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import z3
from vyper import ast as vyper_ast

from bizzan.contracts import SOURCES

BITS = 256
# Seconds: until the year 19,391, and more than 30 days, which the windows are bounded by.
TIME_BITS = {"timestamp": 39, "DELAY": 22, "GRACE": 22}
Term = Any
"""A z3 term: 256 bits, or a truth value."""


@dataclass(frozen=True)
class Path:
    """One way through a function: what held on it, what it wrote, and what it returned."""

    conditions: tuple[Term, ...] = ()
    storage: dict[str, Term] = field(default_factory=dict)
    variables: dict[str, Term] = field(default_factory=dict)
    unchecked: tuple[tuple[Term, Term], ...] = ()
    returned: Any = None
    done: bool = False

    def given(self, condition: Term) -> Path:
        """The path on which this holds too."""
        return replace(self, conditions=(*self.conditions, condition))

    @property
    def holds(self) -> Term:
        """All that held."""
        return z3.And(*self.conditions)


def word(value: int) -> Term:
    """A constant of 256 bits."""
    return z3.BitVecVal(value, BITS)


def symbol(name: str, bits: int = BITS) -> Term:
    """A number that may have any value of so many bits, as a word."""
    return z3.ZeroExt(BITS - bits, z3.BitVec(name, bits)) if bits < BITS else z3.BitVec(name, BITS)


@cache
def module(name: str) -> Any:
    """The syntax tree of a module."""
    return vyper_ast.parse_to_ast((SOURCES / "modules" / f"{name}.vy").read_text())


@cache
def function(file: str, name: str) -> Any:
    """The tree of a function. LookupError if the module has none of that name."""
    for node in module(file).get_children(vyper_ast.FunctionDef):
        if node.name == name:
            return node
    raise LookupError(f"contracts/modules/{file}.vy has no function {name}")


@cache
def constant(file: str, name: str) -> int | None:
    """The value of a constant of a module; None if it is none."""
    for node in module(file).get_children(vyper_ast.VariableDecl):
        if node.target.id == name and node.is_constant:
            return _fold(file, node.value)
    return None


def _fold(file: str, node: Any) -> int:
    value = z3.simplify(Machine(file).expression(node, Path())[1])
    return int(value.as_long())


def run(
    file: str, name: str, arguments: list[Term], path: Path | None = None, skip: Mapping[str, Term] | None = None
) -> list[Path]:
    """All ways through a function that do not revert. `skip` names functions that are taken to pass with a value."""
    return Machine(file, skip or {}).call(file, name, arguments, path or Path())


def ways(
    file: str, name: str, arguments: list[Term], path: Path | None = None, skip: str | Mapping[str, Term] = ""
) -> list[Path]:
    """The ways through a function that some values take; at least one, or the test fails."""
    passed = {skip: word(0)} if isinstance(skip, str) else skip
    found = [one for one in run(file, name, arguments, path, passed) if reachable(one.holds)]
    assert found, f"nothing passes {file}.{name}"
    return found


def _possible(path: Path) -> bool:
    return not any(z3.is_false(z3.simplify(condition)) for condition in path.conditions)


def written(file: str, name: str, kind: type, target: str, variables: Mapping[str, Term]) -> Term:
    """What a function writes in its only statement of a kind that says `target`: a field of a log, or a variable."""
    (node,) = [
        keyword.value if kind is vyper_ast.Log else statement.value
        for statement in function(file, name).get_descendants(kind)
        for keyword in (statement.value.keywords if kind is vyper_ast.Log else [statement])
        if (keyword.arg if kind is vyper_ast.Log else statement.target.id) == target
    ]
    return Machine(file).expression(node, Path(variables=dict(variables)))[1]


def prove(claim: Term, given: Term = True, seconds: int = 60) -> None:
    """Fail with a counterexample unless the claim holds for all values."""
    solver = z3.SolverFor("QF_AUFBV")
    solver.set("timeout", seconds * 1_000)
    solver.add(given, z3.Not(claim))
    answer = solver.check()
    assert answer == z3.unsat, solver.model() if answer == z3.sat else f"not decided in {seconds} s"


def reachable(given: Term) -> bool:
    """Whether this can happen at all, so that a proof from it says something."""
    solver = z3.SolverFor("QF_AUFBV")
    solver.add(given)
    answer = solver.check()
    assert answer != z3.unknown
    return bool(answer == z3.sat)


class Machine:
    """Runs the functions of one module and those that it calls."""

    def __init__(self, file: str, skip: Mapping[str, Term] | None = None) -> None:
        self.file = file
        self.skip = skip or {}

    # statements

    def call(self, file: str, name: str, arguments: list[Term], path: Path) -> list[Path]:
        """The paths through a function of a module, each with the caller's variables."""
        node = function(file, name)
        names = [argument.arg for argument in node.args.args]
        inner = Machine(file, self.skip)
        start = replace(path, variables=dict(zip(names, arguments, strict=True)), returned=None, done=False)
        ends = inner.block(node.body, start)
        return [replace(end, variables=path.variables, done=False) for end in ends]

    def block(self, statements: list[Any], path: Path) -> list[Path]:
        """The paths through a list of statements."""
        paths = [path]
        for statement in statements:
            paths = [end for one in paths for end in ([one] if one.done else self.statement(statement, one))]
        return [one for one in paths if _possible(one)]

    def statement(self, node: Any, path: Path) -> list[Path]:
        """The paths through one statement."""
        kind = type(node).__name__
        handler: Callable[[Any, Path], list[Path]] | None = getattr(self, f"_{kind.lower()}", None)
        if handler is None:
            raise NotImplementedError(f"{self.file}: {kind} {node.node_source_code}")
        return handler(node, path)

    def _log(self, node: Any, path: Path) -> list[Path]:
        return [path]

    def _expr(self, node: Any, path: Path) -> list[Path]:
        if isinstance(node.value, vyper_ast.Str):
            return [path]
        return [end for end, _ in self.values(node.value, path)]

    def _annassign(self, node: Any, path: Path) -> list[Path]:
        return [self._store(node.target, value, end) for end, value in self.values(node.value, path)]

    _assign = _annassign

    def _augassign(self, node: Any, path: Path) -> list[Path]:
        path, old = self.expression(node.target, path)
        path, value = self.expression(node.value, path)
        path, new = self._operate(type(node.op).__name__, old, value, path)
        return [self._store(node.target, new, path)]

    def _assert(self, node: Any, path: Path) -> list[Path]:
        path, condition = self.expression(node.test, path)
        return [path.given(condition)]

    def _raise(self, node: Any, path: Path) -> list[Path]:
        return []

    def _return(self, node: Any, path: Path) -> list[Path]:
        if node.value is None:
            return [replace(path, done=True)]
        return [replace(end, returned=value, done=True) for end, value in self.values(node.value, path)]

    def _if(self, node: Any, path: Path) -> list[Path]:
        ends: list[Path] = []
        for one, condition in self.values(node.test, path):
            ends += self.block(node.body, one.given(condition))
            ends += self.block(node.orelse or [], one.given(z3.Not(condition)))
        return ends

    def _store(self, target: Any, value: Term, path: Path) -> Path:
        if isinstance(target, vyper_ast.Name):
            return replace(path, variables={**path.variables, target.id: value})
        path, name, key = self._place(target, path)
        if key is None:
            return replace(path, storage={**path.storage, name: value})
        return replace(path, storage={**path.storage, name: z3.Store(read(path, name, key.size()), key, value)})

    # expressions

    def expression(self, node: Any, path: Path) -> tuple[Path, Term]:
        """An expression with one outcome."""
        (only,) = self.values(node, path)
        return only

    def values(self, node: Any, path: Path) -> list[tuple[Path, Term]]:
        """The outcomes of an expression; only a call that stands alone may have several."""
        if isinstance(node, vyper_ast.Call) and isinstance(node.func, vyper_ast.Attribute):
            return list(self._module_call(node, path))
        if isinstance(node, vyper_ast.Int):
            return [(path, word(node.value))]
        if isinstance(node, vyper_ast.NameConstant):
            return [(path, z3.BoolVal(node.value))]
        if isinstance(node, vyper_ast.Name):
            return [(path, self._name(node.id, path))]
        if isinstance(node, vyper_ast.Call):
            return self._builtin(node, path)
        if isinstance(node, vyper_ast.BinOp):
            return [
                self._operate(type(node.op).__name__, left, right, after)
                for before, left in self.values(node.left, path)
                for after, right in self.values(node.right, before)
            ]
        if isinstance(node, vyper_ast.UnaryOp):
            path, value = self.expression(node.operand, path)
            return [(path, z3.Not(value) if isinstance(node.op, vyper_ast.Not) else ~value)]
        if isinstance(node, vyper_ast.BoolOp):
            return [self._logic(node, path)]
        if isinstance(node, vyper_ast.Compare):
            path, left = self.expression(node.left, path)
            if isinstance(node.right, vyper_ast.List):
                return [self._membership(node, left, path)]
            path, right = self.expression(node.right, path)
            return [(path, COMPARE[type(node.op).__name__](left, right))]
        if isinstance(node, vyper_ast.Subscript | vyper_ast.Attribute):
            return [self._read(node, path)]
        if isinstance(node, vyper_ast.Tuple):
            return [self._together(node, path)]
        raise NotImplementedError(f"{self.file}: {type(node).__name__} {node.node_source_code}")

    def _together(self, node: Any, path: Path) -> tuple[Path, tuple[Term, ...]]:
        terms = []
        for element in node.elements:
            path, value = self.expression(element, path)
            terms.append(value)
        return path, tuple(terms)

    def _membership(self, node: Any, left: Term, path: Path) -> tuple[Path, Term]:
        terms = []
        for element in node.right.elements:
            path, value = self.expression(element, path)
            terms.append(left == value)
        return path, z3.Or(*terms) if isinstance(node.op, vyper_ast.In) else z3.Not(z3.Or(*terms))

    def _logic(self, node: Any, path: Path) -> tuple[Path, Term]:
        terms = []
        for part in node.values:
            path, value = self.expression(part, path)
            terms.append(value)
        return path, (z3.And if isinstance(node.op, vyper_ast.And) else z3.Or)(*terms)

    def _name(self, name: str, path: Path) -> Term:
        if name in path.variables:
            return path.variables[name]
        value = constant(self.file, name)
        return symbol(f"{self.file}.{name}") if value is None else word(value)

    def _operate(self, operator: str, left: Term, right: Term, path: Path) -> tuple[Path, Term]:
        if operator in CHECKED:
            value, conditions = CHECKED[operator](left, right)
            for condition in conditions:
                path = path.given(condition)
            return path, value
        return path, PLAIN[operator](left, right)

    def _builtin(self, node: Any, path: Path) -> list[tuple[Path, Term]]:
        name, terms = node.func.id, []
        if name == "empty":
            return [(path, word(0))]
        arguments = node.args[:1] if name in ("convert", "extract32") else node.args
        for argument in arguments:
            path, value = self.expression(argument, path)
            terms.append(value)
        if name == "convert":
            return [(path, terms[0])]
        if name in ("min", "max"):
            low, high = (terms[0], terms[1]) if name == "min" else (terms[1], terms[0])
            return [(path, z3.If(z3.ULT(terms[0], terms[1]), low, high))]
        operation, safe = UNSAFE[name]
        path = replace(path, unchecked=(*path.unchecked, (path.holds, safe(*terms))))
        return [(path, operation(*terms))]

    def _module_call(self, node: Any, path: Path) -> Iterator[tuple[Path, Term]]:
        owner, name = node.func.value.id, node.func.attr
        if owner == "ICustody":
            yield self._struct(node, path)
            return
        if name in self.skip:
            yield path, self.skip[name]
            return
        terms = []
        for argument in node.args:
            path, value = self.expression(argument, path)
            terms.append(value)
        for end in self.call(self.file if owner == "self" else owner, name, terms, path):
            yield replace(end, returned=path.returned), end.returned

    def _struct(self, node: Any, path: Path) -> tuple[Path, dict[str, Term]]:
        fields = {}
        for keyword in node.keywords:
            outcomes = self.values(keyword.value, path)
            # a view's branches: one term that chooses
            value = outcomes[-1][1]
            for outcome, other in reversed(outcomes[:-1]):
                value = z3.If(outcome.holds, other, value)
            fields[keyword.arg] = value
        return path, fields

    def _place(self, node: Any, path: Path) -> tuple[Path, str, Term | None]:
        """The storage variable behind `self.a`, `self.a[b]`, `module.a[b][c]`, and its key."""
        keys: list[Term] = []
        while isinstance(node, vyper_ast.Subscript):
            path, key = self.expression(node.slice, path)
            keys.insert(0, key)
            node = node.value
        owner = self.file if node.value.id == "self" else node.value.id
        return path, f"{owner}.{node.attr}", z3.Concat(*keys) if len(keys) > 1 else keys[0] if keys else None

    def _read(self, node: Any, path: Path) -> tuple[Path, Term]:
        if isinstance(node, vyper_ast.Attribute) and node.value.get("id") in path.variables:
            return path, path.variables[node.value.id][node.attr]
        if isinstance(node, vyper_ast.Attribute) and node.value.id != "self":
            value = constant(node.value.id, node.attr) if node.value.id not in ("block", "msg", "chain") else None
            if value is not None:
                return path, word(value)
            if not node.attr.startswith("_"):
                return path, symbol(f"{node.value.id}.{node.attr}", TIME_BITS.get(node.attr, BITS))
        path, name, key = self._place(node, path)
        if key is None:
            return path, path.storage.get(name, symbol(name))
        return path, z3.Select(read(path, name, key.size()), key)


def read(path: Path, name: str, key_bits: int = BITS) -> Term:
    """The storage map of a name as it is on a path; before anything wrote to it, one that may hold anything."""
    return path.storage.get(name, z3.Array(name, z3.BitVecSort(key_bits), z3.BitVecSort(BITS)))


COMPARE: dict[str, Callable[[Term, Term], Term]] = {
    "Eq": lambda a, b: a == b,
    "NotEq": lambda a, b: a != b,
    "Lt": z3.ULT,
    "LtE": z3.ULE,
    "Gt": z3.UGT,
    "GtE": z3.UGE,
}
PLAIN: dict[str, Callable[[Term, Term], Term]] = {
    "BitAnd": lambda a, b: a & b,
    "BitOr": lambda a, b: a | b,
    "BitXor": lambda a, b: a ^ b,
    "LShift": lambda a, b: a << b,
    "RShift": z3.LShR,
}
CHECKED: dict[str, Callable[[Term, Term], tuple[Term, tuple[Term, ...]]]] = {
    "Add": lambda a, b: (a + b, (z3.BVAddNoOverflow(a, b, False),)),
    "Sub": lambda a, b: (a - b, (z3.UGE(a, b),)),
    "Mult": lambda a, b: (a * b, (z3.BVMulNoOverflow(a, b, False),)),
    "FloorDiv": lambda a, b: (z3.UDiv(a, b), (b != 0,)),
    "Mod": lambda a, b: (z3.URem(a, b), (b != 0,)),
    "Pow": lambda a, b: (word(z3.simplify(a).as_long() ** z3.simplify(b).as_long()), ()),
}
UNSAFE: dict[str, tuple[Callable[[Term, Term], Term], Callable[[Term, Term], Term]]] = {
    "unsafe_add": (lambda a, b: a + b, lambda a, b: z3.BVAddNoOverflow(a, b, False)),
    "unsafe_sub": (lambda a, b: a - b, z3.UGE),
    # enough, and found fast
    "unsafe_mul": (lambda a, b: a * b, lambda a, b: z3.And(z3.ULT(a, 1 << 128), z3.ULE(b, 1 << 128))),
}
