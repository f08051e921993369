"""What people read has dates and names as their language writes them: pages, papers and scripts."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from scripts import page_words
from tests.support.program import sources

pytestmark = pytest.mark.whole

# What a reader sees of a date; the values of inputs, addresses and `datetime` are for machines.
_FOR_MACHINES = re.compile(r'[\w-]+="[^"]*"|\{#.*?#\}', re.DOTALL)
# Files that make what is read elsewhere than in a template, besides what is printed.
_READ = (
    "statistics/reports/reports.py",
    "routing/rota/free.py",
    "dashboard/referrals/referral_views.py",
    "dashboard/rota/proposal_views.py",
)
_OF_PROGRAMS = r"strftime|:?%Y-%m-%d"
_ONE_FORM = re.compile(rf"{_OF_PROGRAMS}|isoformat\((?!\w)|\[:1[06]\]")
# The English of logs and of the command line.
_IN_LOGS = {"errors.py"}


def _printing() -> tuple[set[str], set[str]]:
    """Return the modules that print a page, or are given to one that does, and what they import."""
    files = {_module(one): one.relative_to(page_words.ROOT) for one in page_words.python_files()}
    texts = {name: sources.texts()[path] for name, path in files.items()}

    @cache
    def imports(name: str) -> dict[str, str]:
        return dict(_imported(sources.nodes(files[name]), set(texts)))

    # To parse all of the program takes seconds: only what names such a module is read.
    paper = (name for name, text in texts.items() if "paper" in text)
    printers = {name for name in paper if "app.paper" in imports(name).values()}
    names = [name.rpartition(".")[2] for name in printers]
    given = set[str]()
    for name, text in texts.items():
        if not any(one in text for one in names):
            continue
        for call in (one for one in sources.nodes(files[name]) if isinstance(one, ast.Call)):
            if imports(name).get(ast.unparse(call.func).split(".")[0]) in printers:
                values = [*call.args, *(one.value for one in call.keywords)]
                read = [n.id for one in values for n in ast.walk(one) if isinstance(n, ast.Name)]
                given |= {imports(name)[one] for one in read if one in imports(name)}
    imported = {one for name in printers | given for one in imports(name).values()}
    return printers | given, imported


def _module(path: Path) -> str:
    parts = path.relative_to(page_words.ROOT.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def _imported(nodes: list[ast.AST], known: set[str]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module in known:
            for one in node.names:
                inner = f"{node.module}.{one.name}"
                yield one.asname or one.name, inner if inner in known else node.module


def _dates_of_programs(path: Path, form: str | re.Pattern[str]) -> bool:
    # A line that reads a date is for the program.
    return bool(re.search(form, re.sub(r".*(fromisoformat|timedelta).*", "", path.read_text())))


def test_scripts_write_times_and_names_in_the_language_of_the_page() -> None:
    """Without a language, the browser takes its own."""
    scripts = sorted((page_words.ROOT / "dashboard/static/source").rglob("*.js"))
    own = re.compile(r"(toLocale\w+|localeCompare|Intl\.\w+)\(\s*(\[\]|undefined|\{|\))")
    assert [path.name for path in scripts if own.search(path.read_text())] == []


def test_what_is_printed_has_dates_of_its_language() -> None:
    printed, imported = _printing()
    # A conversation is handed to the sheet of a case.
    assert {"app.contacts.cases.printing", "app.chats.printed"} <= printed
    assert "app.retention.data_requests.reports.written_conversations" in imported
    paths = {_module(path): path for path in page_words.python_files()}
    found = {one for one in printed if _dates_of_programs(paths[one], _ONE_FORM)}
    # What these read holds instants for logs and programs, which have one form.
    found |= {one for one in imported if _dates_of_programs(paths[one], _OF_PROGRAMS)}
    assert {str(paths[one].relative_to(page_words.ROOT)) for one in found} - _IN_LOGS == set()


def test_people_read_dates_as_their_language_writes_them() -> None:
    templates = sorted((page_words.ROOT / "dashboard/templates").rglob("*.html"))
    found = [p.name for p in templates if _ONE_FORM.search(_FOR_MACHINES.sub("", p.read_text()))]
    found += [one for one in _READ if _dates_of_programs(page_words.ROOT / one, _ONE_FORM)]
    assert found == []
