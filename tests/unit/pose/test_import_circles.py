"""The pose library has no import circle, even where modules are imported inside functions."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(file): file for file in (ROOT / "bench/pose").rglob("*.py")}


def imports(module: str) -> set[str]:
    """Modules of the library that a module imports, anywhere in its file, but for imports for type checkers."""
    found: set[str] = set()
    for node in running(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in MODULES else str(node.module) for name in names} & MODULES.keys()
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & MODULES.keys()
    return found - {module}


def running(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those below `if TYPE_CHECKING:`."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from running(child)


def test_no_module_imports_itself_through_others() -> None:
    direct = {module: imports(module) for module in MODULES}
    circles = []
    for module in MODULES:
        reached, left = set(), list(direct[module])
        while left:
            if (other := left.pop()) not in reached:
                reached.add(other)
                left += direct[other]
        if module in reached:
            circles.append(module)
    assert circles == []
