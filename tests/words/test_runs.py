"""Numbers, addresses and codes are read from the left, also among letters from the right."""

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import app
from app.errors import Invalid
from app.statistics.periods import Window
from app.statistics.reports import printing
from app.statistics.reports.reports import Report
from app.words import catalogues, pages, runs
from app.words.catalogues import CatalogueKind
from app.words.pages import spoken_in
from app.words.parts import lang, ltr, ltr_text
from tests.support.pages.direction import bare_runs

NUMBER = "+38111116111"
APP = Path(app.__file__).parent


@pytest.mark.parametrize(
    "run",
    [
        NUMBER,
        "+381 11 116 111",
        "+381…",
        "hotline@centar.example.rs",
        "https://a.example/x/?q=1",
        "https://",
        "sip:ana@host.example",
        "08:00-16:00",
        "2026-11-28",
        "report:daily:2026-11-27/2026-11-28",
        "K-7F3-9QD-2XC",
    ],
)
def test_a_run_is_found_whole_and_set_apart_once(run: str) -> None:
    text = f"الهاتف {run}، الآن."
    assert bare_runs(f"<p>{text}</p>") != []
    assert runs.apart(text) == f"الهاتف \u2066{run}\u2069، الآن."
    assert runs.apart(runs.apart(text)) == runs.apart(text)
    assert bare_runs(f"<p>{runs.apart(text)}</p>") == []
    with spoken_in("ar"):
        assert ltr(text) == f'الهاتف <bdi dir="ltr">{run}</bdi>، الآن.'
        assert bare_runs(f"<p>{ltr(text)}</p>") == []


@pytest.mark.parametrize("text", ["في 3 + 4 أيام", "Plavi telefon", "1.2.3", "22:00"])
def test_what_is_read_well_stays_as_it_is(text: str) -> None:
    assert runs.apart(text) == text


def test_a_value_is_set_apart_only_on_a_page_that_is_read_from_the_right() -> None:
    assert ltr(NUMBER) == ltr_text(NUMBER) == NUMBER
    assert ltr(None) == ltr_text(None) == ""
    with spoken_in("ar"):
        assert ltr(NUMBER) == f'<bdi dir="ltr">{NUMBER}</bdi>'
        assert ltr("<b>") == '<bdi dir="ltr">&lt;b&gt;</bdi>'
        assert ltr("خط <b> +381") == 'خط &lt;b&gt; <bdi dir="ltr">+381</bdi>'
        assert ltr_text(NUMBER) == f"\u2066{NUMBER}\u2069"
        assert ltr(NUMBER, "sr") == NUMBER, "an agency reads its page in a language of its own"
    assert ltr(NUMBER, "ar") == f'<bdi dir="ltr">{NUMBER}</bdi>'


def test_a_sentence_sets_its_values_and_its_own_addresses_apart() -> None:
    refused = Invalid("There is no line %(number)s.", number=NUMBER)
    assert pages.refusal_words(refused) == f"There is no line {NUMBER}."
    with spoken_in("ar"):
        assert f"\u2066{NUMBER}\u2069" in pages.refusal_words(refused)
        assert f"\u2066{NUMBER}\u2069" in pages._("%(name)s asks", name=NUMBER)
    said = catalogues.shipped("ar", CatalogueKind.PAGES)
    assert said is not None
    with spoken_in("ar"):
        texts = [pages.said(one.id) for one in said if isinstance(one.id, str) and one.id]
    assert [one for text in texts for one in bare_runs(f"<p>{text}</p>")] == []


def test_a_language_is_named_with_its_direction() -> None:
    assert lang("sr") == ' lang="sr" dir="ltr"'
    assert lang("ar") == ' lang="ar" dir="rtl"'
    assert lang("sr-Latn", "auto") == ' lang="sr-Latn" dir="auto"'
    with spoken_in("ar"):
        assert lang("sr", "page") == ' lang="sr" dir="rtl"'


@pytest.mark.parametrize(
    ("html", "is_bare"),
    [
        (f"<li>{NUMBER} خط</li>", True),
        (f'<li dir="rtl"><b>{NUMBER}</b></li>', True),
        (f'<li>خط <bdi dir="ltr">{NUMBER}</bdi></li>', False),
        (f"<li>خط <bdi>{NUMBER}</bdi></li>", False),
        (f"<li>خط <bdi>رقم {NUMBER}</bdi></li>", True),
        (f'<li dir="auto">رقم {NUMBER}</li>', True),
        (f"<li>خط <code>{NUMBER}</code> خط</li>", False),
        (f"<li>خط <code>1</code> {NUMBER}</li>", True),
        (f"<script>{NUMBER}</script>", False),
    ],
)
def test_a_page_with_a_bare_number_is_found(html: str, is_bare: bool) -> None:
    assert bool(bare_runs(f"<body>{html}</body>")) == is_bare


def test_each_printed_page_is_read_from_its_side_and_its_numbers_from_the_left() -> None:
    templates = [*APP.rglob("data/*.typ")]
    assert len(templates) == 4
    texts = [path.read_text("utf-8") for path in templates]
    assert [text for text in texts if "dir: if" not in text] == []
    rules = {line for text in texts for line in text.splitlines() if "#show regex" in line}
    assert len({rule.partition("): it")[0] for rule in rules}) == 1
    assert [text for text in texts if "#show regex" not in text] == []


async def test_a_report_is_printed_from_the_side_of_its_language(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[dict[str, object]] = []

    async def printed(_template: Path, data: dict[str, object]) -> bytes:
        given.append(data)
        return b""

    monkeypatch.setattr(printing, "print_page", printed)
    window = Window(date(2026, 11, 27), date(2026, 11, 28))
    report = Report("daily", "Daily", window, datetime(2026, 11, 28, tzinfo=UTC), [], [], [])
    for language in ("ar", "sr"):
        with spoken_in(language):
            await printing.print_report(report, ZoneInfo("UTC"))
    assert [one["direction"] for one in given] == ["rtl", "ltr"]
