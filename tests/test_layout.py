"""Imports point down only: from each room of the package to rooms below it, and never in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import invariant_lpips

PACKAGE = Path(invariant_lpips.__file__).parent

#: The rooms of the package from the ground up. A module imports from rooms before its own, and from its own.
ROOMS = (
    "_version",
    "functional",
    "statistics",
    "files",
    "trunks",
    "motion",
    "pictures",
    "heads",
    "inputs",
    "frames",
    "registry",
    "tiling",
    "outside_checkpoints",
    "classifier",
    "stock",
    "metric",
    "lpips_compat",
    "pretrained_networks",
    "lpips",
    "datasets",
    "distortions",
    "indexing",
    "training",
    "integrations",
    "evaluation",
    "demo",
    "cli",
    "__main__",
    "__init__",
)


def modules() -> dict[str, Path]:
    """Dotted name within the package -> file; a folder's `__init__` goes by the folder's name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = path
    return found


def imports(path: Path, known: dict[str, Path]) -> Iterator[tuple[int, str]]:
    """(line, module of the package) of every import, those in functions and for type checkers too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, inside = name.partition(".")
            if package != "invariant_lpips":
                continue
            while inside and inside not in known:  # a name within a module
                inside = inside.rpartition(".")[0]
            yield node.lineno, inside or "__init__"


def test_every_room_has_its_place() -> None:
    assert sorted({name.partition(".")[0] for name in modules()}) == sorted(ROOMS)
    assert sum(path.suffix == ".py" for path in PACKAGE.iterdir()) <= 12


def test_no_import_points_up() -> None:
    known = modules()
    for name, path in known.items():
        room = name.partition(".")[0]
        for line, target in imports(path, known):
            if target == "_version" or (name == "__init__" and target == "__init__"):
                continue
            there = target.partition(".")[0]
            assert ROOMS.index(there) <= ROOMS.index(room), (
                f"{path.relative_to(PACKAGE.parent)}:{line} imports {target}, which lies above it: {there} comes after "
                f"{room} in ROOMS"
            )


def test_no_circle() -> None:
    known = modules()
    graph = {name: {target for _, target in imports(path, known)} - {name} for name, path in known.items()}
    del graph["__init__"]  # the facade, which nothing imports
    done: set[str] = set()

    def follow(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, f"a circle: {' -> '.join((*way[way.index(name) :], name))}"
        if name not in done and name in graph:
            for target in sorted(graph[name]):
                follow(target, (*way, name))
            done.add(name)

    for name in sorted(graph):
        follow(name, ())
