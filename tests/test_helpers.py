"""What several tests use is in `tests/support`: no test is imported by another one."""

import ast
from pathlib import Path

FILES = sorted(Path(__file__).parent.rglob("*.py"))


def _imports() -> list[tuple[str, str]]:
    """Each file with each module that it imports names from."""
    return [
        (file.name, node.module or "")
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom)
    ]


def test_no_test_is_imported_by_another_one() -> None:
    found = _imports()
    assert len({name for _, name in found if name.startswith("tests.support.")}) > 20
    assert [(file, name) for file, name in found if ".test_" in name] == []
