"""What a test says that runs a command of the documents."""

import ast

from tests.support.documents.shell import ROOT


def said_in(test: str) -> str:
    """Return the text of a test with what it uses of its own file, "" if there is no such test."""
    path, _, name = test.partition("::")
    parts = {
        part.name: part
        for part in ast.parse((ROOT / path).read_text()).body
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    used: set[str] = set()
    more = {name} & set(parts)
    while more:
        used |= more
        walked = [one for name in more for one in ast.walk(parts[name])]
        names = {one.id for one in walked if isinstance(one, ast.Name)}
        names |= {one.arg for one in walked if isinstance(one, ast.arg)}
        more = (names & set(parts)) - used
    text = "".join(ast.unparse(parts[name]) for name in sorted(used))
    return text.replace("'", '"')
