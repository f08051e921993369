"""The pages say nothing outside of their catalogues, and each catalogue is complete."""

import ast
import re
import shutil
from collections.abc import Iterator
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.jslexer import tokenize
from babel.messages.pofile import write_po
from jinja2 import nodes

from app import words
from app.definitions.trees import label_in
from app.statistics.counting.shapes import Shape, shapes_in
from app.words import pages
from scripts import page_words
from tests.support.profile import by_day
from tests.support.program import sources, templates
from tests.support.program.every_message import every_message

pytestmark = pytest.mark.whole

# Languages with a catalogue of their own; a second script has that of its language.
TRANSLATED = [one for one in words.languages() if one != pages.SOURCE]
# What a reader reads or hears of an element, beside its text.
SPOKEN = {"title", "placeholder", "aria-label", "aria-description", "alt", "label", "summary"}
# Not of any language: keys, codes and examples of what is typed.
NOT_WORDS = {
    *"A D E H M P R T U W K C KB MB CSV s min h counts_as | violence:2 2026-W48 K-… C-…".split(),
    "helpline staff add",
    "helpline audit verify",
    "shelter@RS-BG | police@*",
    "shelter | child_protection",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=SA",
}
_WORD = re.compile(r"[^\W\d_]{2,}")


class Outside(HTMLParser):
    """Collects what a page says that no catalogue knows."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in ("script", "style", "kbd", "code")
        for name, value in attrs:
            if name in SPOKEN and value:
                self._see(value)

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style", "kbd", "code")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._see(data)

    def _see(self, text: str) -> None:
        for part in re.split("\ufffc", text):
            plain = " ".join(part.split())
            if _WORD.search(plain) and plain.strip(" .,:;()–…") not in NOT_WORDS:
                self.found.append(plain)


def _written(node: nodes.Node) -> Iterator[str]:
    """Yield what a template writes itself; what it fills in is a single sign."""
    if isinstance(node, nodes.TemplateData):
        yield node.data
    elif isinstance(node, nodes.Expr):
        yield "\ufffc"
    else:
        for child in node.iter_child_nodes():
            yield from _written(child)


def _said(node: nodes.Node, *, inside: bool = False) -> Iterator[str]:
    """Yield the texts of expressions that are not passed to gettext."""
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name):
        inside = inside or node.node.name in ("_", "gettext", "ngettext")
    if isinstance(node, nodes.Const) and isinstance(node.value, str) and not inside:
        yield node.value
    for child in node.iter_child_nodes():
        yield from _said(child, inside=inside)


@lru_cache(maxsize=1)
def _templates() -> dict[str, nodes.Template]:
    """Return every template but that of agencies, as it is parsed."""
    return {name: read for name, read in templates.all_parsed() if name != "agency.html"}


def test_a_template_says_nothing_outside_of_gettext() -> None:
    outside = {name: _outside_of_gettext(read) for name, read in _templates().items()}
    assert len(outside) > 100
    assert {name: said for name, said in outside.items() if said} == {}


def _outside_of_gettext(read: nodes.Template) -> list[str]:
    parser = Outside()
    parser.feed("".join(_written(read)))
    # An expression that says a sentence: it begins with a capital letter or has several words.
    sentences = [
        text
        for text in _said(read)
        if re.match(r"[A-Z][a-z]", text) or re.search(r"[a-z]{2,} [a-z]{2,}", text)
    ]
    technical = [s for s in sentences if re.search(r"[=<%/]|^(EEE|dd|small|outline)\b", s)]
    return parser.found + [s for s in sentences if s not in technical]


def test_the_page_of_an_agency_says_nothing_of_its_own() -> None:
    parser = Outside()
    parser.feed("".join(_written(templates.parsed("agency.html"))))
    assert parser.found == []


def _forms(message: Message) -> list[str]:
    found = message.string
    return list(found) if isinstance(found, (tuple, list)) else [found or ""]


def _forms_of(message: Message) -> list[str]:
    """Return the English of a message, of a plural both forms."""
    return [message.id] if isinstance(message.id, str) else list(message.id or ())


def _plain(text: str) -> str:
    return re.sub(r"%\(\w+\)s", "", text)


def _placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\((\w+)\)[sd]", text))


def _differences(language: str) -> tuple[set[object], set[object]]:
    """Return what a catalogue lacks of what the pages say, and what it holds besides."""
    known: set[object] = {m.id for m in page_words.read(language) if m.id}
    wanted = set(every_message())
    return wanted - known, known - wanted


def test_a_catalogue_holds_what_the_pages_say_and_nothing_else(folder: Path) -> None:
    for language in TRANSLATED:
        hint = f"Run scripts/catalogues {language}, then translate what is empty."
        assert _differences(language) == (set(), set()), hint
    # A language that lacks anything is noticed, and what it says besides.
    shutil.copytree(folder / "sr", folder / "hu")
    lacking = page_words.read("hu")
    for what, example in EXAMPLES.items():
        assert example in {m.id for m in lacking}, what
        lacking.delete(example)
    lacking.add("No page says this.", "x")
    with (folder / "hu/pages.po").open("wb") as file:
        write_po(file, lacking)
    assert _differences("hu") == (set(EXAMPLES.values()), {"No page says this."})


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_message_of_a_catalogue_is_translated(language: str) -> None:
    catalogue = page_words.read(language)
    found = [m for m in catalogue if m.id]
    assert [m.id for m in found if m.fuzzy] == []
    assert [m.id for m in found if not all(form.strip() for form in _forms(m))] == []
    plurals = [m for m in found if isinstance(m.id, tuple)]
    assert [m.id for m in plurals if len(_forms(m)) != catalogue.num_plurals] == []
    for message in found:
        source = _forms_of(message)[-1]
        for form in _forms(message):
            assert _placeholders(form) == _placeholders(source), source
    # What follows a colon on the page follows it in every language.
    ends = [m.id for m in found if str(m.id).endswith(":") and not _forms(m)[0].endswith(":")]
    assert ends == []


# One of each kind that a reader can meet.
EXAMPLES = {
    "a page": "My availability",
    "a refusal": "The contact is complete already.",
    "a refusal with values": "There is no line %(number)s.",
    "a message in a refusal": "another contact",
    "a line of a referral's log": "%(agency)s asked for a new link",
    "a kind of a call's log": "counsellor rejoins",
    "a kind of a record's log": "case linked",
    "an act": "rota imported",
    "a mail to our own staff": "%(code)s: a follow-up is overdue",
    "a heading of a report": "Where every call went",
    "a measure": "Service level",
    "a definition": "missed offers ÷ offers",
    "a script": "All saved",
}


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_sentence_of_a_catalogue_is_left_in_english(language: str) -> None:
    same = [
        m.id
        for m in page_words.read(language)
        if isinstance(m.id, str) and m.string == m.id and len(_WORD.findall(_plain(m.id))) > 2
    ]
    assert same == []


@pytest.mark.parametrize("language", by_day(TRANSLATED, 3))
def test_the_scripts_of_the_pages_get_their_texts(language: str) -> None:
    with pages.spoken_in(language):
        texts = pages.scripts_words()
    marked = {m.id for m in every_message().values() if words.SCRIPTS_FLAG in m.flags}
    assert set(texts) == marked
    assert texts["All saved"] != "All saved"
    assert pages.scripts_words() == {}


def test_a_script_says_no_sentence_outside_of_gettext() -> None:
    known = {str(id_) for id_ in every_message()}
    outside = []
    for path in sorted((page_words.ROOT / "dashboard/static/source").rglob("*.js")):
        for token in tokenize(path.read_text()):
            text = token.value[1:-1]
            sentence = token.type in ("string", "template_string") and re.match(
                r"[A-Z][a-z]+,? [a-z]+ ", text
            )
            if sentence and text not in known:
                outside.append(f"{path.name}: {text}")
    assert outside == []


# Labels that another language writes as English does.
_ALIKE = {"SMS", "Total"}


@pytest.mark.parametrize("shape", shapes_in().values(), ids=lambda shape: shape.report)
def test_a_shipped_report_has_its_labels_in_every_language_of_the_pages(shape: Shape) -> None:
    labels = [shape.title, *(table.title for table in shape.tables)]
    for table in shape.tables:
        labels += [row.label for row in table.rows or []]
        labels += [row.not_recorded for row in table.rows or [] if row.not_recorded]
    for language in pages.page_languages():
        same = [one["en"] for one in labels if label_in(one, language) == one["en"]]
        assert language == "en" or set(same) <= _ALIKE, language


def test_no_function_hides_the_names_that_say_a_message() -> None:
    """`said = ...` in a function that also calls `said(...)` fails only when the page is opened."""
    hidden = []
    for path in sources.having("app.words.pages import"):
        parts = sources.nodes(path)
        imported = {
            name.asname or name.name
            for node in parts
            if isinstance(node, ast.ImportFrom) and node.module == "app.words.pages"
            for name in node.names
        }
        for function in parts:
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
            stored = {node.id for node in names if isinstance(node.ctx, ast.Store)}
            called = {node.id for node in names if isinstance(node.ctx, ast.Load)}
            hidden += [f"{path.name} {function.name}" for _name in imported & stored & called]
    assert hidden == []


@lru_cache(maxsize=1)
def _made() -> list[tuple[str, ast.Call]]:
    return [(ast.unparse(call)[:80], call) for call in page_words.refusals_made()]


def test_a_refusal_with_values_is_a_template_and_the_values_apart() -> None:
    """A text that is put together where it is raised could be said in one language only."""
    together = [
        said
        for said, call in _made()
        # What is wrong with the keys is for the operator's log.
        if not said.startswith("CannotOpen(")
        and (
            isinstance(call.args[0], ast.JoinedStr | ast.BinOp)
            # What a library says of its own errors stays as it is, as a value of a message.
            or (ast.unparse(call.args[0]).startswith("str(") and not said.startswith("Message("))
        )
    ]
    assert together == []


def test_a_refusal_gives_each_value_that_its_text_names() -> None:
    wrong = []
    for said, call in _made():
        template = call.args[0]
        if isinstance(template, ast.Constant) and isinstance(template.value, str):
            given = {keyword.arg for keyword in call.keywords} - {"letter"}
            if given != _placeholders(template.value):
                wrong.append(said)
    assert len(_made()) > 300
    assert wrong == []


# Folders whose texts a page, a mail, a letter or a refusal can show.
_SHOWN = (
    "api",
    "calls",
    "contacts",
    "country",
    "dashboard",
    "definitions",
    "dialling",
    "outbox",
    "people",
    "referrals",
    "retention",
    "routing",
    "staff",
    "training",
    "web",
)
# Files whose texts are put together and not read by a person in this form: protocols, keys of
# hashes, names of accounts and of definitions, what the log says, and stored codes with a value
# that a page says again.
_PUT_TOGETHER = {
    "api/statistics/requested_files.py": "a header of HTTP",
    "contacts/finding/search.py": "the key of a hash",
    "country/whole.py": "names of definitions",
    "dashboard/palette.py": "keys",
    "dashboard/settings/lines/line_chat_views.py": "what a site writes into its page",
    "outbox/at_most_once.py": "the log",
    "outbox/mail.py": "the log",
    "outbox/responses.py": "the log",
    "people/emergency/emergencies.py": "the name of an account",
    "people/provider/protocol.py": "the log",
    "referrals/channels/primero/primero.py": "recognised by problems.py; notes to their system",
    "referrals/channels/webhook/delivery.py": "recognised by problems.py",
    "retention/data_requests/preparing.py": "for the operator, as all refusals of back-ups",
    "staff/log_checks/chains.py": "SQL",
    "staff/leaked.py": "the key of a hash",
    "staff/passkeys.py": "the key of a hash",
    "staff/second_factor.py": "the key of a hash",
    "training/scenarios.py": "a file of the program is wrong",
    "web/access.py": "a header of HTTP",
    "web/parts.py": "a stream",
    "web/sign_in/provider_sign_in.py": "the key of a hash",
    "web/stream.py": "a stream",
}
_PARTS_OF_TEXT = re.compile(r"[A-Za-z]{2,}[,:]? +([a-z]{2,}|\{\})|\{\} [a-z]{3,}")
_SQL = re.compile(r"SELECT|WHERE|FROM |AND \(|= ANY\(|UPDATE|JOIN |CASE |->")
_PUTS_TOGETHER = re.compile(r"""\b[rR]?[fF][rR]?["']""")


def test_a_text_with_values_is_not_put_together_where_it_is_written() -> None:
    """No catalogue finds it, so it would be read in English by all readers."""
    found = {}
    for path, code in sources.texts().items():
        if path.parts[0] not in _SHOWN or not _PUTS_TOGETHER.search(code):
            continue
        for node in (one for one in sources.nodes(path) if isinstance(one, ast.JoinedStr)):
            parts = (getattr(part, "value", "") for part in node.values)
            text = "".join(one if isinstance(one, str) else "{}" for one in parts)
            if _PARTS_OF_TEXT.search(text) and not _SQL.search(text):
                found[path.as_posix()] = text
    assert {name: said for name, said in found.items() if name not in _PUT_TOGETHER} == {}
    assert set(_PUT_TOGETHER) - set(found) == set(), "these are no exceptions any more"


# What a condition chooses that is not read: classes, states of ARIA, directions.
_NOT_READ = {
    "few",
    "many",
    "well",
    "true",
    "false",
    "outline",
    "secondary",
    "danger",
    "default",
    "done",
    "overdue",
    "due",
    "duty",
    "contact",
    "case",
    "second",
    "set",
    "mute",
    "unmute",
    "late",
    "talking",
    "resume",
    "hold",
    "play",
    "pause",
    "mic",
}


def test_a_condition_chooses_between_messages() -> None:
    chosen = {name: _chosen_words(read) for name, read in _templates().items()}
    assert {name: said for name, said in chosen.items() if said} == {}


def _chosen_words(read: nodes.Template) -> list[str]:
    """Return the English words that conditions of a template choose."""
    chosen = [
        branch.value
        for output in read.find_all(nodes.Output)
        for node in output.nodes
        for choice in (node, *node.find_all((nodes.CondExpr, nodes.Or)))
        for branch in (
            (choice.expr1, choice.expr2)
            if isinstance(choice, nodes.CondExpr)
            else (choice.right,)
            if isinstance(choice, nodes.Or)
            else ()
        )
        if isinstance(branch, nodes.Const) and isinstance(branch.value, str)
    ]
    return [text for text in chosen if re.fullmatch(r"[a-z]{3,}", text) and text not in _NOT_READ]


def test_words_of_scripts_are_found_within_templates_of_text() -> None:
    """`…${_("Undo")}…` is said, too."""
    assert every_message().get("Undo") is not None
