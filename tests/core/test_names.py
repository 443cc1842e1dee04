"""One name for one thing: no class, and no name of a type, is defined in two modules."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _types(module: Path) -> list[str]:
    """List the public classes of a module, and the types that it names by assignment: `Rows = ...`."""
    found = []
    for node in ast.parse(module.read_text()).body:
        if isinstance(node, ast.ClassDef):
            found.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found += [target.id for target in targets if isinstance(target, ast.Name)]
    return [name for name in found if name[0].isupper() and not name.isupper()]


def test_no_type_is_defined_in_two_modules() -> None:
    homes = defaultdict(list)
    for folder in ("pipeline", "app", "pages"):
        for module in sorted((ROOT / folder).rglob("*.py")):
            for name in _types(module):
                homes[name].append(str(module.relative_to(ROOT)))
    assert len(homes) > 100
    assert {name: modules for name, modules in homes.items() if len(modules) > 1} == {}
