"""What is to be known of a source file, and of a package. Pure: bytes in, numbers out."""

import ast
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class FileFacts:
    """One file. `documentable` are its module, classes and functions, `documented` those with a docstring."""

    package: str
    lines: int
    functions: int
    classes: int
    documented: int
    documentable: int


@dataclass(frozen=True)
class PackageFacts:
    """The files of a package together."""

    package: str
    files: int
    lines: int
    functions: int
    classes: int
    docstring_cover: float  # 0 to 1


def read_facts(package: str, source: bytes, filename: str) -> FileFacts:
    """Count what is in a source file.

    Raises:
        SyntaxError: it is no Python, or not in the encoding that it claims.
        ValueError: it holds null bytes.
    """
    documented = functions = classes = 0
    documentable = 1
    tree = ast.parse(source, filename)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions += 1
        elif isinstance(node, ast.ClassDef):
            classes += 1
        elif not isinstance(node, ast.Module):
            continue
        documented += ast.get_docstring(node, clean=False) is not None
    documentable += functions + classes
    return FileFacts(package, source.count(b"\n"), functions, classes, documented, documentable)


def merge(files: Iterable[FileFacts]) -> list[PackageFacts]:
    """The packages, the largest first."""
    packages: dict[str, list[FileFacts]] = defaultdict(list)
    for file in files:
        packages[file.package].append(file)
    merged = [
        PackageFacts(
            package=package,
            files=len(members),
            lines=sum(file.lines for file in members),
            functions=sum(file.functions for file in members),
            classes=sum(file.classes for file in members),
            docstring_cover=sum(file.documented for file in members) / sum(file.documentable for file in members),
        )
        for package, members in packages.items()
    ]
    return sorted(merged, key=lambda package: (-package.lines, package.package))
