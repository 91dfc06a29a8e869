"""Small changes of the engine's sources made by rule: an operator turned, a number off by one, a statement left out."""

import ast
from collections.abc import Iterator
from pathlib import Path

TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


def mutants(path: Path) -> Iterator[tuple[str, str]]:
    """(what was changed, the changed source) for every change that the rules allow in a file."""
    source = path.read_text()
    count = sum(1 for _ in _changes(ast.parse(source)))
    for number in range(count):
        tree = ast.parse(source)
        for index, (line, what, change) in enumerate(_changes(tree)):
            if index == number:
                change()
                yield f"{path.name}:{line} {what}", ast.unparse(tree)
                break


class _Change:
    """Sets one attribute of one node."""

    def __init__(self, node: ast.AST, field: str, value: object) -> None:
        self.node, self.field, self.value = node, field, value

    def __call__(self) -> None:
        setattr(self.node, self.field, self.value)


def _changes(tree: ast.Module) -> Iterator[tuple[int, str, _Change]]:
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inside = {id(node): node for function in functions for node in ast.walk(function)}
    for node in inside.values():
        match node:
            case ast.Compare(ops=[op]):
                turned = TURNED[type(op)]
                yield node.lineno, f"{type(op).__name__} -> {turned.__name__}", _Change(node, "ops", [turned()])
            case ast.BoolOp(op=ast.And()):
                yield node.lineno, "and -> or", _Change(node, "op", ast.Or())
            case ast.BoolOp(op=ast.Or()):
                yield node.lineno, "or -> and", _Change(node, "op", ast.And())
            case ast.BinOp(op=ast.Add()):
                yield node.lineno, "+ -> -", _Change(node, "op", ast.Sub())
            case ast.BinOp(op=ast.Sub()):
                yield node.lineno, "- -> +", _Change(node, "op", ast.Add())
            case ast.AugAssign(op=ast.Add()):
                yield node.lineno, "+= -> -=", _Change(node, "op", ast.Sub())
            case ast.AugAssign(op=ast.Sub()):
                yield node.lineno, "-= -> +=", _Change(node, "op", ast.Add())
            case ast.Constant(value=int(value)) if not isinstance(value, bool):
                yield node.lineno, f"{value} -> {value + 1}", _Change(node, "value", value + 1)
            case ast.Constant(value=bool(value)):
                yield node.lineno, f"{value} -> {not value}", _Change(node, "value", not value)
            case ast.If(body=body) | ast.For(body=body) | ast.While(body=body) | ast.FunctionDef(body=body):
                yield from _statements_left_out(node, body)
            case _:
                pass


def _statements_left_out(
    node: ast.If | ast.For | ast.While | ast.FunctionDef, body: list[ast.stmt]
) -> Iterator[tuple[int, str, _Change]]:
    for index, statement in enumerate(body):
        match statement:
            case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Delete() | ast.Assign(targets=[ast.Attribute()]):
                rest = [*body[:index], ast.Pass(), *body[index + 1 :]]
                yield statement.lineno, f"without {ast.unparse(statement)[:60]!r}", _Change(node, "body", rest)
            case _:
                pass
